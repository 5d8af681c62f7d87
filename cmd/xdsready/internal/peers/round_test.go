package peers

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/ready"
)

// differences are those that a Peers shows of its only peer.
func differences(p *Peers) []string {
	for _, v := range p.View() {
		return v.Differences
	}
	return nil
}

func shows(p *Peers, want ...string) func() bool {
	return func() bool { return cmp.Equal(differences(p), want) }
}

// A difference that persists is shown, logged once and counted, in whatever it
// consists; its end likewise.
func TestDifference(t *testing.T) {
	r, other := newReplica(), newReplica()
	equal := snapshot(t, 1, "a", "b", "c", "d")
	r.groups = map[string]*cache.Snapshot{"edge": equal, "same": equal, "ours": equal}
	other.groups = map[string]*cache.Snapshot{"edge": snapshot(t, 2, "a", "b", "c"), "same": equal, "theirs": equal}
	p := r.make(t, r.options("a", other.serve(t, "b")))
	background(t, p.Run)
	eventually(t, "the differences are shown", shows(p,
		"4 clusters of group edge", "group ours, which the peer does not have", "group theirs, which only the peer has"))
	told := `"differs from peer b in 4 clusters of group edge; group ours, which the peer does not have; group theirs, which only the peer has"`
	eventually(t, "told", func() bool { return r.logged(told) == 1 })
	wantParity(t, p, "0")

	other.set(func(other *replica) { other.groups["edge"] = snapshot(t, 1, "a", "b", "c") })
	other.set(func(other *replica) { delete(other.groups, "theirs") })
	r.set(func(r *replica) { delete(r.groups, "ours") })
	eventually(t, "one difference is left", shows(p, "1 cluster of group edge"))
	other.set(func(other *replica) { other.groups["edge"] = equal })
	eventually(t, "equal again", func() bool { return r.logged("differs no more from peer b") == 1 })
	eventually(t, "none is shown", shows(p))
	wantParity(t, p, "1")
	if n := r.logged("differs from peer"); n != 1 {
		t.Errorf("the difference was told %d times, want once", n)
	}
}

func wantParity(t *testing.T, p *Peers, parity string) {
	t.Helper()
	want := "# HELP xdsready_peer_parity Share of the serving peers whose config is equal to ours, for all node groups; " +
		"a difference counts once it has persisted for three rounds. 1 without such peers.\n" +
		"# TYPE xdsready_peer_parity gauge\nxdsready_peer_parity " + parity + "\n"
	if err := testutil.CollectAndCompare(p, strings.NewReader(want), "xdsready_peer_parity"); err != nil {
		t.Error(err)
	}
}

// A difference that is another one in each round is a change under way.
func TestChangeUnderWay(t *testing.T) {
	one := &peer{}
	at := place{"edge", "type", "a"}
	for _, round := range []struct {
		versions
		told bool
	}{
		{versions{"1", "0"}, false}, {versions{"2", "1"}, false}, {versions{"3", "2"}, false}, // it follows us
		{versions{"3", "2"}, false}, {versions{"3", "2"}, true}, // or has stopped to
	} {
		one.see(map[place]versions{at: round.versions})
		if told := len(one.differences()) > 0; told != round.told {
			t.Errorf("at %v told = %v, want %v", round.versions, told, round.told)
		}
	}
	one.see(map[place]versions{})
	one.see(map[place]versions{at: {"3", "2"}})
	if len(one.differences()) > 0 {
		t.Error("a difference that was gone in between is told at once")
	}
}

// A peer that does not serve is not compared, and one that is silent is shown as
// it was, with the reason.
func TestPeerStates(t *testing.T) {
	r, other := newReplica(), newReplica()
	r.groups["edge"], other.groups["edge"] = snapshot(t, 1, "a"), snapshot(t, 2, "a")
	listener := listen(t)
	stop := make(chan struct{})
	address := listener.Addr().String()
	t.Run("serving", func(t *testing.T) {
		other.make(t, other.options("b")).serveOn(t, listener)
		p := r.make(t, r.options("a", address))
		background(t, p.Run)
		eventually(t, "it differs", shows(p, "1 cluster of group edge"))
		other.set(func(r *replica) { r.phase = ready.Draining })
		eventually(t, "not compared while it drains", func() bool { return r.logged(`because="it is draining"`) == 1 })
		eventually(t, "its state is shown", func() bool { return p.View()[0].State == "draining" })
		close(stop)
	})
	<-stop
	p := r.make(t, r.options("a", address)) // the server has ended with the subtest
	background(t, p.Run)
	want := View{Name: address, Address: address, State: Unreachable, Error: "connection refused"}
	eventually(t, "it is unreachable", func() bool { return cmp.Equal(p.View(), []View{want}) })
}

// A replica with too many connections sheds some while a peer has room, and none
// while the peer starts.
func TestShed(t *testing.T) {
	r, other := newReplica(), newReplica()
	r.connections, other.phase = 200, ready.Starting
	p := r.make(t, r.options("a", other.serve(t, "b")))
	p.lookRound(t.Context())
	p.shed(time.Now())
	if r.asked != 0 {
		t.Fatalf("%d connections were asked to leave for a peer that starts", r.asked)
	}
	other.set(func(other *replica) { other.phase = ready.Ready })
	p.lookRound(t.Context())
	p.shed(time.Now())
	if r.asked != 4 { // 2 %
		t.Errorf("%d connections were asked to leave, want 4", r.asked)
	}
}
