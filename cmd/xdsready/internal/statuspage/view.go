package statuspage

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds"
)

// most is how many entries of a list the page shows; the JSON form has all. A
// browser that draws thousands of rows every 2 s is of no use.
const most = 200

// view is what the template sees.
type view struct {
	Page
	Style  template.CSS
	Script template.JS
}

// functions are those that the template calls.
var functions = template.FuncMap{
	"mark":     mark,
	"duration": duration,
	"short":    short,
	"stamp":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
}

// mark is a sign that tells states apart without their colours.
func mark(state any) string {
	switch state {
	case ready.Synced, ready.Ready, xds.Synced:
		return "✓"
	case ready.Failed, ready.Degraded, xds.Failed, Unreachable:
		return "✗"
	case ready.Skipped, ready.Late:
		return "–"
	}
	return "…"
}

// duration is a time in seconds for people.
func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Millisecond:
		return "<1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// short is the beginning of a version: enough to tell two apart.
func short(version string) string {
	return version[:min(len(version), 12)]
}

// Headline is the answer that people come for.
func (v view) Headline() string {
	if v.Status.Ready {
		return "ready"
	}
	return "not ready: " + string(v.Status.Phase)
}

// Title is what a browser tab shows.
func (v view) Title() string { return mark(v.Status.Phase) + " " + v.Headline() + " · xdsready" }

// Since is how long ago a time was.
func (v view) Since(t time.Time) string { return duration(v.Time.Sub(t).Seconds()) }

// Admission says what a proxy that connects now meets.
func (v view) Admission() string {
	if v.Status.Open {
		return "The gate is open: proxies are served."
	}
	return "The gate is shut: proxies are kept out."
}

// FewGroups returns the groups that the page shows: those with something absent
// first.
func (v view) FewGroups() []Group {
	return few(v.Groups, func(g Group) int { return -len(g.Notes()) })
}

// FewProxies returns the proxies that the page shows: those that reject
// something first, then those that lag.
func (v view) FewProxies() []Proxy {
	return few(v.Proxies, func(p Proxy) int {
		switch {
		case p.State == xds.Failed:
			return 0
		case p.State != xds.Synced || p.Lag > 0:
			return 1
		}
		return 2
	})
}

// few returns the list if it is short, and the first of it by rank otherwise.
func few[T any](list []T, rank func(T) int) []T {
	if len(list) <= most {
		return list
	}
	sorted := slices.SortedStableFunc(slices.Values(list), func(a, b T) int { return cmp.Compare(rank(a), rank(b)) })
	return sorted[:most]
}

// Counts lists how many resources there are of each kind.
func (g Group) Counts() string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(g.Resources)) {
		parts = append(parts, fmt.Sprintf("%d %s", g.Resources[kind], plural(kind, g.Resources[kind])))
	}
	return cmp.Or(strings.Join(parts, ", "), "none")
}

func plural(kind string, n int) string {
	if n == 1 {
		return kind
	}
	return kind + "s"
}

// Note is one thing that is absent from a group or peculiar about it.
type Note struct{ Kind, Text string }

// Notes lists all of them.
func (g Group) Notes() []Note {
	var notes []Note
	for _, list := range []struct {
		kind  string
		texts []string
	}{
		{"withheld", g.Withheld}, {"dangling", g.Dangling}, {"placeholder", g.Placeholders}, {"unknowable", g.Unknowable},
	} {
		for _, text := range list.texts {
			notes = append(notes, Note{list.kind, text})
		}
	}
	return notes
}
