// Command parts is what the tests run in pods, beside the programs under test: a
// backend for requests, the sender of steady requests, and a sampler of Envoys. They run in the cluster, so that nothing on the way to the test, such
// as a forwarded port, counts as a failure of what is tested.
//
//	parts backend ADDRESS           answers each request with the name of its pod
//	parts traffic ADDRESS URL...    sends 400 requests per second, over all URLs, until it is stopped
//	parts sampler ADDRESS ADMIN     asks Envoy's admin server every 100 ms for its clusters and its stream
//
// The last two answer GET /record on their address with the record so far, as JSON
// (package record); POST /cut does the same and begins a new one.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if len(arguments) < 2 {
		return errors.New("usage: parts backend|traffic|sampler ADDRESS [URL...]")
	}
	role, address, urls := arguments[0], arguments[1], arguments[2:]
	switch {
	case role == "backend":
		return serve(ctx, address, http.HandlerFunc(answer))
	case role == "traffic" && len(urls) > 0:
		sent := new(traffic)
		sent.start(ctx, urls)
		return serve(ctx, address, records(sent.get))
	case role == "sampler" && len(urls) == 1:
		seen := &sampler{admin: urls[0]}
		go seen.run(ctx)
		return serve(ctx, address, records(seen.get))
	}
	return fmt.Errorf("parts cannot do %q", arguments)
}

// answer says who answers. The pod's name is its host name.
func answer(w http.ResponseWriter, _ *http.Request) {
	name, _ := os.Hostname()
	fmt.Fprintln(w, name)
}

// records serves a record: get returns it, and begins a new one after a cut.
func records[Record any](get func(cut bool) Record) http.Handler {
	answer := func(cut bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(get(cut))
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /record", answer(false))
	mux.Handle("POST /cut", answer(true))
	return mux
}

func serve(ctx context.Context, address string, handler http.Handler) error {
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
