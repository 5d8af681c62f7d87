// Package validate checks a config directory without serving it, for
// `xdsready validate`.
package validate

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/source/dir"
	"github.com/xdsready/xdsready/pkg/cache"
)

// Report is what there is to say about a directory. Its JSON form is the output
// of `xdsready validate --output json`; lists are empty, never null.
type Report struct {
	Path      string         `json:"path"`
	Valid     bool           `json:"valid"`     // no faults
	Files     int            `json:"files"`     // 0 with faults, like the next two
	Groups    []string       `json:"groups"`    // node groups, sorted
	Resources map[string]int `json:"resources"` // how many the files define, by kind
	Faults    []Finding      `json:"faults"`    // why it would not be served
	Warnings  []Finding      `json:"warnings"`  // what would be served and may not be meant
}

// Finding is one fault or warning.
type Finding struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"` // from 1; 0: it is about the whole file or directory
	// Groups are the node groups in which a warning holds; faults have none.
	Groups  []string `json:"groups,omitempty"`
	Message string   `json:"message"`
}

// Directory checks a directory the way `xdsready serve` does at its start. The
// error says that it cannot be read at all, or that it is none.
func Directory(path string, grouping dir.Grouping) (Report, error) {
	r := Report{Path: path, Groups: []string{}, Resources: map[string]int{}, Faults: []Finding{}, Warnings: []Finding{}}
	config, err := dir.Load(path, grouping)
	if faults, ok := errors.AsType[dir.Errors](err); ok {
		for _, f := range faults {
			r.Faults = append(r.Faults, Finding{File: f.File, Line: f.Line, Message: f.Text})
		}
		return r, nil
	}
	if err != nil {
		return r, err
	}
	r.Valid, r.Files = true, config.Files
	r.Groups = append(r.Groups, slices.Sorted(maps.Keys(config.Groups))...)
	for typeURL, n := range config.Defined {
		r.Resources[cache.Kind(typeURL)] = n
	}
	if len(r.Groups) == 0 {
		r.Warnings = append(r.Warnings, Finding{
			File: path, Message: "no subdirectory, so no node group: proxies of an unknown group are held, then refused",
		})
	}
	for _, group := range r.Groups {
		if err := r.addGroup(config, group); err != nil {
			return r, err
		}
	}
	slices.SortStableFunc(r.Warnings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Message, b.Message))
	})
	return r, nil
}

// addGroup adds the warnings of one node group.
func (r *Report) addGroup(config dir.Config, group string) error {
	snapshot, err := cache.Build(config.Groups[group], cache.Options{AfterInputs: true})
	if err != nil {
		return fmt.Errorf("node group %q: %w", group, err)
	}
	for _, w := range snapshot.Withheld() {
		r.warn(config, group, w.Resource.TypeURL(), w.Resource.Name(), w.String())
	}
	for _, ref := range snapshot.Dangling() {
		message := ref.String() + ", which is absent"
		if _, placed := snapshot.Resource(ref.Type, ref.Name); placed {
			message += ": an empty one is served"
		}
		r.warn(config, group, ref.FromType, ref.FromName, message)
	}
	return nil
}

// warn adds a warning at a resource, or another group to the same warning of
// groups before.
func (r *Report) warn(config dir.Config, group, typeURL, name, message string) {
	file, line := config.Place(group, typeURL, name)
	for i, w := range r.Warnings {
		if w.File == file && w.Line == line && w.Message == message {
			r.Warnings[i].Groups = append(r.Warnings[i].Groups, group)
			return
		}
	}
	r.Warnings = append(r.Warnings, Finding{File: file, Line: line, Groups: []string{group}, Message: message})
}
