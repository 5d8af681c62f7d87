package xds

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
)

// encoded is the repeated field resource_names.
func encoded(names ...string) []byte {
	var field []byte
	for _, name := range names {
		field = protowire.AppendString(protowire.AppendTag(field, namesField, protowire.BytesType), name)
	}
	return field
}

// manyNames are enough that their list is worth sharing.
func manyNames() []string {
	var list []string
	for i := range 1000 {
		list = append(list, fmt.Sprintf("name%04d", i))
	}
	return list
}

// Who asks for the same names gets the same list and the same set, also when all
// ask at once.
func TestNameTableShares(t *testing.T) {
	table := newNameTable()
	field := encoded(manyNames()...)
	lists := make([][]string, 20)
	var asking sync.WaitGroup
	for i := range lists {
		asking.Go(func() {
			list, err := table.decode(slices.Clone(field))
			if err != nil {
				t.Errorf("decode: %v", err)
			}
			lists[i] = list
		})
	}
	asking.Wait()
	if diff := cmp.Diff(manyNames(), lists[0]); diff != "" {
		t.Fatalf("names (-want +got):\n%s", diff)
	}
	set := table.of(lists[0])
	for i, list := range lists {
		if &list[0] != &lists[0][0] || table.of(list) != set {
			t.Errorf("list %d is another than the first", i)
		}
	}
	other, err := table.decode(encoded(append(manyNames(), "more")...))
	if err != nil || table.of(other) == set || !table.of(other).Has("more") {
		t.Errorf("other names, and %v, have the set of the first", err)
	}
	if part := table.of(lists[0][:2]); part == set || len(part.All()) != 2 {
		t.Errorf("a part of a list is the set %q", part.All())
	}
}

func TestNameTableOfNoNames(t *testing.T) {
	table := newNameTable()
	if list, err := table.decode(nil); list != nil || err != nil || table.of(list) != nil {
		t.Errorf("no field: %q, %v", list, err)
	}
	list, err := table.decode(encoded("", "a", ""))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a"}, table.of(list).All()); diff != "" {
		t.Errorf("with empty names (-want +got):\n%s", diff)
	}
	if list, err := table.decode(encoded("", "")); table.of(list) != nil || err != nil {
		t.Errorf("only empty names: %q, %v", list, err)
	}
	if _, err := table.decode(encoded("a", "\xc3\x28")); err == nil {
		t.Error("invalid UTF-8 is taken")
	}
}

// What nobody uses is forgotten, except for the newest lists, which somebody may
// be about to take.
func TestNameTableForgets(t *testing.T) {
	table := newNameTable()
	kept, err := table.decode(encoded("kept"))
	if err != nil {
		t.Fatal(err)
	}
	set := table.of(kept)
	const more = 1000
	for i := range more {
		if _, err := table.decode(encoded(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	size := func() (sets, lists int) {
		table.mu.Lock()
		defer table.mu.Unlock()
		return len(table.byHash), len(table.byList)
	}
	want := len(table.recent) + 1
	deadline := time.Now().Add(10 * time.Second)
	for sets, lists := size(); sets != want || lists != want; sets, lists = size() {
		if time.Now().After(deadline) {
			t.Fatalf("%d sets and %d lists are kept, want %d", sets, lists, want)
		}
		runtime.GC() // each lets some cleanups run
	}
	if again, err := table.decode(encoded("kept")); err != nil || table.of(again) != set {
		t.Errorf("a set that is in use was forgotten (%v)", err)
	}
	runtime.KeepAlive(set)
}

// The names of a message are found wherever they stand, and nothing else is.
func TestSplitNames(t *testing.T) {
	other := protowire.AppendString(protowire.AppendTag(nil, 4, protowire.BytesType), "type")
	number := protowire.AppendVarint(protowire.AppendTag(nil, namesField, protowire.VarintType), 7)
	for name, test := range map[string]struct{ message, names, rest []byte }{
		"nothing":         {nil, nil, nil},
		"only names":      {encoded("a", "b"), encoded("a", "b"), nil},
		"no names":        {other, nil, other},
		"in the middle":   {slices.Concat(other, encoded("a", "b"), other), encoded("a", "b"), slices.Concat(other, other)},
		"apart":           {slices.Concat(encoded("a"), other, encoded("b"), other, encoded("c", "d")), encoded("a", "b", "c", "d"), slices.Concat(other, other)},
		"of a wrong kind": {slices.Concat(number, encoded("a")), encoded("a"), number},
	} {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(test.message)
			names, rest, err := splitNames(test.message, namesField)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([][]byte{test.names, test.rest}, [][]byte{names, rest}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, test.message); diff != "" {
				t.Errorf("the message was changed (-before +after):\n%s", diff)
			}
		})
	}
	for name, message := range map[string][]byte{
		"a tag that is cut off": {0xff},
		"a size that lies":      {namesField<<3 | 2, 5, 'a'},
	} {
		if _, _, err := splitNames(message, namesField); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
