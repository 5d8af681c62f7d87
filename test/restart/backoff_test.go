package main

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBackOffHasFullJitterBelowABoundThatDoubles(t *testing.T) {
	for _, test := range []struct {
		bootstrap bootstrap
		bounds    []int // ms
	}{
		{generated, []int{100, 200, 400, 800, 1000, 1000}},
		{stock, []int{500, 1000, 2000, 4000, 8000, 16000, 30000, 30000}},
	} {
		longest := make([]time.Duration, len(test.bounds))
		shortest := make([]time.Duration, len(test.bounds))
		b := test.bootstrap.newBackOff(rand.New(rand.NewPCG(1, 2)))
		const rounds = 2000
		for round := range rounds {
			b.reset()
			for i, milliseconds := range test.bounds {
				wait, bound := b.next(), time.Duration(milliseconds)*time.Millisecond
				if wait >= bound {
					t.Fatalf("%s: wait %d is %v, not below %v", test.bootstrap, i, wait, bound)
				}
				longest[i] = max(longest[i], wait)
				if round == 0 || wait < shortest[i] {
					shortest[i] = wait
				}
			}
		}
		for i, milliseconds := range test.bounds {
			if tenth := time.Duration(milliseconds) * time.Millisecond / 10; shortest[i] > tenth || longest[i] < 9*tenth {
				t.Errorf("%s: waits %d lie between %v and %v, which is not all of 0 to %d ms",
					test.bootstrap, i, shortest[i], longest[i], milliseconds)
			}
		}
	}
}

func TestRotationBeginsAnywhereAndThenTakesEachInTurn(t *testing.T) {
	addresses := []string{"a", "b", "c"}
	next := map[string]string{"a": "b", "b": "c", "c": "a"}
	begins := map[string]int{}
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		r := newRotation(addresses, random)
		last := r.next()
		begins[last]++
		for range 4 {
			now := r.next()
			if now != next[last] {
				t.Fatalf("%s came after %s, want %s", now, last, next[last])
			}
			last = now
		}
	}
	for _, address := range addresses {
		if begins[address] < 60 {
			t.Errorf("of 300 rotations %d begin with %s", begins[address], address)
		}
	}
}

func TestTheSameSeedIsTheSameBehaviour(t *testing.T) {
	waits := func() (waits []time.Duration) {
		p, err := newProxy(3, fleetConfig{Addresses: []string{"a", "b"}, Proxies: 4, Services: 1, Seed: 7})
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			waits = append(waits, p.backOff.next())
		}
		return waits
	}
	if diff := cmp.Diff(waits(), waits()); diff != "" {
		t.Errorf("waits differ:\n%s", diff)
	}
}
