package gatewayapi

import (
	"cmp"
)

// pathRank orders the types of path match. The Gateway API leaves the place of
// regular expressions open; here they come before prefixes, or a prefix match
// for / would hide them all.
type pathRank int

const (
	prefixPath pathRank = iota
	regexPath
	exactPath
)

// rank is what a match itself says about its precedence.
type rank struct {
	path            pathRank
	length          int // of the prefix or the regular expression
	method          bool
	headers, params int
}

// compare is negative if a goes before b.
func (a rank) compare(b rank) int {
	return cmp.Or(
		cmp.Compare(b.path, a.path),
		cmp.Compare(b.length, a.length),
		compareBools(b.method, a.method),
		cmp.Compare(b.headers, a.headers),
		cmp.Compare(b.params, a.params),
	)
}

// everything reports whether the match takes every request: it is one of the
// prefix / and no more.
func (a rank) everything() bool { return a == rank{} }

// compareHosts is negative if a route that names a goes before one that names b
// when both match a request: a precise hostname before a wildcard, the longer
// one first, no hostname last.
func compareHosts(a, b string) int {
	return cmp.Or(compareBools(precise(b), precise(a)), cmp.Compare(len(b), len(a)))
}

// compareRoutes is negative if the rules of a go before those of b at equal rank.
func compareRoutes(a, b *Route) int {
	return cmp.Or(
		a.Object.CreationTimestamp.Compare(b.Object.CreationTimestamp.Time),
		compareKeys(a.Key(), b.Key()),
	)
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}
