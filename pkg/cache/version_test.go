package cache

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
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

// TestGoldenVersions holds versions that other processes computed. Where a new
// protobuf library changes one, an upgrade sends every proxy everything again:
// worth a line in the release notes, and no bug.
func TestGoldenVersions(t *testing.T) {
	web := resource(t, staticCluster("web"))
	for _, tt := range []struct {
		name string
		got  Version
		want string
	}{
		{"plain strings", versionOf("type", "name", 0, []byte("content")), "b5fe61b6bf24a130d7f1790921115d15"},
		{"a cluster", web.Version(), "e72636935c9f2611d9218f70375851c3"},
		{"a cluster with a TTL", web.WithTTL(time.Minute).Version(), "7bc22e9b8b7029953a07ae40670cf3e6"},
		{"maps in an Any in an Any", resource(t, nested(t, anyNew(t))).Version(), "052faeaacef0d13e695c01513bb1a95f"},
		{"a set", ContentVersion(resources(t, staticCluster("web"), assignment("web"))), "43cef09e4adc2ed19632f9fc5d79f4f4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.got.String(); got != tt.want {
				t.Errorf("version = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestVersionDependsOn(t *testing.T) {
	web := resource(t, staticCluster("web"))
	seen := map[Version]string{web.Version(): "the cluster web"}
	for _, tt := range []struct {
		name  string
		other Resource
	}{
		{"the name", resource(t, staticCluster("api"))},
		{"the type", resource(t, assignment("web"))},
		{"the content", resource(t, edsCluster("web", ""))},
		{"a field deep in the content", resource(t, edsCluster("web", "service"))},
		{"the content of a nested Any", resource(t, tlsCluster(t, "web", "a", ads()))},
		{"one letter in a nested Any", resource(t, tlsCluster(t, "web", "b", ads()))},
		{"the TTL", web.WithTTL(time.Second)},
		{"the length of the TTL", web.WithTTL(2 * time.Second)},
	} {
		if same, ok := seen[tt.other.Version()]; ok {
			t.Errorf("%s does not matter: same version as %s", tt.name, same)
		}
		seen[tt.other.Version()] = tt.name
	}
	if !web.WithTTL(time.Second).WithTTL(-1).Equal(web) {
		t.Error("a TTL that was taken back left a trace in the version")
	}
}

func TestVersionAdd(t *testing.T) {
	one := Version{15: 1}
	ones := Version(bytes.Repeat([]byte{0xff}, 16))
	for _, tt := range []struct {
		name       string
		a, b, want Version
	}{
		{"nothing changes nothing", one, Version{}, one},
		{"a carry crosses the halves", Version{8: 0xff, 9: 0xff, 10: 0xff, 11: 0xff, 12: 0xff, 13: 0xff, 14: 0xff, 15: 0xff}, one, Version{7: 1}},
		{"the sum wraps at 2^128", ones, one, Version{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.a.Add(tt.b); got != tt.want {
				t.Errorf("%v.Add(%v) = %v, want %v", tt.a, tt.b, got, tt.want)
			}
		})
	}
}

// TestVersionAddAgainstBig compares Add with math/big, and shuffled sums with
// each other, on random versions.
func TestVersionAddAgainstBig(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	modulus := new(big.Int).Lsh(big.NewInt(1), 128)
	for range 2000 {
		versions := make([]Version, random.IntN(20))
		want := new(big.Int)
		for i := range versions {
			for j := range versions[i] {
				versions[i][j] = byte(random.Uint32() | -(random.Uint32() & 1)) // half of all bytes are 0xff: carries
			}
			want.Mod(want.Add(want, new(big.Int).SetBytes(versions[i][:])), modulus)
		}
		for range 3 {
			random.Shuffle(len(versions), func(i, j int) { versions[i], versions[j] = versions[j], versions[i] })
			var sum Version
			for _, v := range versions {
				sum = sum.Add(v)
			}
			if got := new(big.Int).SetBytes(sum[:]); got.Cmp(want) != 0 {
				t.Fatalf("sum of %v = %x, want %x", versions, got, want)
			}
		}
	}
}

// TestSetVersionsAgainstNames draws random subsets of some resources: two
// snapshots have one version exactly if they hold the same subset.
func TestSetVersionsAgainstNames(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	all := make([]Resource, 8)
	for i := range all {
		all[i] = resource(t, staticCluster("c"+strconv.Itoa(i)))
	}
	bySubset, byVersion := make(map[uint32]Version), make(map[Version]uint32)
	for range 1000 {
		subset := random.Uint32N(1 << len(all))
		var members []Resource
		for _, i := range random.Perm(len(all)) {
			if subset&(1<<i) != 0 {
				members = append(members, all[i])
			}
		}
		v := ContentVersion(members)
		if other, ok := byVersion[v]; ok && other != subset {
			t.Fatalf("subsets %b and %b have the version %v", subset, other, v)
		}
		if other, ok := bySubset[subset]; ok && other != v {
			t.Fatalf("subset %b has the versions %v and %v", subset, v, other)
		}
		bySubset[subset], byVersion[v] = v, subset
	}
}

// FuzzVersionInput: different resources give the hash different input.
func FuzzVersionInput(f *testing.F) {
	f.Add("ab", "c", int64(0), []byte("d"), "a", "bc", int64(0), []byte("d"))
	const zeros = "\x00\x00\x00\x00\x00\x00\x00\x00" // as long as a TTL
	f.Add("a", "n", int64(0), []byte(zeros+"c"), "a", "n"+zeros, int64(0), []byte("c"))
	f.Add("a", "b", int64(1), []byte("c"), "a", "b", int64(0), []byte("c"))
	f.Add("a", "b", int64(0), []byte("c"), "a", "b", int64(0), []byte("c"))
	f.Fuzz(func(t *testing.T, type1, name1 string, ttl1 int64, content1 []byte, type2, name2 string, ttl2 int64, content2 []byte) {
		equal := type1 == type2 && name1 == name2 && ttl1 == ttl2 && bytes.Equal(content1, content2)
		one := versionInput(type1, name1, time.Duration(ttl1), content1)
		two := versionInput(type2, name2, time.Duration(ttl2), content2)
		if got := bytes.Equal(one, two); got != equal {
			t.Errorf("inputs equal: %t; resources equal: %t", got, equal)
		}
	})
}

// anyNew is anypb.New, which orders map entries at random.
func anyNew(tb testing.TB) func(proto.Message) *anypb.Any {
	tb.Helper()
	return func(m proto.Message) *anypb.Any { return pack(tb, m) }
}
