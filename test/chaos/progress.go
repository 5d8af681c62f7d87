package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// progress tells how a run goes: in a line that changes, on a terminal, and else
// in a line every half minute.
type progress struct {
	out      io.Writer
	terminal bool
	last     time.Time
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out}
	if file, ok := out.(*os.File); ok {
		info, err := file.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// show tells how far the run is.
func (p *progress) show(d *drill) {
	const rarely = 30 * time.Second
	if !p.terminal && time.Since(p.last) < rarely {
		return
	}
	p.last = time.Now()
	elapsed, events := time.Since(d.began), 0
	for _, e := range d.events {
		if e.At <= elapsed {
			events++
		}
	}
	var worlds []string
	for _, place := range d.places {
		requests, failed, vanished := place.Checker.Tally()
		worlds = append(worlds, fmt.Sprintf("%s: %d of %d requests failed, %d vanished", place.name, failed, requests, vanished))
	}
	begin, end := "", "\n"
	if p.terminal {
		begin, end = "\r\x1b[K", ""
	}
	fmt.Fprintf(p.out, "%s%v of %v, %d of %d events; %s%s", begin, elapsed.Round(time.Second), d.options.duration,
		events, len(d.events), strings.Join(worlds, "; "), end)
}
