package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"
)

// report is the outcome of a run; its JSON form is what --output json prints.
type report struct {
	Go     string            `json:"go"` // version, system and architecture
	CPUs   int               `json:"cpus"`
	Peers  map[string]string `json:"peers"` // module to version
	Rows   []row             `json:"rows"`
	Missed int               `json:"missed"` // rows
}

// peerModules are the modules whose code is measured beside ours.
var peerModules = []string{"google.golang.org/grpc", "sigs.k8s.io/controller-runtime"}

// newReport describes the machine and judges the rows.
func newReport(rows []row) report {
	r := report{
		Go:    fmt.Sprintf("%s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH),
		CPUs:  runtime.GOMAXPROCS(0),
		Peers: map[string]string{},
		Rows:  rows,
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, module := range build.Deps {
			for _, peer := range peerModules {
				if module.Path == peer {
					r.Peers[peer] = module.Version
				}
			}
		}
	}
	for _, row := range rows {
		if row.Result == miss {
			r.Missed++
		}
	}
	return r
}

// writeJSON writes the report as one JSON object.
func (r report) writeJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// writeTable writes the report as an aligned table between two lines of text.
func (r report) writeTable(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d CPUs", r.Go, r.CPUs)
	for _, peer := range peerModules {
		fmt.Fprintf(&b, ", %s %s", peer, cmp.Or(r.Peers[peer], "of unknown version"))
	}
	b.WriteString("\n\n")

	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ROW\tWHAT\tOURS\tPEER\tRATIO\tTARGET\tRESULT")
	for _, row := range r.Rows {
		peer, ratio := "-", "-"
		if row.PeerValue != nil {
			peer = quantity(*row.PeerValue, row.Unit) + ": " + row.Peer
		}
		if row.Ratio != nil {
			ratio = short(*row.Ratio) + "x"
		}
		fmt.Fprintln(table, strings.Join([]string{
			row.Name, row.What, quantity(row.Ours, row.Unit), peer, ratio,
			cmp.Or(row.Target, "-"), string(cmp.Or(row.Result, "-")),
		}, "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\nrows: %d, targets missed: %d\n", len(r.Rows), r.Missed)
	_, err := io.WriteString(w, b.String())
	return err
}
