package ready_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/ready/readytest"
)

// transcript asks for each target and returns the conversation as text.
func transcript(h http.Handler, targets ...string) string {
	var b strings.Builder
	for _, target := range targets {
		w := get(h, target)
		fmt.Fprintf(&b, "\nGET %s\n%d %s\n%s", target, w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	return b.String()
}

var allTargets = []string{
	"/readyz", "/readyz/", "/readyz?verbose", "/readyz?format=json", "/readyz/process", "/readyz/process?verbose",
	"/readyz/informers", "/readyz/informers?format=json", "/readyz/informers/pods", "/readyz/informers/endpointslices",
	"/readyz/informers/endpointslices?format=json", "/readyz/snapshot/xds", "/livez", "/livez?verbose",
	"/livez?format=json", "/startupz", "/startupz?verbose", "/startupz?format=json",
}

func TestProbesWhileStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		golden(t, "starting.txt", "all probes during a start that takes too long", transcript(scene(t), allTargets...))
	})
}

func TestProbesWhenReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "process", "informers", "snapshot")
		listeners := r.Tier("process").Signal("listeners")
		slices, pods := readytest.NewSource("endpointslices"), readytest.NewSource("pods")
		r.Tier("informers").Checker(slices).Checker(pods).Chan("remote", nil, ready.Optional(time.Second))
		s := r.Tier("snapshot").Snapshot("xds")
		start(t, r)
		time.Sleep(10 * time.Millisecond)
		listeners()
		slices.Sync()
		time.Sleep(2 * time.Second)
		pods.Sync()
		synctest.Wait()
		s.Expect("edge", "mesh")
		s.Settle("edge")
		s.Fail("mesh", errors.New("no such cluster"))
		r.Tier("informers").Signal("afterwards")
		golden(t, "ready.txt", "all probes of a registry that is ready", transcript(r, allTargets...))
	})
}

func TestProbesOfUnknownAndEmptyTiers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs", "krt")
		r.Tier("inputs").Signal("a")()
		r.Tier("typo").Signal("b", ready.Eager())()
		r.Tier("empty typo")
		r.Tier("pending typo").Signal("c")
		start(t, r)
		golden(t, "unknown.txt", "probes say why, where the checks do not: a tier without checks, tiers that New was not given",
			transcript(r, "/readyz", "/readyz?verbose", "/readyz/krt", "/readyz/typo", "/readyz/typo/b", "/readyz/typo?format=json",
				"/readyz/empty%20typo", "/readyz/pending%20typo", "/readyz?exclude=krt", "/readyz?exclude=", "/readyz/krt?exclude=krt", "/startupz?verbose"))
	})
}

// The shape that programs parse.
func TestJSONOfReadyz(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := scene(t)
		type object = map[string]any
		var got object
		if err := json.Unmarshal(get(r, "/readyz?format=json").Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		check := func(name, kind, state, message string, seconds float64) object {
			o := object{"name": name, "kind": kind, "state": state, "message": message, "seconds": seconds}
			if message == "" {
				delete(o, "message")
			}
			return o
		}
		want := object{
			"ready": false, "open": false, "phase": "starting", "message": "start deadline of 20s exceeded", "uptimeSeconds": 31.5,
			"tiers": []any{
				object{"name": "process", "state": "synced", "seconds": 1.5, "checks": []any{
					check("listeners", "signal", "synced", "", 1.5)}},
				object{"name": "informers", "state": "pending", "seconds": 30.0, "checks": []any{
					check("endpointslices", "wait", "failed", "*v1.EndpointSlice: "+errForbidden.Error(), 30),
					check("services", "wait", "pending", "listed, handler not done", 30),
					check("remote", "wait", "skipped", "optional: gave up after 1s", 1),
					check("pods", "wait", "synced", "", 0)}},
				object{"name": "snapshot", "state": "pending", "message": "waits for informers", "seconds": 0.0, "checks": []any{
					check("xds", "signal", "pending", "waits for informers", 0)}},
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the JSON has another shape (-want +got):\n%s", diff)
		}
		var s ready.Status
		if err := json.Unmarshal(get(r, "/readyz?format=json").Body.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r.Status(), s); diff != "" {
			t.Errorf("the JSON is not the Status (-status +json):\n%s", diff)
		}
	})
}

