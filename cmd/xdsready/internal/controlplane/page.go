package controlplane

import (
	"fmt"
	"sync"
	"time"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/statuspage"
	"github.com/xdsready/xdsready/pkg/cache"
)

// page is what the status page shows now. Its parts are read one after the
// other: a change between two of them shows on the next page.
func (p *Plane) page() statuspage.Page {
	page := statuspage.Page{
		Time: time.Now(), Build: p.options.Version, Source: p.options.Source, Status: p.registry.Status(),
	}
	for _, f := range p.faults.all() {
		page.Faults = append(page.Faults, statuspage.Fault{Source: f.source, Message: f.message, Since: f.since})
	}
	for _, name := range p.store.Groups() {
		if snapshot, ok := p.store.Get(name); ok { // else it has expired since Groups
			page.Groups = append(page.Groups, groupView(name, snapshot, p.contents.since(name)))
		}
	}
	for _, proxy := range p.server.Proxies() {
		page.Proxies = append(page.Proxies, statuspage.ProxyOf(proxy))
	}
	page.Peers = p.peerViews()
	return page
}

func groupView(name string, snapshot *cache.Snapshot, since time.Time) statuspage.Group {
	resources := map[string]int{}
	for _, typeURL := range snapshot.Types() {
		resources[cache.Kind(typeURL)] = len(snapshot.Resources(typeURL))
	}
	return statuspage.Group{
		Name: name, Version: snapshot.ContentVersion().String(), Since: since, Resources: resources,
		Dangling: texts(snapshot.Dangling()), Placeholders: texts(snapshot.Placeholders()),
		Withheld: texts(snapshot.Withheld()), Unknowable: texts(snapshot.Unknowable()),
	}
}

// texts says each of a list in its own words, which name resources and never
// show their content.
func texts[T fmt.Stringer](list []T) []string {
	var all []string
	for _, x := range list {
		all = append(all, x.String())
	}
	return all
}

// contents knows since when each node group has had its content, and which groups
// there are in the configuration.
type contents struct {
	mu     sync.Mutex // guards groups
	groups map[string]content
}

type content struct {
	version cache.Version
	since   time.Time
	removed bool // from the configuration: the group keeps its last content for a while
}

// stored notes the content of a group's snapshot that was stored at now.
func (c *contents) stored(group string, version cache.Version, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.groups == nil {
		c.groups = map[string]content{}
	}
	last, ok := c.groups[group]
	if !ok || last.version != version {
		last = content{version: version, since: now}
	}
	last.removed = false
	c.groups[group] = last
}

// removed notes that a group has disappeared from the configuration.
func (c *contents) removed(group string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, ok := c.groups[group]; ok {
		last.removed = true
		c.groups[group] = last
	}
}

// present returns the groups that are in the configuration.
func (c *contents) present() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for name, content := range c.groups {
		if !content.removed {
			names = append(names, name)
		}
	}
	return names
}

// has reports whether a group is in the configuration.
func (c *contents) has(group string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	content, ok := c.groups[group]
	return ok && !content.removed
}

// dropped forgets a group.
func (c *contents) dropped(group string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.groups, group)
}

// since is zero for an unknown group.
func (c *contents) since(group string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.groups[group].since
}
