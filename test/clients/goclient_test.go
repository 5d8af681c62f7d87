package clients

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	_ "google.golang.org/grpc/xds" // the resolver of xds:/// targets
)

// targetVariable makes the test binary the client in Go instead: grpc-go reads
// its bootstrap when a process starts, so a client must be a process.
const targetVariable = "XDSREADY_CLIENT_TARGET"

// runGoClient calls the target for ever, as testdata/client.js and
// testdata/client.py do: one line on stdout for each call says who answered.
func runGoClient(target string) {
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer conn.Close()
	for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
		_, _ = fmt.Fprintln(os.Stdout, ask(healthv1.NewHealthClient(conn)))
	}
}

// ask makes one call and returns the name of the backend, or what went wrong.
//
// A call that hits a race of grpc-go's own is made again: for a moment after a
// route has changed, grpc-go knows the new cluster when it chooses a route and
// not yet when it picks a connection. No order of messages avoids that.
func ask(client healthv1.HealthClient) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for {
		var header metadata.MD
		_, err := client.Check(ctx, &healthv1.HealthCheckRequest{}, grpc.Header(&header))
		switch message := status.Convert(err).Message(); {
		case err == nil:
			return header.Get(backendHeader)[0]
		case !strings.HasPrefix(message, "unknown cluster selected for RPC"):
			return fmt.Sprintf("failed: %v: %s", status.Code(err), message)
		}
	}
}