func TestFormatIsNegotiated(t *testing.T) {
	const text, object = "text/plain; charset=utf-8", "application/json"
	for _, row := range []struct {
		name, target, accept, want string
	}{
		{"text by default", "/readyz", "", text},
		{"text for a browser", "/readyz", "text/html,*/*", text},
		{"JSON by the query", "/readyz?format=json", "", object},
		{"JSON by the header", "/readyz", "application/json", object},
		{"JSON by the header among others", "/readyz", "application/json, text/plain", object},
		{"JSON of one tier by the header", "/readyz/inputs", "application/json", object},
		{"JSON of /livez by the header", "/livez", "application/json", object},
		{"the query wins over the header", "/readyz?format=text", "application/json", text},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, r := range []*ready.Registry{open(), ready.NewWithOptions(quiet(), "inputs")} {
				var header []string
				if row.accept != "" {
					header = []string{"Accept", row.accept}
				}
				w := get(r, row.target, header...)
				if got := w.Header().Get("Content-Type"); got != row.want || json.Valid(w.Body.Bytes()) != (row.want == object) {
					t.Errorf("GET %s with Accept %q is %s: %s", row.target, row.accept, got, w.Body)
				}
			}
		})
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	for _, row := range []struct {
		name, method, target string
		code                 int
		body                 string
	}{
		{"POST", "POST", "/readyz", http.StatusMethodNotAllowed, "use GET or HEAD"},
		{"DELETE of a part", "DELETE", "/readyz/inputs", http.StatusMethodNotAllowed, "use GET or HEAD"},
		{"an unknown path", "GET", "/", http.StatusNotFound, "not found: try /readyz"},
		{"a path that only begins alike", "GET", "/readyzz", http.StatusNotFound, "not found"},
		{"a tier without its prefix", "GET", "/inputs", http.StatusNotFound, "not found"},
		{"a path behind /livez", "GET", "/livez/inputs", http.StatusNotFound, "not found"},
		{"an unknown tier", "GET", "/readyz/typo", http.StatusNotFound, "not found"},
		{"an unknown check", "GET", "/readyz/inputs/typo", http.StatusNotFound, "not found"},
		{"an unknown tier with a check", "GET", "/readyz/typo/a", http.StatusNotFound, "not found"},
		{"an empty tier name", "GET", "/readyz//a", http.StatusNotFound, "not found"},
		{"an unknown format", "GET", "/readyz?format=xml", http.StatusBadRequest, `unknown format "xml": use text or json`},
		{"a query that cannot be read", "GET", "/readyz?verbose=%zz", http.StatusBadRequest, "query: "},
		{"a bad query of a part", "GET", "/readyz/inputs?a;b", http.StatusBadRequest, "query: "},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := request(open(), row.method, row.target)
			if w.Code != row.code || !strings.Contains(w.Body.String(), row.body) {
				t.Errorf("%s %s = %d %q, want %d with %q", row.method, row.target, w.Code, w.Body, row.code, row.body)
			}
			if allow := w.Header().Get("Allow"); (allow == "GET, HEAD") != (row.code == http.StatusMethodNotAllowed) {
				t.Errorf("Allow is %q with %d", allow, row.code)
			}
		})
	}
}

