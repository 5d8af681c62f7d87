package cache

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestVersionString(t *testing.T) {
	for _, tt := range []struct {
		name string
		v    Version
		want string
	}{
		{"nothing is 32 zeros", Version{}, "00000000000000000000000000000000"},
		{"most significant byte first", Version{0: 0xab, 15: 0x01}, "ab000000000000000000000000000001"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.v.String(); got != tt.want {
				t.Errorf("String() = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestVersionAdd(t *testing.T) {
	one := Version{15: 1}
	ones := Version(bytes.Repeat([]byte{0xff}, 16))
	for _, tt := range []struct {
		name          string
		a, b, wantSum Version
	}{
		{"nothing changes nothing", one, Version{}, one},
		{"a carry crosses the halves", Version{8: 0xff, 9: 0xff, 10: 0xff, 11: 0xff, 12: 0xff, 13: 0xff, 14: 0xff, 15: 0xff}, one, Version{7: 1}},
		{"the sum wraps at 2^128", ones, one, Version{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sum := tt.a.Add(tt.b)
			if sum != tt.wantSum {
				t.Errorf("%v.Add(%v) = %v, want %v", tt.a, tt.b, sum, tt.wantSum)
			}
			if got := sum.Sub(tt.b); got != tt.a {
				t.Errorf("%v.Sub(%v) = %v, want %v", sum, tt.b, got, tt.a)
			}
		})
	}
}

// The known value guards against a silent change of the hash: all versions of
// all replicas would change with it.
func TestVersionOfIsStable(t *testing.T) {
	const want = "dd75066e2a1390fab185be1de213b28b"
	if got := versionOf("type", "name", []byte("content")).String(); got != want {
		t.Errorf("versionOf = %s, want %s", got, want)
	}
}

// FuzzVersionSum: the version of a set does not depend on order, and taking a
// member out gives the version of the rest.
func FuzzVersionSum(f *testing.F) {
	f.Add([]byte("abc"), uint64(1))
	f.Add(bytes.Repeat([]byte{0xff}, 40), uint64(2))
	f.Fuzz(func(t *testing.T, members []byte, seed uint64) {
		var versions []Version
		for i, m := range members {
			versions = append(versions, versionOf("t", string(rune(i)), []byte{m}))
		}
		var sum Version
		for _, v := range versions {
			sum = sum.Add(v)
		}
		shuffle := rand.New(rand.NewPCG(seed, 0))
		shuffle.Shuffle(len(versions), func(i, j int) { versions[i], versions[j] = versions[j], versions[i] })
		rest := sum
		for _, v := range versions {
			rest = rest.Sub(v)
		}
		if rest != (Version{}) {
			t.Errorf("all members taken out in another order leave %v, want nothing", rest)
		}
	})
}

// FuzzVersionInput: different resources give the hash different input.
func FuzzVersionInput(f *testing.F) {
	f.Add("ab", "c", []byte("d"), "a", "bc", []byte("d"))
	f.Add("a", "", []byte("b"), "a", "b", []byte(nil))
	f.Add("a", "b", []byte("c"), "a", "b", []byte("c"))
	f.Fuzz(func(t *testing.T, type1, name1 string, content1 []byte, type2, name2 string, content2 []byte) {
		equal := type1 == type2 && name1 == name2 && bytes.Equal(content1, content2)
		got := bytes.Equal(versionInput(type1, name1, content1), versionInput(type2, name2, content2))
		if got != equal {
			t.Errorf("inputs equal: %t; resources equal: %t", got, equal)
		}
	})
}
