package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"
)

// report is the outcome of a run; its JSON form is what --output json prints.
type report struct {
	Go     string            `json:"go"`            // version, system and architecture
	CPU    string            `json:"cpu,omitempty"` // model
	CPUs   int               `json:"cpus"`
	Peers  map[string]string `json:"peers"` // module to version
	Rows   []row             `json:"rows"`
	Missed int               `json:"missed"` // rows
}

// peerModules are the modules whose code is measured beside ours.
var peerModules = []string{"github.com/envoyproxy/go-control-plane", "google.golang.org/grpc", "sigs.k8s.io/controller-runtime"}

// newReport describes the machine and judges the rows.
func newReport(rows []row) report {
	r := report{
		Go:    fmt.Sprintf("%s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH),
		CPU:   cpuModel(),
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

// machine says in one line where the numbers come from.
func (r report) machine() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d CPUs", r.Go, r.CPUs)
	if r.CPU != "" {
		fmt.Fprintf(&b, " (%s)", r.CPU)
	}
	for _, peer := range peerModules {
		fmt.Fprintf(&b, ", %s %s", peer, cmp.Or(r.Peers[peer], "of unknown version"))
	}
	return b.String()
}

// cpuModel is the model of the first CPU, as Linux says it; empty elsewhere.
func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(info)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// writeTable writes the report as an aligned table between two lines of text.
func (r report) writeTable(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", r.machine())

	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ROW\tWHAT\tOURS\tPEER\tRATIO\tTARGET\tRESULT")
	for _, row := range r.Rows {
		fmt.Fprintln(table, strings.Join(row.cells(), "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\nrows: %d, targets missed: %d\n", len(r.Rows), r.Missed)
	_, err := io.WriteString(w, b.String())
	return err
}

// cells are a row of the table.
func (r row) cells() []string {
	peer, ratio := "-", "-"
	if r.PeerValue != nil {
		peer = quantity(*r.PeerValue, r.Unit) + ": " + r.Peer
	}
	if r.Ratio != nil {
		ratio = short(*r.Ratio) + "x"
	}
	return []string{
		r.Name, r.What, quantity(r.Ours, r.Unit), peer, ratio,
		cmp.Or(r.Target, "-"), string(cmp.Or(r.Result, "-")),
	}
}
