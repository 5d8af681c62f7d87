package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// writeText writes the report as a table, and below it what was found in our
// world, and the first things that were found in the others.
func (r report) writeText(w io.Writer) error {
	events := 0
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(r.Events)) {
		events += r.Events[kind]
		kinds = append(kinds, fmt.Sprintf("%s %d", kind, r.Events[kind]))
	}
	var text strings.Builder
	fmt.Fprintf(&text, "seed %d: %v, %d replicas, %d events, %d changes of the configuration, longest stall of this machine %.1f s\nevents: %s\n\n",
		r.Seed, time.Duration(r.Seconds*float64(time.Second)), r.Replicas, events, r.Changes, r.StallSeconds, strings.Join(kinds, ", "))
	for _, row := range r.rows() {
		fmt.Fprintf(&text, "%-48s", row.name)
		for _, a := range r.Worlds {
			fmt.Fprintf(&text, "%15s", row.value(a))
		}
		text.WriteByte('\n')
	}
	for _, a := range r.Worlds {
		a.writeFindings(&text)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// row is one of the table.
type row struct {
	name  string
	value func(account) string
}

func (r report) rows() []row {
	count := func(name string, value func(account) int) row {
		return row{name, func(a account) string { return strconv.Itoa(value(a)) }}
	}
	rows := []row{
		{"", func(a account) string { return a.Name }},
		count("Envoys", func(a account) int { return a.Envoys }),
		count("requests", func(a account) int { return a.Requests }),
		count("failed", func(a account) int { return a.Failed }),
	}
	for _, cause := range r.causes() {
		rows = append(rows, count("  "+cause, func(a account) int { return a.Causes[cause] }))
	}
	return append(rows,
		count("clusters or endpoints vanished", func(a account) int { return a.Vanished }),
		count("SotW, version unknown to the replica: failed", func(a account) int { return a.ExplainedFailed }),
		count("SotW, version unknown to the replica: vanished", func(a account) int { return a.ExplainedVanished }),
		count("failed at a backend that was stopped", func(a account) int { return a.Excused }),
		count("proxies left behind", func(a account) int { return len(a.Behind) }),
		row{"all up to date after the last event", func(a account) string { return fmt.Sprintf("%.1f s", a.SettledSeconds) }},
		row{"longest time without an update", func(a account) string { return fmt.Sprintf("%.1f s", a.LongestSeconds) }},
		row{"pushed", func(a account) string { return fmt.Sprintf("%.1f MB", float64(a.PushedBytes)/1e6) }},
		count("other faults", func(a account) int { return len(a.Faults) }),
	)
}

// causes are those of all worlds.
func (r report) causes() []string {
	all := map[string]int{}
	for _, a := range r.Worlds {
		maps.Copy(all, a.Causes)
	}
	return slices.Sorted(maps.Keys(all))
}

// writeFindings writes what was found one by one; of a baseline, the beginning.
func (a account) writeFindings(text *strings.Builder) {
	lines := slices.Concat(a.Faults, a.Findings)
	for _, name := range a.Behind {
		lines = append(lines, name+" was left behind")
	}
	shown := len(lines)
	if !a.ours {
		shown = min(5, shown)
	}
	if len(lines) > 0 {
		fmt.Fprintf(text, "\n%s, %d of %d findings:\n", a.Name, shown, len(lines))
	}
	for _, line := range lines[:shown] {
		fmt.Fprintln(text, " ", line)
	}
}
