package dir

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// startSource follows a directory until the test ends. Only events make it
// read, unless the options say otherwise.
func startSource(t *testing.T, root string, o Options) *Source {
	t.Helper()
	if o.Rescan == 0 {
		o.Rescan = time.Hour
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := New(root, o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s
}

func nextUpdate(t *testing.T, s *Source) Update {
	t.Helper()
	select {
	case <-s.Changed():
		return s.Latest()
	case <-time.After(patience):
		t.Fatalf("no update within %v", patience)
		return Update{}
	}
}

// next returns the next update as text: its groups, or its faults without the
// directory's path.
func next(t *testing.T, s *Source) any {
	t.Helper()
	u := nextUpdate(t, s)
	if u.Errors != nil {
		return strings.Join(lines(u.Errors, s.path+"/"), "\n")
	}
	return names(u.Config)
}

func wantNext(t *testing.T, s *Source, want any) {
	t.Helper()
	if diff := gocmp.Diff(want, next(t, s)); diff != "" {
		t.Fatalf("next update (-want +got):\n%s", diff)
	}
}

// all is what an update without groups has.
func all(names string) map[string]string { return map[string]string{"all": names} }

// waitForAll takes updates until one has just these names, for changes that the
// file system may show in several steps.
func waitForAll(t *testing.T, s *Source, want string) {
	t.Helper()
	for {
		if gocmp.Equal(next(t, s), any(all(want))) {
			return
		}
	}
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSourceFollowsFiles(t *testing.T) {
	root := t.TempDir()
	s := startSource(t, root, Options{})
	wantNext(t, s, all("")) // an empty directory is an answer
	writeFiles(t, root, map[string]string{"a.yaml": clusters("web")})
	wantNext(t, s, all("web"))
	writeFiles(t, root, map[string]string{"a.yaml": clusters("web=2s")})
	wantNext(t, s, all("web=2s"))
	do(t, os.Rename(filepath.Join(root, "a.yaml"), filepath.Join(root, "a.yaml.bak")))
	wantNext(t, s, all(""))
	do(t, os.Rename(filepath.Join(root, "a.yaml.bak"), filepath.Join(root, "b.yml")))
	wantNext(t, s, all("web=2s"))
	do(t, os.Remove(filepath.Join(root, "b.yml")))
	wantNext(t, s, all(""))
}

// A fault is an update of its own, and so is its end.
func TestSourceReportsFaults(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, map[string]string{"a.yaml": "resources: [x]\n"})
	s := startSource(t, root, Options{})
	wantNext(t, s, `a.yaml:1: resource is not a mapping; give it an "@type" and fields`)
	writeFiles(t, root, map[string]string{"a.yaml": "\n\nresources: [x]\n"})
	wantNext(t, s, `a.yaml:3: resource is not a mapping; give it an "@type" and fields`)
	writeFiles(t, root, map[string]string{"a.yaml": clusters("web")})
	wantNext(t, s, all("web"))
	writeFiles(t, root, map[string]string{"b.yaml": clusters("web")})
	wantNext(t, s, `b.yaml:2: cluster "web" is defined at a.yaml:2 too; rename or remove one`)
	writeFiles(t, root, map[string]string{"a.yaml": clusters("api")})
	wantNext(t, s, all("api web"))
}

// Changes that come together are one update.
func TestSourceSendsOneUpdateForOneBurst(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, map[string]string{"a.yaml": clusters("web")})
	s := startSource(t, root, Options{Debounce: 500 * time.Millisecond}) // a slow machine needs longer than 50 ms
	wantNext(t, s, all("web"))
	writeFiles(t, root, map[string]string{"a.yaml": clusters("web=2s"), "b.yaml": clusters("b"), "c.yaml": clusters("c")})
	wantNext(t, s, all("b c web=2s"))
}

// Changes that mean nothing are no update: the next one is that of a change
// after them.
func TestSourceSendsNoUpdateForNothing(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, map[string]string{"a.yaml": clusters("web"), "b.yaml": clusters("b")})
	s := startSource(t, root, Options{})
	wantNext(t, s, all("b web"))
	writeFiles(t, root, map[string]string{
		"a.yaml": "# a comment\n" + clusters("web"), "b.yaml": clusters("b"),
		".b.yaml.swp": "x", "b.yaml~": clusters("x"), "#b.yaml#": clusters("x"), "4913": "",
	})
	do(t, os.Chmod(filepath.Join(root, "b.yaml"), 0o644))
	writeFiles(t, root, map[string]string{"z.yaml": clusters("z")})
	wantNext(t, s, all("b web z"))
}

