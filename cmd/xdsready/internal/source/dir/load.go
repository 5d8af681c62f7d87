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
		return "", fmt.Errorf("node group %q: want all, cluster or id", name)
	}
}

// Config is all that a faultless directory holds. It is read only.
type Config struct {
	// Groups has the resources of each node group, sorted by type and name. A
	// directory without groups has an empty map.
	Groups map[string][]cache.Resource
	// Files counts the files.
	Files int
	// Resources counts what the files define; one that several groups share
	// counts once.
	Resources int
}

// Load reads the directory once. The error is an [Error] if the directory
// cannot be read, and [Errors] if there are faults in it.
func Load(path string, grouping Grouping) (Config, error) {
	grouping = cmp.Or(grouping, All)
	entries, err := scan(path, grouping)
	if err != nil {
		return Config{}, err
	}
	files := make([]parsed, len(entries))
	for i, e := range entries {
		files[i] = parse(e)
	}
	config, errs := merge(files, grouping)
	if errs != nil {
		return Config{}, errs
	}
	return config, nil
}

// parsed is what an entry holds.
type parsed struct {
	path      string
	group     string
	isDir     bool
	resources []located
	errs      Errors
}

// parse reads an entry's content.
func parse(e entry) parsed {
	p := parsed{path: e.path, group: e.group, isDir: e.isDir}
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

// merge puts the directory's entries together.
func merge(files []parsed, grouping Grouping) (Config, Errors) {
	// In the order of names, whatever order they come in, so that of two
	// duplicates the same one is always called the second.
	slices.SortFunc(files, func(a, b parsed) int { return cmp.Compare(a.path, b.path) })
	config := Config{Groups: map[string][]cache.Resource{}}
	layers := map[string]layer{"": {}}
	var errs Errors
	for _, f := range files {
		errs = append(errs, f.errs...)
		if layers[f.group] == nil {
			layers[f.group] = layer{}
		}
		if !f.isDir {
			config.Files++
		}
		config.Resources += len(f.resources)
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
		config.Groups[group] = base.overlay(own)
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

// overlay returns the resources of l and of own, which come before those of l.
func (l layer) overlay(own layer) []cache.Resource {
	merged := maps.Clone(l)
	maps.Copy(merged, own)
	resources := make([]cache.Resource, 0, len(merged))
	for _, r := range merged {
		resources = append(resources, r.Resource)
	}
	slices.SortFunc(resources, func(a, b cache.Resource) int {
		return cmp.Or(cmp.Compare(a.TypeURL(), b.TypeURL()), cmp.Compare(a.Name(), b.Name()))
	})
	return resources
}
