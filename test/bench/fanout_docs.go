package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// performancePage is the page that has measured tables; each stands between two
// comments that name the benchmark:
//
//	<!-- measured: fanout -->
//	<!-- end of fanout -->
const performancePage = "performance.md"

// writeDocs puts the measured rows into the performance page of a directory, and
// the plots beside it. A benchmark that was not measured keeps its table.
func (r report) writeDocs(directory string) error {
	page := filepath.Join(directory, performancePage)
	content, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	text := string(content)
	for _, name := range r.benchmarks() {
		begin, end := fmt.Sprintf("<!-- measured: %s -->\n", name), fmt.Sprintf("<!-- end of %s -->", name)
		before, rest, found := strings.Cut(text, begin)
		_, after, ended := strings.Cut(rest, end)
		if found && ended {
			text = before + begin + r.markdown(name) + end + after
		}
	}
	for _, a := range axes {
		plot, complete := r.plot(a)
		if !complete {
			continue
		}
		if err := os.WriteFile(filepath.Join(directory, "performance-"+a.name+".svg"), []byte(plot.svg()), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(page, []byte(text), 0o644)
}

// benchmarks are the names before the slash in those of the rows.
func (r report) benchmarks() (names []string) {
	for _, row := range r.Rows {
		name, _, _ := strings.Cut(row.Name, "/")
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return names
}

// markdown is the table of a benchmark, with the machine above it.
func (r report) markdown(benchmark string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nMeasured on %s.\n\n", r.machine())
	b.WriteString("| row | what | ours | peer | ratio | target | |\n|---|---|--:|--:|--:|---|---|\n")
	for _, row := range r.Rows {
		if strings.HasPrefix(row.Name, benchmark+"/") {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row.cells(), " | "))
		}
	}
	b.WriteString("\n")
	return b.String()
}

// plot returns how the cost grows along an axis, and whether all of it was
// measured.
func (r report) plot(a axis) (plot, bool) {
	rows := map[string]row{}
	for _, row := range r.Rows {
		rows[row.Name] = row
	}
	p := plot{title: "Cost against " + a.name, xLabel: a.name}
	for _, number := range []struct{ name, label string }{{"cpu", "server CPU, s"}, {"rss", "peak RSS, MB"}} {
		panel := panel{yLabel: number.label, lines: []line{{name: oursKind}, {name: limitKind}, {name: stockKind}}}
		for _, size := range a.sizes {
			limit, measured := rows[scaleRow(a, size, number.name, limitKind)]
			stock, alsoMeasured := rows[scaleRow(a, size, number.name, stockKind)]
			if !measured || !alsoMeasured {
				return plot{}, false
			}
			for i, y := range []float64{limit.Ours, *limit.PeerValue, *stock.PeerValue} {
				panel.lines[i].points = append(panel.lines[i].points, point{float64(size), y})
			}
		}
		p.panels = append(p.panels, panel)
	}
	return p, true
}
