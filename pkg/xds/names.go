package xds

import (
	"errors"
	"hash/maphash"
	"runtime"
	"sync"
	"unicode/utf8"
	"unique"
	"weak"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/xdsready/xdsready/pkg/xds/publish"
)

// nameTable makes proxies that ask for the same names share one list and one
// set, in which what was found out about it is shared too. A thousand names in
// each request would else be most of what a proxy costs, in time and in memory.
type nameTable struct {
	seeds [2]maphash.Seed

	mu     sync.Mutex // guards the following
	byHash map[nameKey]weak.Pointer[publish.Names]
	byList map[*string]weak.Pointer[publish.Names] // by the address of the first name
	recent [64]*publish.Names                      // the newest, which no stream may have taken yet
	newest int                                     // index in recent
}

// nameKey is a hash of encoded names: 128 bits with secret seeds, so that two
// lists that differ have the same one neither by accident nor on purpose.
type nameKey [2]uint64

func newNameTable() *nameTable {
	return &nameTable{
		seeds:  [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		byHash: map[nameKey]weak.Pointer[publish.Names]{}, byList: map[*string]weak.Pointer[publish.Names]{},
	}
}

// of returns the set of the names of a list, nil for none. For a list that came
// from decode it is a shared one.
func (t *nameTable) of(list []string) *publish.Names {
	if len(list) == 0 {
		return nil
	}
	t.mu.Lock()
	known := t.byList[&list[0]].Value()
	t.mu.Unlock()
	if known != nil && len(known.All()) == len(list) {
		return known
	}
	return publish.NewNames(list)
}

// decode returns the names in an encoded repeated field, sorted and shared with all
// who sent the same list. They must not be changed.
func (t *nameTable) decode(field []byte) ([]string, error) {
	key := nameKey{maphash.Bytes(t.seeds[0], field), maphash.Bytes(t.seeds[1], field)}
	t.mu.Lock()
	known := t.byHash[key].Value()
	t.mu.Unlock()
	if known != nil {
		return known.All(), nil
	}
	list, err := decodeNames(field)
	if err != nil {
		return nil, err
	}
	set := publish.NewNames(list)
	if len(set.All()) == 0 {
		return nil, nil
	}
	return t.add(key, set), nil
}

// add makes a set known and returns its list, or that of another stream that was
// faster.
func (t *nameTable) add(key nameKey, set *publish.Names) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.byHash[key].Value(); known != nil {
		return known.All()
	}
	list := set.All()
	t.newest = (t.newest + 1) % len(t.recent)
	t.recent[t.newest] = set
	t.byHash[key], t.byList[&list[0]] = weak.Make(set), weak.Make(set)
	runtime.AddCleanup(set, t.forget, forgotten{key, &list[0]})
	return list
}

// forgotten is a set that nobody uses any more.
type forgotten struct {
	key  nameKey
	list *string
}

func (t *nameTable) forget(f forgotten) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byList, f.list)
	if t.byHash[f.key].Value() == nil { // no equal one has taken its place
		delete(t.byHash, f.key)
	}
}

// decodeNames decodes a repeated string field, tags included. The names are the
// strings of the resources that bear them, as far as there are such.
func decodeNames(field []byte) ([]string, error) {
	count := 0
	for rest := field; len(rest) > 0; count++ {
		_, _, size := protowire.ConsumeField(rest)
		rest = rest[size:]
	}
	list := make([]string, 0, count)
	for len(field) > 0 {
		_, _, tag := protowire.ConsumeTag(field)
		name, size := protowire.ConsumeBytes(field[tag:])
		if !utf8.Valid(name) {
			return nil, errors.New("string field contains invalid UTF-8")
		}
		list = append(list, unique.Make(string(name)).Value())
		field = field[tag+size:]
	}
	return list, nil
}

// splitNames returns the fields of the encoded message with that number, which
// are strings, and the rest. It returns an error if the message is malformed.
// The names are not copied where they stand together, as they usually do.
func splitNames(message []byte, number protowire.Number) (names, rest []byte, err error) {
	end := 0 // of the names, in message
	for at := 0; at < len(message); {
		n, kind, tag := protowire.ConsumeTag(message[at:])
		if tag < 0 {
			return nil, nil, protowire.ParseError(tag)
		}
		size := protowire.ConsumeFieldValue(n, kind, message[at+tag:])
		if size < 0 {
			return nil, nil, protowire.ParseError(size)
		}
		next := at + tag + size
		switch {
		case n != number || kind != protowire.BytesType:
			rest = append(rest, message[at:next]...)
		case names == nil:
			names, end = message[at:next:next], next
		case end == at:
			names, end = message[at-len(names):next:next], next
		default:
			names, end = append(names, message[at:next]...), -1
		}
		at = next
	}
	return names, rest, nil
}
