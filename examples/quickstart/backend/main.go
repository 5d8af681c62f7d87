// Command backend is the service behind Envoy in the quick start: it answers
// every request with one line that says where it came from.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	address := flag.String("address", "127.0.0.1:10080", "host:port to listen on, the one in config/endpoints.yaml")
	flag.Parse()

	if err := run(*address); err != nil {
		slog.Error("backend ended", "error", err)
		os.Exit(1)
	}
}

// run serves on address until the process is asked to end. It returns nil then,
// and an error when it cannot listen or serve.
func run(address string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("backend: %w", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(greet), ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()

	slog.Info("backend listens", "address", listener.Addr().String())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("backend: %w", err)
	}
	return nil
}

// greet names the path, and the x-request-id that only Envoy adds: a request
// that did not come through the proxy shows.
func greet(w http.ResponseWriter, r *http.Request) {
	via := "without a proxy"
	if r.Header.Get("X-Request-Id") != "" {
		via = "through Envoy"
	}
	_, _ = fmt.Fprintf(w, "hello from the backend: %s %s %s\n", r.Method, r.URL.Path, via)
}
