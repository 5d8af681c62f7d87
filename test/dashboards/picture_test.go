package dashboards

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The sizes of the picture, in pixels. Grafana's grid has 24 columns.
const (
	columnWidth, rowHeight = 48.0, 25.0
	gap                    = 8.0 // between panels
)

// colours can be told apart by people with any kind of colour vision, on a
// light and on a dark page. Lines take them in order, states by name.
var (
	colours      = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"}
	stateColours = map[string]string{"blue": "#0072b2", "red": "#d55e00", "green": "#009e73", "yellow": "#e69f00"}
)

// curve is one line of a panel, with the name that its legend shows.
type curve struct {
	name   string
	points []point
}

// draw returns the dashboard as an SVG: all panels in their places, with what
// Prometheus has seen.
func draw(t *testing.T, d dashboard, seen *prometheus, story span) string {
	t.Helper()
	bottom := 0
	for _, p := range d.Panels {
		bottom = max(bottom, p.GridPos.Y+p.GridPos.H)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="11" fill="#777" role="img">`+"\n",
		24*columnWidth, float64(bottom)*rowHeight)
	b.WriteString("<title>The dashboard, over a slow start, a change, a faulty change and a hand-over</title>\n")
	for _, p := range d.Panels {
		fmt.Fprintf(&b, `<g transform="translate(%g %g)">`+"\n", float64(p.GridPos.X)*columnWidth, float64(p.GridPos.Y)*rowHeight)
		if p.Type == "row" {
			fmt.Fprintf(&b, `<text y="18" font-size="14" font-weight="bold">%s</text>`+"\n", html.EscapeString(p.Title))
		} else {
			c := canvas{b: &b, width: float64(p.GridPos.W)*columnWidth - gap, height: float64(p.GridPos.H)*rowHeight - gap, over: story}
			c.frame(p.Title)
			c.panel(p, p.curves(t, seen, story))
		}
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// curves asks Prometheus for all that the panel shows, in a fixed order.
func (p panel) curves(t *testing.T, seen *prometheus, story span) (all []curve) {
	t.Helper()
	for _, target := range p.Targets {
		var of []curve
		for _, s := range seen.queryRange(t, target.query(), story) {
			of = append(of, curve{target.legend(s.labels), s.points})
		}
		slices.SortFunc(of, func(a, b curve) int { return strings.Compare(a.name, b.name) })
		all = append(all, of...)
	}
	return all
}

var placeholder = regexp.MustCompile(`{{(\w+)}}`)

// legend names a series as Grafana does.
func (t target) legend(labels map[string]string) string {
	return placeholder.ReplaceAllStringFunc(t.LegendFormat, func(match string) string { return labels[match[2:len(match)-2]] })
}

// canvas is where one panel is drawn; (0, 0) is its upper left corner.
type canvas struct {
	b             *strings.Builder
	width, height float64
	over          span
}

func (c canvas) frame(title string) {
	fmt.Fprintf(c.b, `<rect width="%g" height="%g" rx="3" fill="none" stroke="#7776"/><text x="8" y="16" font-weight="bold">%s</text>`+"\n",
		c.width, c.height, html.EscapeString(title))
}

func (c canvas) panel(p panel, curves []curve) {
	switch p.Type {
	case "stat":
		c.numbers(curves, p.FieldConfig.Defaults.Unit)
	case "state-timeline":
		c.states(curves, p.FieldConfig.Defaults.Mappings[0].Options)
	default:
		c.graph(curves, p.FieldConfig.Defaults.Unit, p.FieldConfig.Defaults.Custom.DrawStyle == "bars")
	}
}

// numbers draws the last value of each curve.
func (c canvas) numbers(curves []curve, unit string) {
	for i, curve := range curves {
		x := c.width * (float64(i) + 0.5) / float64(len(curves))
		fmt.Fprintf(c.b, `<text x="%.0f" y="%g" font-size="24" text-anchor="middle">%s</text><text x="%.0f" y="%g" text-anchor="middle">%s</text>`+"\n",
			x, c.height-32, human(curve.points[len(curve.points)-1].value, unit), x, c.height-12, curve.name)
	}
}

// at is where a time stands, from 0 to 1.
func (s span) at(time float64) float64 { return (time - s.from) / (s.to - s.from) }

// human is a value with its unit.
func human(value float64, unit string) string {
	switch unit {
	case "s":
		return fmt.Sprintf("%.3g s", value)
	case "percentunit":
		return fmt.Sprintf("%.3g %%", 100*value)
	case "reqps":
		return fmt.Sprintf("%.3g/s", value)
	case "Bps":
		return fmt.Sprintf("%.0f B/s", value)
	}
	return fmt.Sprintf("%.3g", value)
}