func TestHEAD(t *testing.T) {
	shut := ready.NewWithOptions(quiet(), "inputs")
	for _, row := range []struct {
		registry *ready.Registry
		target   string
		code     int
	}{
		{open(), "/readyz", 200}, {open(), "/livez", 200}, {open(), "/readyz/inputs/a?format=json", 200},
		{shut, "/readyz", 503}, {shut, "/readyz?verbose", 503}, {shut, "/readyz/inputs", 503},
	} {
		server := httptest.NewServer(row.registry)
		response, err := server.Client().Head(server.URL + row.target)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || response.Body.Close() != nil {
			t.Error(err)
		}
		if response.StatusCode != row.code || len(body) != 0 {
			t.Errorf("HEAD %s = %d with a body of %d bytes, want %d and none", row.target, response.StatusCode, len(body), row.code)
		}
		server.Close()
	}
}

// startupz must not let the kubelet kill a pod in an outage of the API server.
func TestStartupzIsTheTierProcessOnly(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "process", "inputs")
	listeners := r.Tier("process").Signal("listeners")
	r.Tier("inputs").Signal("a")
	if w := get(r, "/startupz"); w.Code != http.StatusServiceUnavailable || !strings.HasSuffix(w.Body.String(), "startupz check failed\n") {
		t.Errorf("before its listeners: %d %q, want 503", w.Code, w.Body)
	}
	listeners()
	wantShut(t, r)
	if w := get(r, "/startupz"); w.Code != http.StatusOK || w.Body.String() != "ok\n" {
		t.Errorf("with pending inputs: %d %q, want 200", w.Code, w.Body)
	}
	without := ready.NewWithOptions(quiet())
	if w := get(without, "/startupz?verbose"); w.Code != http.StatusOK || w.Body.String() != "startupz check passed\n" {
		t.Errorf("without a tier process: %d %q, want 200", w.Code, w.Body)
	}
}

func TestExclude(t *testing.T) {
	for _, row := range []struct {
		name, target string
		code         int
		body         string
	}{
		{"an empty name leaves nothing out", "/readyz?exclude=", 503, "not"},
		{"empty names leave nothing out", "/readyz?exclude=&exclude=&verbose", 503, "[-]inputs/b pending"},
		{"a name that is not there leaves nothing out and is said", "/readyz?exclude=typo", 503,
			`warn: cannot exclude "typo": no tier or check has that name`},
		{"a check", "/readyz/inputs?exclude=b", 200, "ok\n"},
		{"a check by its whole name", "/readyz/inputs?exclude=inputs/b", 200, "ok\n"},
		{"a check of another tier", "/readyz/inputs?exclude=snapshot/b", 503, "[-]inputs/b pending"},
		{"a check is shown as left out", "/readyz/inputs?exclude=b&verbose", 200, "[+]inputs/b excluded: ok\n"},
		{"one check is not the whole", "/readyz?exclude=b", 503, "[-]snapshot/xds pending (0.000s): waits for inputs"},
		{"all that is pending", "/readyz?exclude=b&exclude=xds", 200, "ok\n"},
		{"all that is pending, by tier", "/readyz?exclude=inputs&exclude=snapshot&verbose", 200, "readyz check passed\n"},
		{"a tier of itself", "/readyz/inputs?exclude=inputs", 200, "ok\n"},
		{"a check of itself", "/readyz/inputs/b?exclude=b", 200, "ok\n"},
		{"another name of a check", "/readyz/inputs/b?exclude=a", 503, "[-]inputs/b pending"},
		{"a tier that waits is not complete by leaving out nothing", "/readyz/snapshot?exclude=a", 503, "waits for inputs"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := ready.NewWithOptions(quiet(), "inputs", "snapshot")
			r.Tier("inputs").Signal("a")()
			r.Tier("inputs").Signal("b")
			r.Tier("snapshot").Snapshot("xds")
			w := get(r, row.target)
			if w.Code != row.code || !strings.Contains(w.Body.String(), row.body) {
				t.Errorf("GET %s = %d %q, want %d with %q", row.target, w.Code, w.Body, row.code, row.body)
			}
		})
	}
}

