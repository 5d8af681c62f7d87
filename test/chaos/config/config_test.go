package config

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const backends = 6

func series(seed uint64, length int) []Config {
	random := rand.New(rand.NewPCG(seed, 0))
	all := []Config{First(random, backends)}
	for range length {
		next, _ := all[len(all)-1].Next(random, backends)
		all = append(all, next)
	}
	return all
}

func TestSameSeedSameSeries(t *testing.T) {
	if diff := cmp.Diff(series(7, 50), series(7, 50)); diff != "" {
		t.Errorf("two series of one seed differ:\n%s", diff)
	}
	if cmp.Equal(series(7, 50), series(8, 50)) {
		t.Error("two seeds have the same series")
	}
}

func TestEachVersionChangesOneFile(t *testing.T) {
	ports := []int{1, 2, 3, 4, 5, 6}
	random := rand.New(rand.NewPCG(1, 0))
	before := First(random, backends)
	for range 150 {
		next, changed := before.Next(random, backends)
		for i := range next.Teams {
			differs := string(render(t, before.Teams[i], ports)) != string(render(t, next.Teams[i], ports))
			if differs != (i == changed) {
				t.Fatalf("version %d: file of team %s differs: %v, but the change is said to be in that of %s",
					next.Version, next.Teams[i].Name, differs, next.Teams[changed].Name)
			}
		}
		before = next
	}
}

func render(t *testing.T, team Team, ports []int) []byte {
	t.Helper()
	text, err := team.Render("127.0.0.1", ports)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A path that is asked for always leads to a cluster that is there and has
// endpoints, and no name of a cluster comes back for something else.
func TestNoVersionMayFail(t *testing.T) {
	last := map[string]int{} // when each cluster was there
	for _, c := range series(5, 2000) {
		if got := len(c.Teams); got != len(Names) {
			t.Fatalf("version %d has %d teams", c.Version, got)
		}
		for _, team := range c.Teams {
			if len(team.Services) < permanent || len(team.Services) > permanent+guests {
				t.Fatalf("version %d: team %s has %d services", c.Version, team.Name, len(team.Services))
			}
		}
		for cluster, endpoints := range c.Clusters() {
			if len(endpoints) < fewest || len(endpoints) > most {
				t.Fatalf("version %d: cluster %s has endpoints %v", c.Version, cluster, endpoints)
			}
			if before, found := last[cluster]; found && before != c.Version-1 {
				t.Fatalf("version %d: cluster %s, which was last there in %d, is back", c.Version, cluster, before)
			}
			last[cluster] = c.Version
		}
	}
}

func TestAllKindsOfChangeHappen(t *testing.T) {
	all := series(5, 300)
	var endpointsOnly, routesOnly, added, removed int
	for i, c := range all[1:] {
		before, after := all[i].Clusters(), c.Clusters()
		tables := !cmp.Equal(all[i].Revisions(), c.Revisions())
		switch {
		case len(after) > len(before):
			added++
		case len(after) < len(before):
			removed++
		case tables && cmp.Equal(before, after):
			routesOnly++
		case !tables:
			endpointsOnly++
		}
	}
	if renamed := 300 - endpointsOnly - routesOnly - added - removed; min(endpointsOnly, routesOnly, added, removed, renamed) < 10 {
		t.Errorf("%d of endpoints, %d of routes, %d added, %d removed, %d renamed: want 10 of each at least",
			endpointsOnly, routesOnly, added, removed, renamed)
	}
}

// Half of a file must never be taken for a whole one.
func TestHalfOfAFileIsInvalid(t *testing.T) {
	for _, team := range series(5, 0)[0].Teams {
		text := render(t, team, []int{1, 2, 3, 4, 5, 6})
		for end := 0; end < len(text); end += 97 {
			if json.Valid(text[:end]) {
				t.Fatalf("the first %d of %d bytes are valid", end, len(text))
			}
		}
	}
}
