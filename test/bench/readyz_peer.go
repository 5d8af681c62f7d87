package main

import (
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// newHealthz returns the handler of a controller-runtime manager with that many
// checks, each the cheapest that can turn green: one atomic load. It is called
// without the http.StripPrefix that the manager puts around it, and does not log.
func newHealthz(checks int, synced bool) http.Handler {
	log.SetLogger(logr.Discard()) // it writes each failure
	h := &healthz.Handler{Checks: map[string]healthz.Checker{}}
	for i := range checks {
		var isSynced atomic.Bool
		isSynced.Store(synced)
		h.Checks[checkName(i)] = func(*http.Request) error {
			if !isSynced.Load() {
				return errNotSynced
			}
			return nil
		}
	}
	return h
}

var errNotSynced = errors.New("not synced")
