package world

import (
	"io"
	"net"
	"testing"
	"time"
)

// soon bounds the wait for what must happen, and is how long what must not
// happen is waited for.
const soon = 100 * time.Millisecond

// echo sends back whatever comes, until the test ends.
func echo(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(connection, connection) // an error is the connection's end
			_ = connection.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-ended
	})
	return listener.Addr().String()
}

// through opens a connection over a new link to an echo.
func through(t *testing.T) (*link, net.Conn) {
	t.Helper()
	link, err := newLink(t.Context(), "127.0.0.1:0", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(link.close)
	connection, err := net.Dial("tcp", link.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return link, connection
}

// answers sends a byte and reports whether it comes back within a time.
func answers(t *testing.T, connection net.Conn, within time.Duration) bool {
	t.Helper()
	if err := connection.SetDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	if _, err := connection.Write([]byte("x")); err != nil {
		return false
	}
	_, err := io.ReadFull(connection, make([]byte, 1))
	return err == nil
}

func TestLinkCarriesAndCounts(t *testing.T) {
	link, connection := through(t)
	for range 3 {
		if !answers(t, connection, patience) {
			t.Fatal("nothing comes back")
		}
	}
	if got := link.pushed.Load(); got != 3 {
		t.Errorf("%d bytes are counted, want 3", got)
	}
}

func TestLinkPauses(t *testing.T) {
	link, connection := through(t)
	if !answers(t, connection, patience) {
		t.Fatal("nothing comes back")
	}
	link.pause()
	if answers(t, connection, soon) {
		t.Error("bytes come back in a pause")
	}
	link.resume()
	if !answers(t, connection, patience) {
		t.Error("what was sent in the pause is lost")
	}
}

func TestLinkResets(t *testing.T) {
	link, connection := through(t)
	if !answers(t, connection, patience) {
		t.Fatal("nothing comes back")
	}
	link.reset()
	if answers(t, connection, patience) {
		t.Error("the connection outlives its reset")
	}
}

func TestLinkToNowhereResets(t *testing.T) {
	link, err := newLink(t.Context(), "127.0.0.1:0", "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer link.close()
	connection, err := net.Dial("tcp", link.listener.Addr().String())
	if err != nil {
		return // the reset came so soon
	}
	defer connection.Close()
	if answers(t, connection, patience) {
		t.Error("something answers")
	}
}
