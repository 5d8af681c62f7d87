package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
)

func TestAProxysConfigIsAsLargeAsPromised(t *testing.T) {
	w, err := newWork(1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	p := newPacker(false)
	packed, err := p.pack(w.next())
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for typeURL, resources := range packed.groups[groupName(0)] {
		size += proto.Size(p.response(packed.version, typeURL, resources))
	}
	const promised = 474_000
	if size < promised*9/10 || size > promised*11/10 {
		t.Errorf("a proxy's four responses have %d bytes, want %d or 10 %% more or less", size, promised)
	}
}

func TestAnEditionChangesOneLoadAssignmentOfEachGroupAndNoSize(t *testing.T) {
	w, err := newWork(5, 2)
	if err != nil {
		t.Fatal(err)
	}
	before, after := w.next(), w.next()
	for group, config := range after.configs {
		for typeURL, messages := range config {
			for i, message := range messages {
				if old := before.configs[group][typeURL][i]; old != message {
					if message != after.changed || proto.Equal(old, message) || proto.Size(old) != proto.Size(message) {
						t.Errorf("%s: %v became %v", group, old, message)
					}
				} else if message == after.changed {
					t.Errorf("%s: %v is said to have changed and did not", group, message)
				}
			}
		}
	}
	if before.changed != nil || after.changed == nil {
		t.Errorf("changed is %v in the first edition and %v in the second", before.changed, after.changed)
	}
}

// All kinds of server must do the same work, or their costs say nothing.
func TestEveryKindOfServerDeliversTheSame(t *testing.T) {
	for _, transport := range transports {
		for _, kind := range []string{oursKind, limitKind, rawKind, sharedKind, stockKind} {
			t.Run(transport.name+"/"+kind, func(t *testing.T) {
				l := load{Kind: kind, Delta: transport.delta, Proxies: 4, Services: 6, Groups: 2, Asked: 6, Sharing: 1}
				r, err := startRun(t.Context(), l)
				if err != nil {
					t.Fatal(err)
				}
				defer func() {
					if err := r.stop(); err != nil {
						t.Error(err)
					}
				}()
				loaded, err := r.proxies(loadAll)
				if err != nil {
					t.Fatal(err)
				}
				if want := int64(l.Proxies * (2*l.Services + 2)); loaded.Resources != want {
					t.Errorf("the proxies got %d resources in all, want %d", loaded.Resources, want)
				}
				numbers, err := r.change()
				if err != nil {
					t.Fatal(err)
				}
				// Stock gives a snapshot's types one version, so all types come again.
				if got := numbers[changeResources-changeCPU]; got != 1 && kind != stockKind {
					t.Errorf("one endpoint changed, and a proxy got %v resources, want that one", got)
				}
			})
		}
	}
}

// reportOfScale is a report of all rows scale/ with made-up numbers.
func reportOfScale() report {
	var rows []row
	for i, spec := range fanoutScale.rows {
		rows = append(rows, spec.judge(measurement{float64(i + 1), float64(2*i + 1)}))
	}
	return newReport(rows)
}

func TestPlotsAreWellFormedAndHoldEveryNumber(t *testing.T) {
	for _, a := range axes {
		plot, complete := reportOfScale().plot(a)
		if !complete {
			t.Fatalf("%s: all rows are there, and the plot is incomplete", a.name)
		}
		circles := 0
		decoder := xml.NewDecoder(strings.NewReader(plot.svg()))
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", a.name, err)
			}
			if element, ok := token.(xml.StartElement); ok && element.Name.Local == "circle" {
				circles++
			}
		}
		if want := 2 * 3 * len(a.sizes); circles != want {
			t.Errorf("%s: %d points, want %d: 3 servers in 2 panels", a.name, circles, want)
		}
	}
}

func TestAnAxisHoldsItsValues(t *testing.T) {
	d := decades{1, 1}.with(0.02).with(300)
	if diff := cmp.Diff([]float64{0.01, 0.1, 1, 10, 100, 1000}, d.ticks(), cmpFloats); diff != "" {
		t.Errorf("ticks (-want +got):\n%s", diff)
	}
	for value, want := range map[float64]float64{0.01: 0, 1000: 1, 10: 0.6} {
		if diff := cmp.Diff(want, d.place(value), cmpFloats); diff != "" {
			t.Errorf("place of %v (-want +got):\n%s", value, diff)
		}
	}
	if got := thousands(1e6) + " " + thousands(0.1); got != "1,000,000 0.1" {
		t.Errorf("ticks read %q", got)
	}
}

var cmpFloats = cmp.Comparer(func(a, b float64) bool { return max(a-b, b-a) < 1e-9 })

func TestDocsGetWhatWasMeasuredAndKeepTheRest(t *testing.T) {
	directory := t.TempDir()
	page := filepath.Join(directory, performancePage)
	section := func(name, content string) string {
		return fmt.Sprintf("<!-- measured: %s -->\n%s<!-- end of %s -->\n", name, content, name)
	}
	before := "# Title\n" + section("fanout", "old\n") + "between\n" + section("scale", "old\n") + "end\n"
	if err := os.WriteFile(page, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	r := reportOfScale()
	if err := r.writeDocs(directory); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want := "# Title\n" + section("fanout", "old\n") + "between\n" + section("scale", r.markdown("scale")) + "end\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(got), "| scale/proxies-10-cpu-limit | ") {
		t.Errorf("the page has no row scale/proxies-10-cpu-limit:\n%s", got)
	}
	for _, a := range axes {
		if _, err := os.Stat(filepath.Join(directory, "performance-"+a.name+".svg")); err != nil {
			t.Error(err)
		}
	}
}

func TestThePerformancePageHasAPlaceForEveryTable(t *testing.T) {
	page, err := os.ReadFile("../../docs/" + performancePage)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"fanout", "idle", "scale"} {
		for _, comment := range []string{"<!-- measured: " + name + " -->\n", "<!-- end of " + name + " -->"} {
			if strings.Count(string(page), comment) != 1 {
				t.Errorf("the page does not have %q once", comment)
			}
		}
	}
}
