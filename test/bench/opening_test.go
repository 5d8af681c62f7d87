package main

import (
	"testing"
	"time"
)

// That their goroutines end is for goleak to see.
func TestAGateThatNeverOpenedCanBeStopped(t *testing.T) {
	ours, err := shutOurs(2)
	if err != nil {
		t.Fatal(err)
	}
	for name, gate := range map[string]*shutGate{"ours": ours, "polled": shutPolled(2, time.Hour)} {
		if held := gate.held(); held != 0 {
			t.Errorf("%s holds %d streams and has seen none", name, held)
		}
		gate.stop()
	}
}