// Whatever is left out, an unknown tier keeps /readyz red until it is itself
// left out, because the gate is shut.
func TestExcludeWithAnUnknownTier(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "inputs")
	r.Tier("typo").Signal("a", ready.Eager())()
	r.Tier("inputs").Signal("b")()
	for target, code := range map[string]int{
		"/readyz": 503, "/readyz?exclude=x": 503, "/readyz?exclude=b": 503, "/readyz?exclude=a": 503,
		"/readyz/typo?exclude=x": 503, "/readyz?exclude=typo": 200, "/readyz/typo?exclude=typo": 200,
	} {
		if w := get(r, target); w.Code != code {
			t.Errorf("GET %s = %d %q, want %d", target, w.Code, w.Body, code)
		}
	}
}

func TestExcludeWithATierAskedForAfterOpening(t *testing.T) {
	r := open()
	r.Tier("typo").Signal("a")
	for _, target := range []string{"/readyz", "/readyz?exclude=x", "/readyz/typo", "/readyz/typo?exclude=x", "/readyz?verbose"} {
		if w := get(r, target); w.Code != http.StatusOK {
			t.Errorf("GET %s = %d %q, want 200", target, w.Code, w.Body)
		}
	}
}

// A tier whose own checks are synced early still waits for the tiers before it,
// and a name that leaves out nothing does not change that.
func TestExcludeWithAnEagerTier(t *testing.T) {
	r := ready.NewWithOptions(quiet(), "inputs", "snapshot")
	r.Tier("inputs").Signal("a")
	r.Tier("snapshot").Signal("b", ready.Eager())()
	for _, target := range []string{"/readyz/snapshot", "/readyz/snapshot?exclude=typo"} {
		if w := get(r, target); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "waits for inputs") {
			t.Errorf("GET %s = %d %q, want 503: the tier waits for inputs", target, w.Code, w.Body)
		}
	}
}

func TestExcludeDoesNotHideADrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open()
		stop := start(t, r)
		_ = stop()
		if w := get(r, "/readyz?exclude=inputs"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("GET = %d %q, want 503", w.Code, w.Body)
		}
	})
}

func TestLivezWatchesLoopsAndNeverTiers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		r.Tier("inputs").Signal("a")
		start(t, r)
		beat := r.Loop("publisher")
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if w := get(r, "/livez"); w.Code != http.StatusOK || w.Body.String() != "ok\n" {
			t.Errorf("after 30 s: %d %q, want 200", w.Code, w.Body)
		}
		time.Sleep(time.Second)
		want := "[+]registry ok\n[-]publisher failed: silent for 31s, more than 30s\nlivez check failed\n"
		if w := get(r, "/livez"); w.Code != http.StatusServiceUnavailable || w.Body.String() != want {
			t.Errorf("after 31 s: %d %q, want 503 %q", w.Code, w.Body, want)
		}
		wantText(t, "the JSON", get(r, "/livez?format=json").Body.String(), `{"alive":false,"loops":[`,
			`{"name":"publisher","alive":false,"message":"silent for 31s, more than 30s"}`, `{"name":"registry","alive":true}`)
		beat()
		if w := get(r, "/livez"); w.Code != http.StatusOK {
			t.Errorf("after a beat: %d %q, want 200", w.Code, w.Body)
		}
		time.Sleep(time.Hour) // the registry's own loop goes on
		wantText(t, "/livez?verbose", get(r, "/livez?verbose").Body.String(), "[+]registry ok\n", "[-]publisher failed")
	})
}

func TestReadyzOfADegradedRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ready.NewWithOptions(quiet(), "inputs")
		var p probe
		r.Tier("inputs").Live("xds", p.ask, ready.LiveOptions{Interval: time.Second, FailureThreshold: 1})
		start(t, r)
		p.set(errors.New("queue is stuck"))
		after(1, time.Second)
		golden(t, "degraded.txt", "a live check fails: red, the gate is open, and it can be left out",
			transcript(r, "/readyz", "/readyz?verbose", "/readyz/inputs", "/readyz/inputs/xds", "/readyz?exclude=xds", "/readyz?format=json"))
	})
}
