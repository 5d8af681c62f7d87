package peers

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBalancer(t *testing.T) {
	now := time.Unix(0, 0)
	for name, test := range map[string]struct {
		own     int
		others  []int
		willing bool
		later   time.Duration
		want    int
	}{
		"2 % of them":                {500, []int{500, 0}, true, time.Second, 10},
		"at least one":               {12, []int{0}, true, time.Second, 1},
		"never below the share":      {4, []int{3, 3}, true, time.Second, 0}, // 1.2 times it, which is 3.33
		"within 1.1":                 {109, []int{91}, true, time.Second, 0},
		"not everybody can":          {500, []int{500, 0}, false, time.Second, 0},
		"alone":                      {500, nil, true, time.Second, 0},
		"what the peers said is old": {500, []int{0}, true, freshness + time.Second, 0},
		"nobody is connected":        {0, []int{0}, true, time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var b balancer
			b.observe(now, test.own, test.others, test.willing)
			if got := b.next(now.Add(test.later), test.own); got != test.want {
				t.Errorf("next = %d, want %d", got, test.want)
			}
		})
	}
}

// fleet is replicas with connections, which come back to some replica one second
// after they were asked to leave.
type fleet struct {
	balancers   []balancer
	connections []int
	between     []int // now between two replicas, by who sent them away
	back        func(from int) int
	asked       int
}

// second lets one second pass.
func (f *fleet) second(t *testing.T, now time.Time, s int) {
	t.Helper()
	for from, n := range f.between {
		for range n {
			f.connections[f.back(from)]++
		}
		f.between[from] = 0
	}
	for i := range f.balancers {
		b := &f.balancers[i]
		if s%3 == i%3 { // not in step
			var others []int
			for j, n := range f.connections {
				if j != i {
					others = append(others, n)
				}
			}
			b.observe(now, f.connections[i], others, true)
		}
		n := b.next(now, f.connections[i])
		if left := f.connections[i] - n; n > 0 && float64(left) < b.share {
			t.Fatalf("second %d: replica %d goes down to %d, its share is %.1f", s, i, left, b.share)
		}
		f.connections[i] -= n
		f.between[i] += n
		f.asked += n
	}
}

// run lets seconds pass, from one to another.
func (f *fleet) run(t *testing.T, from, to int) {
	t.Helper()
	for s := from; s < to; s++ {
		f.second(t, time.Unix(int64(s), 0), s)
	}
}

// Two minutes after a rolling restart no replica has more than 1.3 times its share,
// wherever the proxies were and in whatever way they choose among the replicas, and
// some time later nothing moves any more.
func TestBalanceAfterRollingRestart(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		ways := map[string]func(from int) int{
			"at random": func(int) int { return random.IntN(3) },
			"in turn":   func(from int) int { return (from + 1) % 3 }, // as Envoy does
		}
		for way, back := range ways {
			for _, start := range [][]int{{500, 500, 0}, {1000, 0, 0}, {500, 0, 500}} {
				f := &fleet{balancers: make([]balancer, 3), connections: slices.Clone(start), between: make([]int, 3), back: back}
				f.run(t, 0, 120)
				if most := slices.Max(f.connections); float64(most) > 1.3*1000/3 {
					t.Errorf("seed %d, %s from %v: %v after two minutes", seed, way, start, f.connections)
				}
				f.run(t, 120, 400)
				before := f.asked
				f.run(t, 400, 600)
				if f.asked != before {
					t.Errorf("seed %d, %s from %v: %d were moved in balance %v", seed, way, start, f.asked-before, f.connections)
				}
			}
		}
	}
}

// Ten replicas, all proxies on the first, which try the others in turn: it takes
// longer, and is not given up before it is done.
func TestBalanceLongChain(t *testing.T) {
	f := &fleet{
		balancers: make([]balancer, 10), connections: []int{1000, 0, 0, 0, 0, 0, 0, 0, 0, 0}, between: make([]int, 10),
		back: func(from int) int { return (from + 1) % 10 },
	}
	f.run(t, 0, 900)
	if most := slices.Max(f.connections); most > 130 {
		t.Errorf("after 15 minutes: %v", f.connections)
	}
}

// Proxies that know one address only come back to it: after a minute or so they
// are left alone for a while.
func TestBalanceInVain(t *testing.T) {
	f := &fleet{
		balancers: make([]balancer, 2), connections: []int{300, 0}, between: make([]int, 2),
		back: func(from int) int { return from },
	}
	given := int((patience + 30*time.Second) / time.Second)
	f.run(t, 0, given)
	before := f.asked
	f.run(t, given, int(rest/time.Second))
	if before == 0 || f.asked != before {
		t.Errorf("%d were asked to leave at first and %d later, want some and none", before, f.asked-before)
	}
}
