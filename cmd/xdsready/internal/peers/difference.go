package peers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/peers/peersv1"
	"github.com/xdsready/xdsready/pkg/cache"
)

const (
	// maxLooked is how many groups of a peer are looked into in a round; of more
	// it is only told that they differ.
	maxLooked = 16
	// persistent is in how many rounds one after the other a difference must be
	// the same before it is told. A change that is under way looks like a
	// difference too, but never twice like the same one for long.
	persistent = 3
	// maxTold is how many groups a text names.
	maxTold = 20
)

// place is where two replicas differ: in a resource, or in a group as a whole,
// without type and name.
type place struct{ group, typeURL, name string }

// sighting is one difference, and in how many rounds it has been the same.
type sighting struct {
	versions
	rounds int
}

// compare looks for the differences to a peer's content, of which root is the
// answer about everything.
func (p *Peers) compare(ctx context.Context, one *peer, root *peersv1.Content) map[place]versions {
	found := map[place]versions{}
	if slices.Equal(p.everything.GetVersion(), root.GetVersion()) {
		return found
	}
	for i, group := range differing(p.everything, root) {
		whole := place{group: group.name}
		if group.ours == "" || group.theirs == "" || i >= maxLooked {
			found[whole] = group.versions
			continue
		}
		if err := p.compareGroup(ctx, one, group.name, found); err != nil {
			found[whole] = group.versions // more is not known
		}
	}
	return found
}

// compareGroup adds the resources of a group that differ.
func (p *Peers) compareGroup(ctx context.Context, one *peer, group string, found map[place]versions) error {
	types, err := p.look(ctx, one, group)
	if err != nil {
		return err
	}
	for _, t := range types {
		resources, err := p.look(ctx, one, group, t.name)
		if err != nil {
			return err
		}
		for _, r := range resources {
			found[place{group, t.name, r.name}] = r.versions
		}
	}
	return nil
}

// look returns what differs at a path, one step down.
func (p *Peers) look(ctx context.Context, one *peer, path ...string) ([]part, error) {
	ours := describe(p.options.Content, path, nil)
	answer, err := one.ask(ctx, p.options.Name, path, ours.GetVersion())
	if err != nil {
		return nil, err
	}
	if slices.Equal(ours.GetVersion(), answer.GetContent().GetVersion()) {
		return nil, nil // it has moved meanwhile
	}
	return differing(ours, answer.GetContent()), nil
}

// see counts how often each difference has been the same.
func (one *peer) see(found map[place]versions) {
	seen := make(map[place]sighting, len(found))
	for where, v := range found {
		s := sighting{v, 1}
		if before, ok := one.seen[where]; ok && before.versions == v {
			s.rounds = before.rounds + 1
		}
		seen[where] = s
	}
	one.seen = seen
}

// differences says how the peer differs, a text for each group: "3 clusters of
// group edge".
func (one *peer) differences() []string {
	groups := map[string]map[string]int{} // group → kind of resource → how many
	texts := map[string]string{}
	for where, s := range one.seen {
		switch {
		case s.rounds < persistent:
		case where.typeURL != "":
			if groups[where.group] == nil {
				groups[where.group] = map[string]int{}
			}
			groups[where.group][cache.Kind(where.typeURL)]++
		default:
			texts[where.group] = wholly(where.group, s)
		}
	}
	for group, kinds := range groups {
		texts[group] = fmt.Sprintf("%s of group %s", counted(kinds), group)
	}
	var list []string
	for _, group := range slices.Sorted(maps.Keys(texts)) {
		list = append(list, texts[group])
	}
	if more := len(list) - maxTold; more > 0 {
		list = append(list[:maxTold], fmt.Sprintf("%d more groups", more))
	}
	return list
}

// wholly is the text for a group that one replica does not have, or of which no
// more is known.
func wholly(group string, s sighting) string {
	switch {
	case s.ours == "":
		return fmt.Sprintf("group %s, which only the peer has", group)
	case s.theirs == "":
		return fmt.Sprintf("group %s, which the peer does not have", group)
	}
	return "group " + group
}

// counted lists numbers of resources: "3 clusters, 1 listener".
func counted(kinds map[string]int) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		n, plural := kinds[kind], "s"
		if n == 1 {
			plural = ""
		}
		parts = append(parts, fmt.Sprintf("%d %s%s", n, kind, plural))
	}
	return strings.Join(parts, ", ")
}

// report logs when a difference begins, and when it ends for some reason.
func (p *Peers) report(one *peer, ended string) {
	differences := strings.Join(one.differences(), "; ")
	switch {
	case differences != "" && one.told == "":
		p.options.Logger.Warn("differs from peer "+one.name()+" in "+differences,
			"address", one.address, "build", one.answer.GetBuild(), "own build", p.options.Build)
	case differences == "" && one.told != "":
		p.options.Logger.Info("differs no more from peer "+one.name(), "address", one.address, "because", ended)
	}
	one.told = differences
}
