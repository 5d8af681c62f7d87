package publish

import (
	"maps"
	"slices"
	"strings"

	"github.com/xdsready/xdsready/pkg/cache"
)

// view is what a proxy holds of one type, once it has read all that was sent:
// what a snapshot has of the names it asks for, except for a few. So it costs
// nothing that all proxies hold the same, and a change costs what changed.
type view struct {
	base   *cache.Snapshot
	except map[string]entry
}

// entry is what a proxy holds under one name.
type entry struct {
	resource cache.Resource // zero: nothing, or something unknown
	unknown  bool           // it may hold something else, of which nothing is known
	made     bool           // so does no snapshot: the resource was made for this proxy
}

func (e entry) known() bool { return e.resource.TypeURL() != "" }

// absent reports whether the proxy holds nothing under the name.
func (e entry) absent() bool { return !e.unknown && !e.known() }

// is reports whether the entry is what the snapshot has.
func (e entry) is(r cache.Resource, ok bool) bool {
	if !ok {
		return e.absent()
	}
	return e.known() && !e.unknown && e.resource.Equal(r)
}

// entry returns what is held under a name that the proxy asks for.
func (v *view) entry(typeURL, name string) entry {
	if e, ok := v.except[name]; ok {
		return e
	}
	r, _ := v.base.Resource(typeURL, name)
	return entry{resource: r}
}

// set says what is held under a name.
func (v *view) set(typeURL, name string, e entry) {
	if r, ok := v.base.Resource(typeURL, name); e.is(r, ok) {
		delete(v.except, name)
		return
	}
	if v.except == nil {
		v.except = map[string]entry{}
	}
	v.except[name] = e
}

// rebase says the same by another snapshot: the names in which they differ
// become exceptions. asks reports whether the proxy asks for a name.
func (v *view) rebase(typeURL string, onto *cache.Snapshot, asks func(string) bool) {
	if v.base == onto {
		return
	}
	held := v.except
	if held == nil {
		held = map[string]entry{}
	}
	for _, changes := range onto.Since(v.base) {
		if changes.TypeURL != typeURL {
			continue
		}
		for _, names := range [][]string{changes.Added, changes.Changed, changes.Removed} {
			for _, name := range names {
				if _, ok := held[name]; !ok && asks(name) {
					held[name] = v.entry(typeURL, name)
				}
			}
		}
	}
	v.base, v.except = onto, nil
	for name, e := range held {
		v.set(typeURL, name, e)
	}
}

// names returns the exceptions in order, so that a machine given the same
// events does the same.
func (v *view) names() []string { return slices.Sorted(maps.Keys(v.except)) }

// versionOf returns the version of a proxy that holds a set of resources, except
// for a few: SET+R-R, where +R is the version of a resource that it holds, of a
// name in the set or not, and -R that of one in the set that it does not hold. So
// whoever knows the resources knows from the version what the proxy holds.
func (v *view) versionOf(typeURL string, set cache.Version) string {
	var text strings.Builder
	text.WriteString(set.String())
	for _, name := range v.names() {
		if e := v.except[name]; e.known() && !e.made {
			text.WriteString("+" + e.resource.Version().String())
		}
		if r, ok := v.base.Resource(typeURL, name); ok {
			text.WriteString("-" + r.Version().String())
		}
	}
	return text.String()
}

// parseVersion takes apart what versionOf made.
func parseVersion(text string) (set cache.Version, held, lacked []cache.Version, ok bool) {
	for part := range strings.SplitSeq(strings.NewReplacer("+", " +", "-", " -").Replace(text), " ") {
		version, valid := cache.ParseVersion(strings.TrimLeft(part, "+-"))
		switch {
		case !valid:
			return set, nil, nil, false
		case part[0] == '+':
			held = append(held, version)
		case part[0] == '-':
			lacked = append(lacked, version)
		default:
			set = version
		}
	}
	return set, held, lacked, true
}
