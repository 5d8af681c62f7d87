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
