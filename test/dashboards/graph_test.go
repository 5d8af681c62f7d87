package dashboards

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The margins of a graph within its panel.
const (
	left, right = 60.0, 12.0
	top, bottom = 28.0, 40.0 // below are the times and the legend
	names       = 190.0      // in front of the bands of a state timeline
)

// graph draws lines or bars over the time. Curves that are 0 all the time are
// left out, and so are they in the legend.
func (c canvas) graph(curves []curve, unit string, bars bool) {
	shown, highest := nonzero(curves)
	ceiling := roundUp(highest)
	plot := area{left, top, c.width - right, c.height - bottom}
	c.times(plot)
	for _, part := range []float64{0, 0.5, 1} {
		y := plot.y(part)
		fmt.Fprintf(c.b, `<path d="M%g %.1fH%g" stroke="#7773"/><text x="%g" y="%.1f" text-anchor="end">%s</text>`+"\n",
			plot.left, y, plot.right, plot.left-5, y+4, human(part*ceiling, unit))
	}
	if len(shown) == 0 {
		fmt.Fprintf(c.b, `<text x="%g" y="%g" text-anchor="middle">0 all the time</text>`+"\n", (plot.left+plot.right)/2, (plot.top+plot.bottom)/2)
	}
	for i, curve := range shown {
		colour := colours[i%len(colours)]
		if bars {
			fmt.Fprintf(c.b, `<path d="%s" stroke="%s" stroke-width="3"/>`+"\n", c.bars(plot, curve.points, ceiling), colour)
		} else {
			fmt.Fprintf(c.b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.5"/>`+"\n", c.line(plot, curve.points, ceiling), colour)
		}
	}
	c.legend(shown)
}

// legend names the curves below a graph, as many as there is room for.
func (c canvas) legend(curves []curve) {
	x := 8.0
	for i, curve := range curves {
		width := 20 + 5.5*float64(len(curve.name))
		if x+width > c.width && i > 0 {
			fmt.Fprintf(c.b, `<text x="%.0f" y="%g">+ %d</text>`+"\n", x, c.height-8, len(curves)-i)
			return
		}
		fmt.Fprintf(c.b, `<text x="%.0f" y="%g" fill="%s">● %s</text>`+"\n", x, c.height-8, colours[i%len(colours)], html.EscapeString(curve.name))
		x += width
	}
}

// nonzero returns the curves that are ever above 0, and the highest value.
func nonzero(curves []curve) (shown []curve, highest float64) {
	for _, curve := range curves {
		peak := 0.0
		for _, point := range curve.points {
			peak = max(peak, point.value)
		}
		if peak > 0 {
			shown = append(shown, curve)
		}
		highest = max(highest, peak)
	}
	return shown, highest
}

// roundUp returns the next of 1, 2, 5 times a power of 10; 1 for 0.
func roundUp(value float64) float64 {
	if value == 0 {
		return 1
	}
	power := math.Pow10(int(math.Floor(math.Log10(value))))
	for _, step := range []float64{1, 2, 5} {
		if value <= step*power {
			return step * power
		}
	}
	return 10 * power
}

// area is where the values of a panel are drawn.
type area struct{ left, top, right, bottom float64 }

// x and y are the place of a part, from 0 to 1, of the time or the value.
func (a area) x(part float64) float64 { return a.left + part*(a.right-a.left) }
func (a area) y(part float64) float64 { return a.bottom - part*(a.bottom-a.top) }

// times draws the seconds since the start below the area.
func (c canvas) times(a area) {
	for second := 0.0; second <= c.over.to-c.over.from; second += 2 {
		x := a.x(c.over.at(c.over.from + second))
		fmt.Fprintf(c.b, `<path d="M%.1f %gV%g" stroke="#7773"/><text x="%.1f" y="%g" text-anchor="middle">%g s</text>`+"\n",
			x, a.top, a.bottom, x, a.bottom+15, second)
	}
}

// line is an SVG path through the points, with a gap where there are none.
// Where the value stays the same, only the ends are in it.
func (c canvas) line(a area, points []point, ceiling float64) string {
	var path strings.Builder
	for i, p := range points {
		command := "L"
		if i == 0 || apart(points[i-1], p) {
			command = "M"
		} else if i+1 < len(points) && points[i-1].value == p.value && p.value == points[i+1].value && !apart(p, points[i+1]) {
			continue
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", command, a.x(c.over.at(p.time)), a.y(p.value/ceiling))
	}
	return path.String()
}

// apart reports whether there is no data between two points.
func apart(a, b point) bool { return b.time-a.time > 1.5*scrapeInterval.Seconds() }

// bars is an SVG path with an upright line per point.
func (c canvas) bars(a area, points []point, ceiling float64) string {
	var path strings.Builder
	for _, p := range points {
		if p.value > 0 {
			fmt.Fprintf(&path, "M%.1f %gV%.1f", a.x(c.over.at(p.time)), a.bottom, a.y(p.value/ceiling))
		}
	}
	return path.String()
}

// states draws a band per curve, in the colours of its states.
func (c canvas) states(curves []curve, by map[string]state) {
	plot := area{names, top, c.width - right, c.height - bottom + 14}
	c.times(plot)
	height := (plot.bottom - plot.top) / float64(len(curves))
	for i, curve := range curves {
		y := plot.top + float64(i)*height
		fmt.Fprintf(c.b, `<text x="%g" y="%.1f" text-anchor="end">%s</text>`+"\n", plot.left-6, y+height/2+4, html.EscapeString(curve.name))
		for _, band := range bands(curve.points) {
			from, to := plot.x(c.over.at(band.from)), plot.x(min(c.over.at(band.to), 1))
			state := by[fmt.Sprint(band.value)]
			fmt.Fprintf(c.b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", from, y+1, to-from, height-2, stateColours[state.Color])
			if to-from > 50 {
				fmt.Fprintf(c.b, `<text x="%.1f" y="%.1f" fill="#fff">%s</text>`+"\n", from+4, y+height/2+4, state.Text)
			}
		}
	}
}

// band is a time in which a value stayed the same.
type band struct {
	span
	value float64
}

func bands(points []point) (all []band) {
	for i, p := range points {
		end := p.time + scrapeInterval.Seconds()
		if i > 0 && !apart(points[i-1], p) && points[i-1].value == p.value {
			all[len(all)-1].to = end
			continue
		}
		all = append(all, band{span{p.time, end}, p.value})
	}
	return all
}
