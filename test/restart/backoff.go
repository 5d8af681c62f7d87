package main

import (
	"math/rand/v2"
	"time"
)

// bootstrap is how an Envoy was told to come back.
type bootstrap string

const (
	generated bootstrap = "generated" // as `xdsready bootstrap` prints it
	stock     bootstrap = "default"   // the same without its retry_back_off
)

// newBackOff returns the back-off of an Envoy with that bootstrap.
func (b bootstrap) newBackOff(random *rand.Rand) *backOff {
	o := &backOff{base: 500 * time.Millisecond, longest: 30 * time.Second, random: random}
	if b == generated {
		o.base, o.longest = 100*time.Millisecond, time.Second
	}
	o.reset()
	return o
}

// backOff is Envoy's exponential back-off with full jitter: a wait of any length
// below a bound, which doubles with each wait. Only a received message resets it.
type backOff struct {
	base, longest time.Duration
	bound         time.Duration // of the next wait
	random        *rand.Rand
}

func (b *backOff) next() time.Duration {
	wait := time.Duration(b.random.Int64N(int64(b.bound)))
	b.bound = min(2*b.bound, b.longest)
	return wait
}

func (b *backOff) reset() { b.bound = b.base }

// rotation is Envoy's ROUND_ROBIN over the addresses of its control plane: it
// begins anywhere and then takes the next one for each stream, whether that
// answers or not, since nothing checks their health.
type rotation struct {
	addresses []string
	at        int
}

func newRotation(addresses []string, random *rand.Rand) *rotation {
	return &rotation{addresses: addresses, at: random.IntN(len(addresses))}
}

func (r *rotation) next() string {
	address := r.addresses[r.at%len(r.addresses)]
	r.at++
	return address
}
