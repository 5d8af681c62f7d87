package statuspage

import "testing"

func TestDuration(t *testing.T) {
	for seconds, want := range map[float64]string{
		-1: "<1 ms", 0.0004: "<1 ms", 0.021: "21 ms", 1.5: "1.5 s", 59.9: "59.9 s", 74: "1 min 14 s",
		7_260: "2 h 1 min", 93_784: "26 h 3 min", 200_000: "2 days",
	} {
		if got := duration(seconds); got != want {
			t.Errorf("duration(%v) = %q, want %q", seconds, got, want)
		}
	}
}

func TestProxyState(t *testing.T) {
	acked, sent, rejected := Type{Version: version, Acked: true}, Type{Version: version}, Type{Version: version, NACK: "no"}
	for _, test := range []struct {
		name  string
		types []Type
		want  ProxyState
	}{
		{"no type yet", nil, Syncing},
		{"all acknowledged", []Type{acked, acked}, Converged},
		{"one is sent", []Type{acked, sent}, Syncing},
		{"nothing sent yet", []Type{acked, {}}, Syncing},
		{"one is rejected", []Type{sent, rejected}, Rejected},
	} {
		if got := (Proxy{Types: test.types}).State(); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}
