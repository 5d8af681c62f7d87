package admission

import (
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// The bound falls while a goroutine has to wait for a processor, but not to
// nothing, and rises while it has not.
func TestArrivalsAdapt(t *testing.T) {
	cpus := runtime.GOMAXPROCS(0)
	a := newArrivals()
	adapt := func(waited time.Duration, times int) {
		for range times {
			a.adaptLocked(waited)
		}
	}
	for _, step := range []struct {
		what   string
		waited time.Duration
		times  int
		want   int
	}{
		{"at first", 0, 0, firstPerCPU * cpus},
		{"neither", behind - 1, 100, firstPerCPU * cpus},
		{"behind", behind, 1, firstPerCPU * cpus * 3 / 4},
		{"always behind", behind, 100, fewestPerCPU * cpus},
		{"idle", idle, 10, fewestPerCPU*cpus + 10},
	} {
		adapt(step.waited, step.times)
		if a.allowed != step.want {
			t.Errorf("%s: %d at a time, want %d", step.what, a.allowed, step.want)
		}
	}
}

// pipes is a listener that always has one more connection.
type pipes struct{ net.Listener }

func (pipes) Accept() (net.Conn, error) {
	c, _ := net.Pipe()
	return c, nil
}

func accept(t *testing.T, lis *listener) *conn {
	t.Helper()
	c, err := lis.Accept()
	if err != nil {
		t.Error(err)
	}
	return c.(*conn) //nolint:errcheck // it is one
}

// Connections beyond the bound wait for one that has said something, is refused,
// has hung up or says nothing for a while.
func TestArrivalsWait(t *testing.T) {
	for name, end := range map[string]func(*conn){
		"arrived": (*conn).arrived,
		"closed":  func(c *conn) { _ = c.Close() },
		"silent":  func(*conn) { time.Sleep(longestArrival) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lis := (&Admission{}).Listener(pipes{}).(*listener) //nolint:errcheck // it is one
				one := accept(t, lis)
				lis.arrivals.allowed = 0 // one, as to accept the second takes no time
				second := make(chan *conn)
				go func() { second <- accept(t, lis) }()
				synctest.Wait()
				select {
				case <-second:
					t.Fatal("the second does not wait")
				default:
				}
				end(one)
				two := <-second
				two.arrived()
				two.arrived() // it counts once
				_ = one.Close()
				if lis.arrivals.inside != 0 {
					t.Errorf("%d connections arrive, want none", lis.arrivals.inside)
				}
			})
		})
	}
}
