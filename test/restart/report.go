package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// report is what was measured, as tables.
type report struct{ sections []section }

// section is one table.
type section struct {
	title string
	rows  []row
}

// row is one figure. One without a target informs.
type row struct {
	what, value, target string
	missed              bool
}

// begin begins a table.
func (r *report) begin(title string) { r.sections = append(r.sections, section{title: title}) }

// inform adds a figure that has no target.
func (r *report) inform(what, format string, values ...any) {
	r.add(row{what: what, value: fmt.Sprintf(format, values...)})
}

// atMost adds a figure that must not exceed its target.
func (r *report) atMost(what string, value, target float64, unit string) {
	r.add(row{
		what: what, value: fmt.Sprintf("%.4g%s", value, unit), target: fmt.Sprintf("≤ %.4g%s", target, unit),
		missed: value > target,
	})
}

// atMostTime is atMost for times.
func (r *report) atMostTime(what string, value, target time.Duration) {
	r.atMost(what, milliseconds(value), milliseconds(target), " ms")
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

func (r *report) add(line row) {
	last := &r.sections[len(r.sections)-1]
	last.rows = append(last.rows, line)
}

// missed names the figures that missed their targets.
func (r *report) missed() (names []string) {
	for _, s := range r.sections {
		for _, line := range s.rows {
			if line.missed {
				names = append(names, fmt.Sprintf("%s: %s: %s, not %s", s.title, line.what, line.value, line.target))
			}
		}
	}
	return names
}

// write writes all tables.
func (r *report) write(w io.Writer) error {
	for _, s := range r.sections {
		fmt.Fprintf(w, "\n%s\n", s.title)
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, line := range s.rows {
			result := ""
			switch {
			case line.missed:
				result = "MISS"
			case line.target != "":
				result = "pass"
			}
			fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", line.what, line.value, line.target, result)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	return nil
}
