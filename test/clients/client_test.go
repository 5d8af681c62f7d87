package clients

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const (
	// patience is how long a client may take from its start to its first call.
	patience = 30 * time.Second
	// prompt is how long a change may take to reach the calls. On an idle machine
	// that is milliseconds; a step of the server that nobody ends takes 20 s.
	prompt = 5 * time.Second
	// steady is how many calls in a row must go to a backend before it counts as
	// reached for good.
	steady = 20
)

// commands are the clients: what to run, with the target as last argument, or in
// targetVariable.
var commands = map[string]func(target string) *exec.Cmd{
	"grpc-go": func(target string) *exec.Cmd {
		return command(targetVariable+"="+target, os.Args[0])
	},
	"grpc-js": func(target string) *exec.Cmd {
		return command("NODE_PATH="+filepath.Join(fetched, "node_modules"), "node", "testdata/client.js", target)
	},
	"grpc-python": func(target string) *exec.Cmd {
		return command("PYTHONPATH="+filepath.Join(fetched, "python"), "python3", "testdata/client.py", target)
	},
}

func command(variable, program string, arguments ...string) *exec.Cmd {
	c := exec.Command(program, arguments...)
	c.Env = append(os.Environ(), variable)
	return c
}

// client is a running program that calls the service for ever.
type client struct {
	answers <-chan string // a line for each call: a backend's name, or a failure; closed at the end
}

// start runs a client until the test ends. What it prints on stderr is shown if
// the test fails.
func start(t *testing.T, c *exec.Cmd, server netip.AddrPort) *client {
	t.Helper()
	c.Env = append(c.Env, "GRPC_XDS_BOOTSTRAP_CONFIG="+bootstrap(server))
	var log bytes.Buffer
	c.Stderr = &log
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	answers := make(chan string, 1<<16) // so many that the client never waits for the test
	go scan(stdout, answers)
	t.Cleanup(func() {
		_ = c.Process.Kill() // an error means that it has ended by itself
		for range answers {  // until its stdout ends: Wait closes that, and must come after
		}
		_ = c.Wait() // it was killed
		if t.Failed() && log.Len() > 0 {
			t.Logf("stderr of the client:\n%s", &log)
		}
	})
	return &client{answers}
}

// scan sends each line, and closes the channel at the end.
func scan(r io.Reader, lines chan<- string) {
	defer close(lines)
	for s := bufio.NewScanner(r); s.Scan(); {
		lines <- s.Text()
	}
}

// bootstrap tells a client where its control plane is.
func bootstrap(server netip.AddrPort) string {
	return fmt.Sprintf(`{
		"xds_servers": [{
			"server_uri": %q,
			"channel_creds": [{"type": "insecure"}],
			"server_features": ["xds_v3"]
		}],
		"node": {"id": "client", "locality": {}}
	}`, server.String())
}

// wantMove reads answers until they come from the backend to, and only from it.
// Until then they may come from the backend before, and no call may fail. It
// returns how long that took.
func (c *client) wantMove(t *testing.T, before, to string, limit time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	late := time.After(limit)
	for calls := 1; ; calls++ {
		switch answer := c.next(t, late, to); answer {
		case to:
			took := time.Since(began)
			c.wantSteady(t, to)
			return took
		case before:
		default:
			t.Fatalf("call %d after the change, %v later: %q, want an answer from %q or %q",
				calls, time.Since(began), answer, before, to)
		}
	}
}

// wantSteady fails the test unless the next calls all go to the backend.
func (c *client) wantSteady(t *testing.T, backend string) {
	t.Helper()
	late := time.After(patience)
	for calls := 1; calls <= steady; calls++ {
		if answer := c.next(t, late, backend); answer != backend {
			t.Fatalf("%d calls after the first that %q answered: %q", calls, backend, answer)
		}
	}
}

// next returns the answer to the next call.
func (c *client) next(t *testing.T, late <-chan time.Time, want string) string {
	t.Helper()
	select {
	case answer, ok := <-c.answers:
		if !ok {
			t.Fatalf("the client ended, while %q was to answer", want)
		}
		return answer
	case <-late:
		t.Fatalf("the time was over before %q answered", want)
	}
	return ""
}
