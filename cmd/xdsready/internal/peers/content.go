package peers

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/peers/peersv1"
	"github.com/xdsready/xdsready/pkg/cache"
)

// Content is what a replica serves. Its methods are safe for concurrent use.
type Content interface {
	// Groups returns the node groups that there are now.
	Groups() []string
	// Snapshot returns the latest of a group; false if there is no such group.
	Snapshot(group string) (*cache.Snapshot, bool)
}

// describe returns what is at a path (nothing, a group, or a group and a type)
// with what it consists of, unless the version is known.
func describe(content Content, path []string, known []byte) *peersv1.Content {
	switch len(path) {
	case 0:
		return describeAll(content, known)
	case 1, 2:
		here := &peersv1.Content{Name: path[len(path)-1]}
		snapshot, ok := content.Snapshot(path[0])
		if !ok {
			return here
		}
		version := snapshot.ContentVersion()
		if len(path) == 2 {
			version = snapshot.Version(path[1])
		}
		here.Version = version[:]
		if !bytes.Equal(here.GetVersion(), known) {
			here.Parts = partsOf(snapshot, path[1:])
		}
		return here
	}
	return nil
}

// describeAll returns the groups, under the version that they have together.
func describeAll(content Content, known []byte) *peersv1.Content {
	all := &peersv1.Content{}
	var sum cache.Version
	for _, group := range content.Groups() {
		if snapshot, ok := content.Snapshot(group); ok { // else it has gone since Groups
			version := snapshot.ContentVersion()
			all.Parts = append(all.Parts, &peersv1.Content{Name: group, Version: version[:]})
			sum = sum.Add(named(group, version))
		}
	}
	all.Version = sum[:]
	if bytes.Equal(all.GetVersion(), known) {
		all.Parts = nil
	}
	return all
}

// named is the version of content under a name. The sum of the groups' own
// versions would be the same if two groups changed places.
func named(name string, version cache.Version) cache.Version {
	input := binary.BigEndian.AppendUint64(nil, uint64(len(name)))
	input = append(append(input, name...), version[:]...)
	sum := sha256.Sum256(input)
	return cache.Version(sum[:len(version)])
}

// partsOf returns the types of a snapshot, or the resources of one of them.
func partsOf(snapshot *cache.Snapshot, typeURL []string) []*peersv1.Content {
	var parts []*peersv1.Content
	if len(typeURL) == 0 {
		for _, t := range snapshot.Types() {
			version := snapshot.Version(t)
			parts = append(parts, &peersv1.Content{Name: t, Version: version[:]})
		}
		return parts
	}
	for _, resource := range snapshot.Resources(typeURL[0]) {
		version := resource.Version()
		parts = append(parts, &peersv1.Content{Name: resource.Name(), Version: version[:]})
	}
	return parts
}

// versions are those that two replicas have of one thing, ours and the peer's;
// "" is for the one that does not have it.
type versions struct{ ours, theirs string }

// part is something that differs.
type part struct {
	name string
	versions
}

// differing returns the parts of which the versions differ, by name. What the
// peer sent is taken as it is: a name that it repeats counts once.
func differing(ours, theirs *peersv1.Content) []part {
	found := map[string]versions{}
	for _, p := range ours.GetParts() {
		found[p.GetName()] = versions{ours: string(p.GetVersion())}
	}
	for _, p := range theirs.GetParts() {
		found[p.GetName()] = versions{found[p.GetName()].ours, string(p.GetVersion())}
	}
	var parts []part
	for name, v := range found {
		if v.ours != v.theirs {
			parts = append(parts, part{name, v})
		}
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.name, b.name) })
	return parts
}
