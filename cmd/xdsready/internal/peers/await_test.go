package peers

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/source"
	"github.com/xdsready/xdsready/pkg/ready"
)

func read(resource, changed, reached string) source.Watermark {
	return source.Watermark{Cluster: "c", Resource: resource, Changed: changed, Reached: reached}
}

// starting is a replica that starts and has read services up to a version.
func starting(reached string) *replica {
	r := newReplica()
	r.phase = ready.Starting
	r.marks = []source.Watermark{read("services", reached, reached)}
	return r
}

// serving is one that has served proxies what it knew at a version.
func serving(changed string) *replica {
	r := newReplica()
	r.marks = []source.Watermark{read("services", changed, changed)}
	return r
}

// wantAwaited fails the test unless Await returns in time to be no deadline.
func wantAwaited(t *testing.T, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("Await = %v, want nil", err)
		}
	case <-time.After(limit / 2):
		t.Fatal("Await waits")
	}
}

// What is no reason to wait: each of these is over long before the deadline.
func TestAwaitNothing(t *testing.T) {
	unaware := listen(t)
	serveGRPC(t, grpc.NewServer(), unaware)
	elsewhere := serving("500")
	elsewhere.marks[0].Cluster = "other"
	reader := serving("100")
	reader.marks = append(reader.marks, read("tlsroutes", "500", "500"))
	bookmarked := serving("90")
	bookmarked.marks[0].Reached = "500" // by a list or a bookmark
	for name, address := range map[string]string{
		"nothing listens":                        nowhere,
		"a peer starts too":                      starting("500").serve(t, "b"),
		"its program knows no peers":             unaware.Addr().String(),
		"a peer has read as much":                serving("100").serve(t, "b"),
		"own address":                            serving("500").serve(t, "a"),
		"nobody has the name":                    "dns:///nobody:1",
		"numbers compare, not strings":           serving("99").serve(t, "b"),
		"another cluster":                        elsewhere.serve(t, "b"),
		"what only the peer reads":               reader.serve(t, "b"),
		"a peer has reached more, but no change": bookmarked.serve(t, "b"),
	} {
		t.Run(name, func(t *testing.T) {
			r := starting("100")
			o := r.options("a", address)
			o.Lookup = func(context.Context, string) ([]string, error) { return nil, &net.DNSError{IsNotFound: true} }
			wantAwaited(t, background(t, r.make(t, o).Await))
		})
	}
}

// A stale replica waits for what the newest peer had read, says so, and goes on
// when it has read that itself and has worked it in; what the peer learns after
// it was asked is not waited for.
func TestAwaitNewest(t *testing.T) {
	older, newer := serving("400"), serving("500")
	r := starting("100")
	r.unsettled = true
	done := background(t, r.make(t, r.options("a", older.serve(t, "b"), newer.serve(t, "c"))).Await)
	eventually(t, "both peers are waited for", func() bool {
		return strings.Contains(r.waitsFor(), "peer b had read services up to 400, here it is 100") &&
			strings.Contains(r.waitsFor(), "peer c had read services up to 500, here it is 100")
	})
	newer.set(func(r *replica) { r.marks[0] = read("services", "600", "600") })
	r.set(func(r *replica) { r.marks[0].Reached = "450" })
	eventually(t, "the newer peer alone is waited for", func() bool {
		return r.waitsFor() == "peer c had read services up to 500, here it is 450"
	})
	r.set(func(r *replica) { r.marks[0].Reached = "500" })
	eventually(t, "what derives is waited for", func() bool {
		return r.waitsFor() == "what was read is not worked in yet"
	})
	select {
	case err := <-done:
		t.Fatalf("Await = %v before the inputs were worked in", err)
	default:
	}
	r.set(func(r *replica) { r.unsettled = false })
	wantAwaited(t, done)
}

