package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"time"
)

// Version identifies content: of one resource, or of a set of them. It depends
// on nothing else, neither on a clock nor on a counter, so every replica of one
// build gives equal content an equal version, and so does a restarted one.
// Another build may encode the same message differently; that costs a resend.
//
// The zero Version is the version of nothing.
//
// The version of a set is the sum of its members' versions modulo 2^128. A sum
// depends on no order, and one more member is one [Version.Add], whatever the
// size of the set. What is given up for that is resistance against somebody who
// constructs colliding sets; the sets here are an operator's own configuration,
// and by accident two of them collide with probability 2^-128.
type Version [16]byte

// versionOf returns the version of one resource: SHA-256 over its type URL, its
// name, its TTL and its encoded content, cut to 128 bits.
func versionOf(typeURL, name string, ttl time.Duration, content []byte) Version {
	sum := sha256.Sum256(versionInput(typeURL, name, ttl, content))
	return Version(sum[:16])
}

// versionInput gives no two resources the same input. The two strings are
// preceded by their lengths: without them "ab"+"c" would equal "a"+"bc". The
// TTL has a fixed length, and the content comes last, so neither needs one. The
// name is included although the content holds it, because a sum over resources
// is to cover (name, content) pairs whatever the type's message looks like.
func versionInput(typeURL, name string, ttl time.Duration, content []byte) []byte {
	input := make([]byte, 0, 24+len(typeURL)+len(name)+len(content))
	input = binary.BigEndian.AppendUint64(input, uint64(len(typeURL)))
	input = append(input, typeURL...)
	input = binary.BigEndian.AppendUint64(input, uint64(len(name)))
	input = append(input, name...)
	input = binary.BigEndian.AppendUint64(input, uint64(ttl))
	return append(input, content...)
}

// ContentVersion returns the version of a set of resources, in any order and of
// any types. It is what a control plane with an xDS server of its own can use
// as version_info instead of a counter or a random string: a rebuild that
// changes nothing keeps the version, so nothing is sent again.
//
// The resources must be distinct: one that is given twice counts twice.
func ContentVersion(resources []Resource) Version {
	var sum Version
	for _, r := range resources {
		sum = sum.Add(r.version)
	}
	return sum
}

// Add returns the version of the set v with o added to it.
func (v Version) Add(o Version) Version {
	low, carry := bits.Add64(binary.BigEndian.Uint64(v[8:]), binary.BigEndian.Uint64(o[8:]), 0)
	high, _ := bits.Add64(binary.BigEndian.Uint64(v[:8]), binary.BigEndian.Uint64(o[:8]), carry)
	var sum Version
	binary.BigEndian.PutUint64(sum[:8], high)
	binary.BigEndian.PutUint64(sum[8:], low)
	return sum
}

// sub returns the version of the set v with o taken from it.
func (v Version) sub(o Version) Version {
	low, borrow := bits.Sub64(binary.BigEndian.Uint64(v[8:]), binary.BigEndian.Uint64(o[8:]), 0)
	high, _ := bits.Sub64(binary.BigEndian.Uint64(v[:8]), binary.BigEndian.Uint64(o[:8]), borrow)
	var rest Version
	binary.BigEndian.PutUint64(rest[:8], high)
	binary.BigEndian.PutUint64(rest[8:], low)
	return rest
}

// String returns 32 hexadecimal digits, the form used as version_info and as
// the version of a delta resource.
func (v Version) String() string { return hex.EncodeToString(v[:]) }

// ParseVersion reads what [Version.String] writes, and reports whether it could.
func ParseVersion(s string) (v Version, ok bool) {
	if len(s) != hex.EncodedLen(len(v)) {
		return v, false
	}
	_, err := hex.Decode(v[:], []byte(s))
	return v, err == nil
}
