package admission

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestNewNamesTheOptionThatIsOutOfRange(t *testing.T) {
	for _, tc := range []struct {
		name string
		o    Options
		want string
	}{
		{name: "none", o: Options{}},
		{name: "a mode that there is not", o: Options{Mode: 7}, want: "admission options: Mode is Mode(7): want Refuse or Hold"},
		{name: "a negative time", o: Options{HoldTimeout: -time.Second}, want: "HoldTimeout is negative: -1s"},
		{name: "a negative number of calls", o: Options{MaxHeld: -1}, want: "MaxHeld is negative: -1"},
		{name: "a negative number of connections", o: Options{MaxHeldConnections: -1}, want: "MaxHeldConnections is negative: -1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := New(nil, tc.o)
			wantError(t, err, tc.want)
		})
	}
}

func TestOptionDefaults(t *testing.T) {
	for _, tc := range []struct {
		name    string
		o, want Options
	}{
		{
			name: "all zero",
			want: Options{HoldTimeout: 30 * time.Second, MaxHeld: 10_000, MaxHeldConnections: 10_000},
		},
		{
			name: "connections follow calls",
			o:    Options{MaxHeld: 5},
			want: Options{HoldTimeout: 30 * time.Second, MaxHeld: 5, MaxHeldConnections: 5},
		},
		{
			name: "what is given stays",
			o:    Options{Mode: Hold, HoldTimeout: time.Second, MaxHeld: 5, MaxHeldConnections: 2},
			want: Options{Mode: Hold, HoldTimeout: time.Second, MaxHeld: 5, MaxHeldConnections: 2},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.o.withDefaults()
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreFields(Options{}, "Group", "Logger", "Authorize")); diff != "" {
				t.Errorf("withDefaults (-want +got):\n%s", diff)
			}
			if got.Logger == nil || got.Group(Node{ID: "a", Cluster: "edge"}) != "" || got.Authorize != nil {
				t.Error("want the default logger, one group for all and no authorization")
			}
		})
	}
}

func TestParseMode(t *testing.T) {
	for _, mode := range []Mode{Refuse, Hold} {
		if got, err := ParseMode(mode.String()); got != mode || err != nil {
			t.Errorf("ParseMode(%q) = %v, %v", mode, got, err)
		}
	}
	_, err := ParseMode("Hold")
	wantError(t, err, `unknown admission mode "Hold": want refuse or hold`)
}

// What a proxy may be called reaches logs and other proxies' operators.
func TestANodeIsQuotedAndCut(t *testing.T) {
	if got, want := (Node{ID: "a\nb", Cluster: "edge"}).String(), `"a\nb" (cluster "edge")`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := len(Node{ID: string(make([]byte, 1<<20))}.String()); got > 2000 {
		t.Errorf("a node with an id of 1 MiB is shown in %d bytes", got)
	}
}
