package dir

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/xdsready/xdsready/pkg/cache"
)

// Grouping says how the directory is divided into node groups. Its values are
// those of the flag --node-group.
type Grouping string

const (
	// All puts every proxy into the one group "all"; the zero value means the
	// same. Subdirectories are not read.
	All Grouping = "all"
	// ByCluster takes a proxy's node.cluster as its group's directory.
	ByCluster Grouping = "cluster"
	// ByID takes a proxy's node.id as its group's directory.
	ByID Grouping = "id"
)

// ParseGrouping returns the grouping of that name.
func ParseGrouping(name string) (Grouping, error) {
	switch g := Grouping(name); g {
	case All, ByCluster, ByID:
		return g, nil
	default:
		return "", fmt.Errorf("unknown grouping %q: use all, cluster or id", name)
	}
}

// Config is all that a faultless directory holds. It is read only.
type Config struct {
	// Groups has the resources of each node group, sorted by type and name. A
	// directory without groups has an empty map.
	Groups map[string][]cache.Resource
	// Files counts the files.
	Files int
	// Defined counts the resources that the files define by type URL; one that
	// several groups share counts once.
	Defined map[string]int

	places map[string]layer // by node group
}

// Place returns the file and the line, counted from 1, of a resource of a node
// group: "" and 0 if there is none. A [Source] sends no new Config for a change
// that only moves lines, so ask a Config of [Load].
func (c Config) Place(group, typeURL, name string) (file string, line int) {
	r := c.places[group][id{typeURL, name}]
	return r.file, r.line
}

// Load reads the directory once. The error is an [Error] if the directory
// cannot be read, and [Errors] if there are faults in it.
func Load(path string, grouping Grouping) (Config, error) {
	grouping = cmp.Or(grouping, All)
	entries, err := scan(path, grouping)
	if err != nil {
		return Config{}, err
	}
	config, errs := merge((&memo{}).parse(entries), grouping)
	if errs != nil {
		return Config{}, errs
	}
	return config, nil
}

// memo parses entries, each only if it is not as it was the time before.
type memo struct{ last map[string]parsed }

// parsed is an entry and what it holds.
type parsed struct {
	entry
	resources []located
	errs      Errors
}

func (m *memo) parse(entries []entry) []parsed {
	files, next := make([]parsed, len(entries)), make(map[string]parsed, len(entries))
	for i, e := range entries {
		p, ok := m.last[e.path]
		if !ok || !p.equal(e) {
			p = parse(e)
		}
		files[i], next[e.path] = p, p
	}
	m.last = next
	return files
}

func parse(e entry) parsed {
	p := parsed{entry: e}
	switch {
	case e.err != "":
		p.errs = Errors{{File: e.path, Text: e.err}}
	case !e.isDir:
		p.resources, p.errs = parseFile(e.path, e.data)
	}
	return p
}

// id is what must be unique in a layer.
type id struct{ typeURL, name string }

// layer is the resources of one directory.
type layer map[id]located

// merge puts the directory's entries together. Those of one layer are in the
// order of names, so of two duplicates the same one is always called the second.
func merge(files []parsed, grouping Grouping) (Config, Errors) {
	config := Config{Groups: map[string][]cache.Resource{}, Defined: map[string]int{}, places: map[string]layer{}}
	layers := map[string]layer{"": {}}
	var errs Errors
	for _, f := range files {
		if layers[f.group] == nil {
			layers[f.group] = layer{}
		}
		if !f.isDir {
			config.Files++
		}
		for _, r := range f.resources {
			config.Defined[r.TypeURL()]++
		}
		errs = append(errs, f.errs...)
		errs = append(errs, layers[f.group].add(f.resources)...)
	}
	if errs != nil {
		return Config{}, errs.sort()
	}
	base := layers[""]
	delete(layers, "")
	if grouping == All {
		layers[string(All)] = nil
	}
	for group, own := range layers {
		merged := maps.Clone(base)
		maps.Copy(merged, own)
		config.places[group] = merged
		config.Groups[group] = merged.sorted()
	}
	return config, nil
}

// add enters the resources of one file and returns those there already.
func (l layer) add(resources []located) Errors {
	var errs Errors
	for _, r := range resources {
		key := id{r.TypeURL(), r.Name()}
		if first, ok := l[key]; ok {
			errs = append(errs, Error{r.file, r.line, fmt.Sprintf(
				"%v is defined at %s:%d too; rename or remove one", r.Resource, first.file, first.line)})
			continue
		}
		l[key] = r
	}
	return errs
}

// sorted returns the resources by type and name.
func (l layer) sorted() []cache.Resource {
	resources := make([]cache.Resource, 0, len(l))
	for _, r := range l {
		resources = append(resources, r.Resource)
	}
	slices.SortFunc(resources, func(a, b cache.Resource) int {
		return cmp.Or(cmp.Compare(a.TypeURL(), b.TypeURL()), cmp.Compare(a.Name(), b.Name()))
	})
	return resources
}