// A file that is truncated and written again in place, as some editors do it.
func TestSourceFollowsWritesInPlace(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "a.yaml")
	do(t, os.WriteFile(path, []byte(clusters("web")), 0o600))
	s := startSource(t, root, Options{Debounce: 500 * time.Millisecond})
	wantNext(t, s, all("web"))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	do(t, err)
	text := clusters("api", "web=2s")
	half := strings.LastIndex(text, "- ") // a good file of its own
	for _, part := range []string{text[:half], text[half:]} {
		_, err = f.WriteString(part)
		do(t, err)
	}
	do(t, f.Close())
	wantNext(t, s, all("api web=2s"))
}

// The way Kubernetes changes a mounted ConfigMap: a new directory, and one
// rename of the link to it.
func TestSourceFollowsTheSwapOfAConfigMap(t *testing.T) {
	root := t.TempDir()
	publish := func(version string, files map[string]string) {
		t.Helper()
		writeFiles(t, filepath.Join(root, version), files)
		do(t, os.Symlink(version, filepath.Join(root, "..data_tmp")))
		old, _ := os.Readlink(filepath.Join(root, "..data"))
		do(t, os.Rename(filepath.Join(root, "..data_tmp"), filepath.Join(root, "..data")))
		if old != "" {
			do(t, os.RemoveAll(filepath.Join(root, old)))
		}
	}
	publish("..1", map[string]string{"a.yaml": clusters("web"), "b.yaml": clusters("api"), "edge/c.yaml": clusters("edge")})
	for _, name := range []string{"a.yaml", "b.yaml", "edge"} {
		do(t, os.Symlink("..data/"+name, filepath.Join(root, name)))
	}
	s := startSource(t, root, Options{Grouping: ByCluster})
	group := func(names string) map[string]string { return map[string]string{"edge": names} }
	wantNext(t, s, group("api edge web"))
	publish("..2", map[string]string{"a.yaml": clusters("web=2s"), "b.yaml": clusters("api=2s"), "edge/c.yaml": clusters("edge=2s")})
	wantNext(t, s, group("api=2s edge=2s web=2s"))
	publish("..3", map[string]string{"a.yaml": clusters("web"), "b.yaml": clusters("api"), "edge/c.yaml": clusters("edge")})
	wantNext(t, s, group("api edge web"))
	// The watch of the group followed its link.
	writeFiles(t, root, map[string]string{"..3/edge/c.yaml": clusters("edge=2s")})
	wantNext(t, s, group("api edge=2s web"))
}

// A state of the directory is taken whole, however fast they come: the two
// files always name the same generation.
func TestSourceNeverMixesStates(t *testing.T) {
	root := t.TempDir()
	swap := func(generation int) {
		t.Helper()
		name := fmt.Sprintf("..%d", generation)
		writeFiles(t, filepath.Join(root, name), map[string]string{
			"a.yaml": clusters(fmt.Sprintf("a%d", generation)), "b.yaml": clusters(fmt.Sprintf("b%d", generation)),
		})
		do(t, os.Symlink(name, filepath.Join(root, "..new")))
		do(t, os.Rename(filepath.Join(root, "..new"), filepath.Join(root, "..data")))
	}
	swap(0)
	for _, name := range []string{"a.yaml", "b.yaml"} {
		do(t, os.Symlink("..data/"+name, filepath.Join(root, name)))
	}
	s := startSource(t, root, Options{Debounce: time.Microsecond})
	check := func(u Update) string {
		t.Helper()
		got := names(u.Config)["all"]
		var a, b int
		unsettled := u.Errors != nil && strings.Contains(u.Errors.Error(), "changed during each of 10 reads")
		if _, err := fmt.Sscanf(got, "a%d b%d", &a, &b); (err != nil || a != b) && !unsettled {
			t.Fatalf("update %q, errors %v: mixes two states", got, u.Errors)
		}
		return got
	}
	for i := range 200 {
		swap(i + 1)
		select {
		case <-s.Changed():
			check(s.Latest())
		default:
		}
	}
	swap(201)
	for check(nextUpdate(t, s)) != "a201 b201" {
	}
}

func TestSourceFollowsGroups(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, map[string]string{"a.yaml": clusters("web")})
	s := startSource(t, root, Options{Grouping: ByID})
	wantNext(t, s, map[string]string{})
	do(t, os.Mkdir(filepath.Join(root, "edge"), 0o755))
	wantNext(t, s, map[string]string{"edge": "web"})
	writeFiles(t, root, map[string]string{"edge/a.yaml": clusters("web=2s", "api")})
	wantNext(t, s, map[string]string{"edge": "api web=2s"})
	do(t, os.Rename(filepath.Join(root, "edge"), filepath.Join(root, "core")))
	wantNext(t, s, map[string]string{"core": "api web=2s"})
	writeFiles(t, root, map[string]string{"core/a.yaml": clusters("core")})
	wantNext(t, s, map[string]string{"core": "core web"})
	do(t, os.RemoveAll(filepath.Join(root, "core")))
	for !gocmp.Equal(next(t, s), any(map[string]string{})) { // files first, then the directory
	}
}