// At the deadline Await logs what it waited for, and leaves the rest to the check.
func TestAwaitDeadline(t *testing.T) {
	silent := listen(t) // takes connections and never answers
	for name, peer := range map[string]struct{ address, said string }{
		"a peer that never is reached": {serving("500").serve(t, "b"), "peer b had read services up to 500, here it is 100"},
		"a peer that hangs":            {silent.Addr().String(), "no answer within 2s"},
	} {
		t.Run(name, func(t *testing.T) {
			r := starting("100")
			o := r.options("a", peer.address)
			o.Deadline = 3 * time.Second
			done := background(t, r.make(t, o).Await)
			eventually(t, "given up", func() bool { return r.logged("the start goes on without knowing") == 1 })
			if r.logged(peer.said) != 1 {
				t.Errorf("the log does not say %q:\n%s", peer.said, r.log.String())
			}
			select {
			case err := <-done:
				t.Errorf("Await = %v, want it to wait for its end", err)
			default:
			}
		})
	}
}

// A peer that answers what no peer would is named, and is no reason to wait
// longer than the deadline.
func TestAwaitGarbage(t *testing.T) {
	t.Run("a version that is no number is said once", func(t *testing.T) {
		r := starting("100")
		r.unsettled = true
		done := background(t, r.make(t, r.options("a", serving("abc").serve(t, "b"))).Await)
		eventually(t, "it is compared", func() bool { return strings.Contains(r.waitsFor(), "not worked in yet") })
		r.set(func(r *replica) { r.unsettled = false })
		wantAwaited(t, done)
		if n := r.logged("a peer's input cannot be compared"); n != 1 {
			t.Errorf("said %d times, want once", n)
		}
	})
	for name, answer := range map[string]struct {
		change func(*Options)
		said   string
	}{
		"no name":              {func(o *Options) { o.Name = "" }, "its answer makes no sense: no name"},
		"a huge name":          {func(o *Options) { o.Name = strings.Repeat("x", maxAnswer) }, "received message larger than max"},
		"negative connections": {func(o *Options) { o.Connections = func() int { return -1 } }, "its answer makes no sense: -1 connections"},
		"not a peer of ours":   {func(o *Options) { o.Authorize = func(context.Context) error { return errors.New("who?") } }, "xdsready: not a peer: who?"},
	} {
		t.Run(name, func(t *testing.T) {
			r := starting("100")
			background(t, r.make(t, r.options("a", serving("500").serve(t, "b", answer.change))).Await)
			eventually(t, "said", func() bool { return strings.Contains(r.waitsFor(), answer.said) })
		})
	}
}

// The list is looked up again while a peer is silent: an address that is gone is
// waited for no more.
func TestAwaitLookup(t *testing.T) {
	silent := listen(t)
	_, port, _ := net.SplitHostPort(silent.Addr().String())
	lookups := make(chan func() ([]string, error))
	r := starting("100")
	o := r.options("a", "dns:///peers:"+port)
	o.Lookup = func(ctx context.Context, _ string) ([]string, error) {
		select {
		case answer := <-lookups:
			return answer()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	done := background(t, r.make(t, o).Await)
	lookups <- func() ([]string, error) { return nil, errors.New("server misbehaving") }
	eventually(t, "the lookup is to blame", func() bool { return strings.Contains(r.waitsFor(), "looking up the peers: server misbehaving") })
	lookups <- func() ([]string, error) { return []string{"127.0.0.1"}, nil }
	eventually(t, "the peer is to blame", func() bool { return strings.Contains(r.waitsFor(), "no answer within") })
	lookups <- func() ([]string, error) { return nil, nil }
	wantAwaited(t, done)
}

// Without watermarks, as a directory has none, nothing can be waited for.
func TestAwaitNoWatermarks(t *testing.T) {
	r := newReplica()
	wantAwaited(t, background(t, r.make(t, r.options("a", serving("500").serve(t, "b"), listen(t).Addr().String())).Await))
}
