package xds

import (
	"hash/maphash"
	"runtime"
	"sync"
	"weak"

	"github.com/xdsready/xdsready/pkg/xds/publish"
)

// nameTable makes proxies that ask for the same names share one set, in which
// what was found out about it is shared too. A list is recognized by 128 bits of
// hash with secret seeds, before it is sorted or compared.
type nameTable struct {
	mu    sync.Mutex // guards lists
	lists map[nameKey]weak.Pointer[publish.Names]
	seeds [2]maphash.Seed
}

type nameKey [2]uint64

func newNameTable() *nameTable {
	return &nameTable{lists: map[nameKey]weak.Pointer[publish.Names]{}, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
}

// of returns the set of these names, nil for none.
func (t *nameTable) of(names []string) *publish.Names {
	if len(names) == 0 {
		return nil
	}
	key := t.key(names)
	t.mu.Lock()
	known := t.lists[key].Value()
	t.mu.Unlock()
	if known != nil {
		return known
	}
	set := publish.NewNames(names)
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.lists[key].Value(); known != nil {
		return known // another stream was faster
	}
	t.lists[key] = weak.Make(set)
	runtime.AddCleanup(set, t.forget, key)
	return set
}

func (t *nameTable) key(names []string) (key nameKey) {
	for i, seed := range t.seeds {
		var h maphash.Hash
		h.SetSeed(seed)
		for _, name := range names {
			_, _ = h.WriteString(name) // never fails
			_ = h.WriteByte(0)
		}
		key[i] = h.Sum64()
	}
	return key
}

func (t *nameTable) forget(key nameKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lists[key].Value() == nil {
		delete(t.lists, key)
	}
}
