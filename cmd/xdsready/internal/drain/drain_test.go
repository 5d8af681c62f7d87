package drain

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve returns the address of a server, with what was registered on it.
func serve(t *testing.T, register func(*grpc.Server)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	register(server)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return listener.Addr().String()
}

// The command tells how far the drain is, and returns when it is done.
func TestRun(t *testing.T) {
	done := make(chan struct{})
	left := 2
	address := serve(t, func(s *grpc.Server) {
		Register(s, Replica{
			Drain: func() <-chan struct{} { return done },
			Streams: func() int { // asked by one call, once a round
				left--
				if left == 0 {
					close(done)
				}
				return left
			},
		})
	})
	var out bytes.Buffer
	if err := Run(t.Context(), address, &out, false); err != nil {
		t.Errorf("Run: %v", err)
	}
	if want := "draining: 1 streams of proxies left\ndraining: 0 streams of proxies left\ndrained\n"; out.String() != want {
		t.Errorf("it says %q, want %q", &out, want)
	}
}

// A replica that ends before it has drained is a fault, and not nobody.
func TestRunOfAReplicaThatEnds(t *testing.T) {
	var server *grpc.Server
	address := serve(t, func(s *grpc.Server) {
		server = s
		rounds := 0
		Register(s, Replica{
			Drain: func() <-chan struct{} { return nil },
			Streams: func() int {
				rounds++
				if rounds == 2 {
					go server.Stop()
				}
				return 7
			},
		})
	})
	err := Run(t.Context(), address, new(bytes.Buffer), false)
	if err == nil || errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "with 7 streams left") {
		t.Errorf("Run: %v, want that it ended with 7 streams left", err)
	}
}

// An address that is not of the admin server is told from one where nobody is.
func TestRunOfAnotherServer(t *testing.T) {
	address := serve(t, func(*grpc.Server) {})
	err := Run(t.Context(), address, new(bytes.Buffer), false)
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "is not the admin address") {
		t.Errorf("Run: %v, want that it is not the admin address", err)
	}
}
