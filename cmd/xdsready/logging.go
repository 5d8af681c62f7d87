package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/go-logr/logr"
	istiolog "istio.io/istio/pkg/log"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// newLogger returns the program's logger and makes those of krt, grpc, client-go
// and controller-runtime, which log by globals of their own, say only what an
// operator can use, in a format that fits. What client-go says of lists and
// watches that fail, the source says itself, once for each change.
func newLogger(w io.Writer, format string, debug bool) (*slog.Logger, error) {
	options, level := &slog.HandlerOptions{}, istiolog.WarnLevel
	if debug {
		options.Level, level = slog.LevelDebug, istiolog.InfoLevel
	}
	others := istiolog.DefaultOptions()
	others.SetDefaultOutputLevel(istiolog.DefaultScopeName, level)
	others.SetDefaultOutputLevel("krt", level)
	if !debug { // grpc warns of each proxy that hangs up
		others.SetDefaultOutputLevel(istiolog.GrpcScopeName, istiolog.NoneLevel)
	}
	others.OutputPaths = []string{"stderr"}
	var handler slog.Handler
	switch format {
	case "text":
		handler = slog.NewTextHandler(w, options)
	case "json":
		handler = slog.NewJSONHandler(w, options)
		others.JSONEncoding = true
	default:
		return nil, fmt.Errorf("--log-format: unknown format %q: use text or json", format)
	}
	if err := istiolog.Configure(others); err != nil {
		return nil, fmt.Errorf("configuring the logs of krt and grpc: %w", err)
	}
	logger := slog.New(handler)
	kubernetes := slog.New(slog.DiscardHandler)
	if debug {
		kubernetes = logger
	}
	klog.SetSlogLogger(kubernetes)
	ctrllog.SetLogger(logr.FromSlogHandler(kubernetes.Handler()))
	return logger, nil
}