// The loss of the directory is a fault, and its return heals it.
func TestSourceSurvivesTheLossOfTheDirectory(t *testing.T) {
	root := filepath.Join(t.TempDir(), "config")
	aside := root + ".aside"
	do(t, os.Mkdir(root, 0o755))
	writeFiles(t, root, map[string]string{"a.yaml": clusters("web")})
	s := startSource(t, root, Options{})
	wantNext(t, s, all("web"))
	lost := root + ": no such file or directory; name a directory that can be read"

	do(t, os.Rename(root, aside))
	wantNext(t, s, lost)
	do(t, os.Rename(aside, root))
	wantNext(t, s, all("web"))
	writeFiles(t, root, map[string]string{"a.yaml": clusters("web=2s")})
	wantNext(t, s, all("web=2s"))

	do(t, os.RemoveAll(root))
	for next(t, s) != any(lost) { // files first, then the directory
	}
	do(t, os.Mkdir(root, 0o755))
	writeFiles(t, root, map[string]string{"a.yaml": clusters("api")})
	waitForAll(t, s, "api") // it may have been seen while it was empty
	writeFiles(t, root, map[string]string{"a.yaml": clusters("api=2s")})
	wantNext(t, s, all("api=2s"))
}

// The directory may be a symbolic link that is turned to another directory.
func TestSourceFollowsALinkToTheDirectory(t *testing.T) {
	parent := t.TempDir()
	link := filepath.Join(parent, "current")
	writeFiles(t, parent, map[string]string{"v1/a.yaml": clusters("web"), "v2/a.yaml": clusters("web=2s")})
	do(t, os.Symlink("v1", link))
	s := startSource(t, link, Options{})
	wantNext(t, s, all("web"))
	do(t, os.Symlink("v2", link+".new"))
	do(t, os.Rename(link+".new", link))
	wantNext(t, s, all("web=2s"))
	writeFiles(t, parent, map[string]string{"v2/a.yaml": clusters("api")})
	wantNext(t, s, all("api"))
}

// What no event tells is found by the next rescan.
func TestSourceRescans(t *testing.T) {
	root, elsewhere := t.TempDir(), t.TempDir()
	writeFiles(t, elsewhere, map[string]string{"a.yaml": clusters("web")})
	do(t, os.Symlink(filepath.Join(elsewhere, "a.yaml"), filepath.Join(root, "a.yaml")))
	s := startSource(t, root, Options{Rescan: 10 * time.Millisecond})
	wantNext(t, s, all("web"))
	writeFiles(t, elsewhere, map[string]string{"a.yaml": clusters("api")})
	wantNext(t, s, all("api"))
}

// Synced means that the first update waits in the channel, and not before.
func TestSourceSynced(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, map[string]string{"a.yaml": "not good"})
	unstarted, err := New(root, Options{})
	do(t, err)
	stopped := make(chan struct{})
	close(stopped)
	if unstarted.HasSynced() || unstarted.WaitUntilSynced(stopped) {
		t.Error("synced before Run")
	}
	s := startSource(t, root, Options{})
	<-s.Listed()
	if !s.WaitUntilSynced(t.Context().Done()) || !s.HasSynced() {
		t.Error("WaitUntilSynced and HasSynced do not agree")
	}
	select {
	case <-s.Changed():
		if s.Latest().Errors == nil {
			t.Error("no faults in the first update")
		}
	default:
		t.Error("synced without an update")
	}
}

// A receiver that comes late gets the newest update only.
func TestSourceReplacesAnUnreadUpdate(t *testing.T) {
	s := &Source{changed: make(chan struct{}, 1)}
	for files := range 3 {
		s.publish(Update{Config: Config{Files: files}})
	}
	<-s.Changed()
	if u := s.Latest(); u.Config.Files != 2 {
		t.Errorf("update %d, want the last one", u.Config.Files)
	}
	select {
	case <-s.Changed():
		t.Error("a second update is left")
	default:
	}
}

func TestNewRefusesOptions(t *testing.T) {
	for want, o := range map[string]Options{
		`unknown grouping "zone": use all, cluster or id`:      {Grouping: "zone"},
		"debounce -1ns, rescan 30s: want positive durations":   {Debounce: -1},
		"debounce 50ms, rescan -1m0s: want positive durations": {Rescan: -time.Minute},
	} {
		if _, err := New(t.TempDir(), o); err == nil || err.Error() != want {
			t.Errorf("New(%+v): %v, want %s", o, err, want)
		}
	}
}
