package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// plot is a row of panels with logarithmic axes, as an SVG that reads well on a
// light and on a dark page.
type plot struct {
	title, xLabel string
	panels        []panel
}

type panel struct {
	yLabel string
	lines  []line
}

type line struct {
	name   string
	points []point // by x
}

type point struct{ x, y float64 }

// The sizes, in pixels.
const (
	panelWidth, panelHeight = 360.0, 260.0 // of the area of the lines
	left, right             = 64.0, 24.0   // of it
	top, bottom             = 44.0, 48.0
)

// lineColours can be told apart by people with any kind of colour vision.
var lineColours = []string{"#0072b2", "#009e73", "#d55e00"}

func (p plot) svg() string {
	var b strings.Builder
	width, height := float64(len(p.panels))*(left+panelWidth+right), top+panelHeight+bottom
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="12" fill="#777" role="img">`+"\n", width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n", html.EscapeString(p.title))
	for i, panel := range p.panels {
		fmt.Fprintf(&b, `<g transform="translate(%g %g)">`+"\n", float64(i)*(left+panelWidth+right)+left, top)
		panel.draw(&b, p.xLabel)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// draw draws a panel whose lower left corner is at (0, panelHeight).
func (p panel) draw(b *strings.Builder, xLabel string) {
	xs, ys := p.decades()
	for _, x := range xs.ticks() {
		at := xs.place(x) * panelWidth
		fmt.Fprintf(b, `<path d="M%.1f 0V%g" stroke="#7774"/><text x="%.1f" y="%g" text-anchor="middle">%s</text>`+"\n",
			at, panelHeight, at, panelHeight+16, thousands(x))
	}
	for _, y := range ys.ticks() {
		at := (1 - ys.place(y)) * panelHeight
		fmt.Fprintf(b, `<path d="M0 %.1fH%g" stroke="#7774"/><text x="-6" y="%.1f" text-anchor="end">%s</text>`+"\n",
			at, panelWidth, at+4, thousands(y))
	}
	fmt.Fprintf(b, `<text x="%g" y="%g" text-anchor="middle">%s</text>`+"\n", panelWidth/2, panelHeight+36, html.EscapeString(xLabel))
	fmt.Fprintf(b, `<text x="-6" y="-28">%s</text>`+"\n", html.EscapeString(p.yLabel))
	for i, line := range p.lines {
		colour := lineColours[i%len(lineColours)]
		fmt.Fprintf(b, `<text x="%g" y="-10" fill="%s">● %s</text>`+"\n", float64(i)*90, colour, html.EscapeString(line.name))
		var path []string
		for _, point := range line.points {
			x, y := xs.place(point.x)*panelWidth, (1-ys.place(point.y))*panelHeight
			path = append(path, fmt.Sprintf("%.1f,%.1f", x, y))
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x, y, colour)
		}
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(path, " "), colour)
	}
}

// decades are the powers of 10 from which to which an axis goes.
type decades struct{ from, to int }

// decades returns those that hold all points of the panel, along x and y.
func (p panel) decades() (xs, ys decades) {
	xs, ys = decades{math.MaxInt, math.MinInt}, decades{math.MaxInt, math.MinInt}
	for _, line := range p.lines {
		for _, point := range line.points {
			xs, ys = xs.with(point.x), ys.with(point.y)
		}
	}
	return xs, ys
}

// with returns the decades that hold a value as well.
func (d decades) with(value float64) decades {
	exponent := math.Log10(value)
	return decades{min(d.from, int(math.Floor(exponent))), max(d.to, int(math.Ceil(exponent)))}
}

// place is where a value stands, from 0 to 1.
func (d decades) place(value float64) float64 {
	return (math.Log10(value) - float64(d.from)) / float64(max(d.to-d.from, 1))
}

func (d decades) ticks() (values []float64) {
	for exponent := d.from; exponent <= d.to; exponent++ {
		values = append(values, math.Pow10(exponent))
	}
	return values
}

// thousands is a power of 10 for people.
func thousands(value float64) string {
	text := fmt.Sprintf("%g", value)
	if value < 1000 {
		return text
	}
	text = fmt.Sprintf("%.0f", value)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
