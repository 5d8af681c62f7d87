package statuspage

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/xdsready/xdsready/pkg/ready"
)

// Text returns the page for a terminal: tiers, faults, groups and proxies as
// tables. States are coloured if color is set, and are words in any case.
// Control characters, which a proxy could put into its name, are not passed on.
func (p Page) Text(color bool) string {
	v := view{Page: p}
	w := &textWriter{color: color}
	w.line(w.paint(p.Status.Phase, v.Headline()) + ". " + v.Admission())
	w.line(v.origin())
	if p.Status.Message != "" {
		w.line(clean(p.Status.Message))
	}
	w.faults(v)
	w.tiers(p.Status.Tiers)
	w.groups(v)
	w.peers(v)
	w.proxies(v)
	return w.String()
}

// origin says what is shown. Not every program that has tiers tells all of it.
func (v view) origin() string {
	parts := []string{"up for " + duration(v.Status.Uptime)}
	if v.Source != "" {
		parts = append(parts, "source "+clean(v.Source))
	}
	if v.Build != "" {
		parts = append(parts, "build "+clean(v.Build))
	}
	return strings.Join(parts, ", ")
}

// textWriter collects the text.
type textWriter struct {
	strings.Builder
	color bool
}

func (w *textWriter) line(text string) { w.WriteString(strings.TrimRight(text, " ") + "\n") }

func (w *textWriter) faults(v view) {
	for _, f := range v.Faults {
		w.line("")
		w.line(w.paint(ready.Failed, "FAULT ") + clean(f.Source) + ", for " + v.Since(f.Since) + "; what it gave before, if anything, keeps serving")
		w.indented(f.Message)
	}
}

// indented writes the lines of a message.
func (w *textWriter) indented(message string) {
	for line := range strings.Lines(message) {
		w.line("  " + clean(line))
	}
}

func (w *textWriter) tiers(tiers []ready.TierStatus) {
	t := table{{"TIER", "CHECK", "STATE", "TIME", "MESSAGE"}}
	for _, tier := range tiers {
		t = append(t, []any{tier.Name, "", tier.State, took(tier.Seconds), tier.Message})
		for _, c := range tier.Checks {
			message := c.Message
			if message == tier.Message {
				message = "" // said once
			}
			t = append(t, []any{"", c.Name, c.State, took(c.Seconds), message})
		}
	}
	w.table(t)
}

// took is empty for what has not had its turn.
func took(seconds float64) string {
	if seconds == 0 {
		return ""
	}
	return duration(seconds)
}

func (w *textWriter) groups(v view) {
	if len(v.Groups) == 0 {
		return
	}
	t := table{{"GROUP", "VERSION", "STORED", "RESOURCES"}}
	for _, g := range v.Groups {
		t = append(t, []any{g.Name, short(g.Version), v.Since(g.Since) + " ago", g.Counts()})
	}
	w.table(t)
	for _, g := range v.Groups {
		for _, note := range g.Notes() {
			w.line("  " + clean(g.Name+": "+note.Kind+": "+note.Text))
		}
	}
}

func (w *textWriter) peers(v view) {
	if len(v.Peers) == 0 {
		return
	}
	t := table{{"PEER", "ADDRESS", "STATE", "CONNECTIONS", "BUILD", "MESSAGE"}}
	for _, p := range v.Peers {
		t = append(t, []any{p.Name, p.Address, p.State, strconv.Itoa(p.Connections), p.Build, p.Error})
	}
	w.table(t)
	for _, p := range v.Peers {
		if p.Difference() != "" {
			w.line("  " + clean(p.Difference()))
		}
	}
}

// proxies writes a row for each type of each proxy; the proxy is named once.
func (w *textWriter) proxies(v view) {
	if len(v.Proxies) == 0 {
		return
	}
	t := table{{"PROXY", "GROUP", "TYPE", "STATE", "VERSION", "LAG", "LAST NACK"}}
	for _, p := range v.Proxies {
		name, group, lag := p.Name(), cmp.Or(p.Group, "-"), p.Behind()
		if len(p.Types) == 0 {
			t = append(t, []any{name, group, "", p.State, "", lag, ""})
		}
		for _, typ := range p.Types {
			rejection := strings.Join(strings.Fields(typ.Rejection()), " ") // it may have several lines
			t = append(t, []any{name, group, typ.Type, typ.State, short(typ.Version), lag, rejection})
			name, group, lag = "", "", ""
		}
	}
	w.table(t)
	for _, p := range v.Proxies {
		if p.Waits != "" {
			w.line("  " + clean(p.Name()+" waits for "+p.Waits))
		}
	}
}

// table has its head in the first row. A cell that is no string is a state.
type table [][]any

// table writes a table with aligned columns, behind an empty line.
func (w *textWriter) table(t table) {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(clean(fmt.Sprint(cell))))
		}
	}
	w.line("")
	for _, row := range t {
		var b strings.Builder
		for i, cell := range row {
			text := clean(fmt.Sprint(cell))
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)+2)
			if _, plain := cell.(string); !plain {
				text = w.paint(cell, text)
			}
			b.WriteString(text + padding)
		}
		w.line(b.String())
	}
}

// paint colours text by the state it belongs to.
func (w *textWriter) paint(state any, text string) string {
	if !w.color {
		return text
	}
	code := "33" // yellow: under way
	switch mark(state) {
	case "✓":
		code = "32"
	case "✗":
		code = "31"
	case "–":
		code = "2" // faint
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// clean replaces control characters: line ends would break a table, and others
// would steer the terminal.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '\uFFFD'
		}
		return r
	}, strings.TrimRight(text, "\n"))
}
