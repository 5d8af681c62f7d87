package publish_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/xdsready/xdsready/pkg/xds/publish"
)

// bytesSource makes a random number of each byte, so that a fuzzer that changes a
// byte changes one decision, and others when there are none left. (Numbers that
// are all the same would keep rand.IntN busy for ever.)
type bytesSource struct {
	bytes []byte
	other rand.PCG
}

func (b *bytesSource) Uint64() uint64 {
	if len(b.bytes) == 0 {
		return b.other.Uint64()
	}
	n := b.bytes[0]
	b.bytes = b.bytes[1:]
	return uint64(n) << 56
}

// FuzzProxy lets bytes decide what happens in the simulation. Run it with
// -fuzzminimizetime=1x: to make long stories shorter takes long.
func FuzzProxy(f *testing.F) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 0))
		data := make([]byte, 400)
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		simulateWith(t, newLibrary(t), rand.New(&bytesSource{bytes: data}), "bytes")
	})
}

// FuzzRequest sends requests that break the protocol: none of them may make the
// server fail or talk without end.
func FuzzRequest(f *testing.F) {
	f.Add(true, []byte("\x00\x01a\x02b\x03"), "1", "cluster a: no")
	f.Add(false, []byte("\x00\x04*\x02\x01"), "2", "")
	f.Fuzz(func(t *testing.T, delta bool, data []byte, nonce, text string) {
		r := newRig(t, envoyOptions(delta), swapConfig(t, "a", "a", "b")...)
		names := []string{"a", "b", "http", "routes", "*", "", nonce, text}
		for _, n := range data {
			name := []string{names[n%8], names[n/8%8]}
			q := publish.Request{
				TypeURL: modelledTypes[n%5], Nonce: nonce, Error: text, NACK: n > 127, Version: text, Wildcard: n%7 == 0,
				Names: publish.NewNames(name), Subscribe: name, Unsubscribe: name[:n%2], Initial: map[string]string{name[0]: text},
			}
			if n%3 > 0 {
				q.Nonce = ""
			}
			if r.proxy.Request(q, r.now) != nil {
				continue
			}
			for i := 0; ; i++ {
				if _, ok := r.proxy.Next(r.now); !ok {
					break
				}
				if i > 100 {
					t.Fatal("the server does not come to rest")
				}
			}
			r.now = r.now.Add(time.Duration(n) * time.Second)
		}
	})
}
