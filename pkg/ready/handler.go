package ready

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Header values that are shared by all answers, so that a probe allocates none.
var (
	plainText = []string{"text/plain; charset=utf-8"}
	jsonText  = []string{"application/json"}
	noSniff   = []string{"nosniff"}
	okBody    = []byte("ok\n")
)

// Check returns Err. It is a healthz.Checker for programs whose /readyz is
// served by a controller-runtime manager. (That handler answers 500 and
// withholds the reason; ServeHTTP answers 503 and says it.)
func (r *Registry) Check(*http.Request) error { return r.Err() }

// ServeHTTP answers the probes, 200 or 503:
//
//	/readyz               is every tier complete, and all live checks good?
//	/readyz/TIER          one tier
//	/readyz/TIER/CHECK    one check
//	/startupz             the tier "process" only, where there is one
//	/livez                did all loops run within 30 s?
//
// with ?verbose for a line per check, ?exclude=NAME (a tier, a check or
// TIER/CHECK; may be repeated) and ?format=json or "Accept: application/json".
// HEAD works. A plain /readyz is rendered once for each change.
func (r *Registry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodGet && request.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed: use GET or HEAD", http.StatusMethodNotAllowed)
		return
	}
	if r != nil && request.URL.Path == "/readyz" && request.URL.RawQuery == "" && !acceptsJSON(request) {
		v := r.current()
		writePlain(w, v.ready, v.body)
		return
	}
	q, err := parseQuery(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a, ok := r.answer(strings.TrimSuffix(request.URL.Path, "/"), q)
	if !ok {
		http.Error(w, "not found: try /readyz, /livez, /startupz, or a tier or check that /readyz?verbose shows", http.StatusNotFound)
		return
	}
	a.write(w, q)
}

// answer is what a probe is told.
type answer struct {
	probe string // the name in the last line
	ok    bool
	lines string // what ?verbose and a failure show
	body  any    // the JSON form
}

// answer returns the answer for a path, and whether there is one.
func (r *Registry) answer(path string, q query) (answer, bool) {
	switch path {
	case "/readyz":
		return readyz(r.Status(), q), true
	case "/livez":
		return r.livez(), true
	case "/startupz":
		return startupz(r.Status(), q), true
	}
	name, ok := strings.CutPrefix(path, "/readyz/")
	if !ok || r == nil { // a nil registry has no tiers, and all of them are complete
		return answer{probe: strings.TrimPrefix(path, "/"), ok: true, body: r.Status()}, ok
	}
	tier, check, _ := strings.Cut(name, "/")
	return part(r.Status(), tier, check, q)
}

func (a answer) write(w http.ResponseWriter, q query) {
	if q.json {
		w.Header()["Content-Type"] = jsonText
		if !a.ok {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(a.body) // an error means that the prober has gone
		return
	}
	if a.ok && !q.verbose {
		writePlain(w, true, okBody)
		return
	}
	verb := "failed"
	if a.ok {
		verb = "passed"
	}
	writePlain(w, a.ok, fmt.Appendf(nil, "%s%s check %s\n", a.lines, a.probe, verb))
}

func writePlain(w http.ResponseWriter, ok bool, body []byte) {
	header := w.Header()
	header["Content-Type"], header["X-Content-Type-Options"] = plainText, noSniff
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(body) // an error means that the prober has gone
}

// query is what a probe may ask for.
type query struct {
	verbose bool
	json    bool
	exclude []string
}

func parseQuery(request *http.Request) (query, error) {
	values, err := url.ParseQuery(request.URL.RawQuery)
	if err != nil {
		return query{}, fmt.Errorf("query: %w", err)
	}
	q := query{verbose: values.Has("verbose"), json: acceptsJSON(request), exclude: values["exclude"]}
	q.exclude = slices.DeleteFunc(q.exclude, func(name string) bool { return name == "" })
	switch format := values.Get("format"); format {
	case "":
	case "json":
		q.json = true
	case "text":
		q.json = false
	default:
		return query{}, fmt.Errorf("query: unknown format %q: use text or json", format)
	}
	return q, nil
}

func acceptsJSON(request *http.Request) bool {
	accept := request.Header["Accept"]
	return len(accept) > 0 && strings.Contains(accept[0], "application/json")
}

// excludes reports whether the query leaves out one of these names.
func (q query) excludes(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(q.exclude, name) })
}

// readyz answers with all tiers. Ready is judged anew when something is
// excluded.
func readyz(s Status, q query) answer {
	if len(q.exclude) > 0 {
		s.Ready = s.Phase != Draining && !slices.ContainsFunc(s.Tiers, func(t TierStatus) bool { return !t.passes(q) })
	}
	var b strings.Builder
	for _, t := range s.Tiers {
		t.write(&b, q)
	}
	for _, name := range q.exclude {
		if !s.has(name) {
			fmt.Fprintf(&b, "warn: cannot exclude %q: no tier or check has that name\n", name)
		}
	}
	if s.Message != "" {
		fmt.Fprintln(&b, s.Message)
	}
	fmt.Fprintf(&b, "phase %s\n", s.Phase)
	return answer{probe: "readyz", ok: s.Ready, lines: b.String(), body: s}
}

// part answers for a tier, or for one check of it; false if there is none.
func part(s Status, tier, check string, q query) (answer, bool) {
	i := slices.IndexFunc(s.Tiers, func(t TierStatus) bool { return t.Name == tier })
	if i < 0 {
		return answer{}, false
	}
	t := s.Tiers[i]
	if check == "" {
		return t.answer("readyz/"+tier, q), true
	}
	j := slices.IndexFunc(t.Checks, func(c CheckStatus) bool { return c.Name == check })
	if j < 0 {
		return answer{}, false
	}
	c := t.Checks[j]
	t.Checks = t.Checks[j : j+1]
	a := t.answer("readyz/"+tier+"/"+check, q)
	a.ok, a.body = c.State.settled() || q.excludes(tier, check, tier+"/"+check), c
	return a, true
}

// startupz answers for the tier "process": a startup probe that waited for more
// would let the kubelet kill pods in an outage of the API server. Where there
// is no such tier, the process runs, and that is all.
func startupz(s Status, q query) answer {
	t := TierStatus{Name: "process", State: Synced, Checks: []CheckStatus{}}
	for _, known := range s.Tiers {
		if known.Name == t.Name {
			t = known
		}
	}
	return t.answer("startupz", q)
}

// answer answers for the tier alone.
func (t TierStatus) answer(probe string, q query) answer {
	var b strings.Builder
	t.write(&b, q)
	judged := t.State.settled() || q.excludes(t.Name) ||
		slices.ContainsFunc(t.Checks, func(c CheckStatus) bool { return q.excludes(c.Name, t.Name+"/"+c.Name) })
	return answer{probe: probe, ok: judged && t.passes(q), lines: b.String(), body: t}
}

// passes reports whether the tier is good once the excluded is left out.
func (t TierStatus) passes(q query) bool {
	if q.excludes(t.Name) {
		return true
	}
	for _, c := range t.Checks {
		if !c.State.settled() && !q.excludes(c.Name, t.Name+"/"+c.Name) {
			return false
		}
	}
	return t.State.settled() || t.State == Pending && len(t.Checks) > 0
}

// write prints the tier's lines in the form of the Kubernetes API server: one
// for each check, and one for the tier where the checks do not say why it is
// not complete.
func (t TierStatus) write(b *strings.Builder, q query) {
	explained := t.Message == ""
	for _, c := range t.Checks {
		name := t.Name + "/" + c.Name
		switch {
		case q.excludes(t.Name, c.Name, name):
			fmt.Fprintf(b, "[+]%s excluded: ok\n", name)
			explained = true
		case c.State == Synced:
			fmt.Fprintf(b, "[+]%s ok (%.3fs)%s\n", name, c.Seconds, after(c.Message))
		case c.State.settled():
			fmt.Fprintf(b, "[+]%s %s%s\n", name, c.State, after(c.Message))
		default:
			fmt.Fprintf(b, "[-]%s %s (%.3fs)%s\n", name, c.State, c.Seconds, after(c.Message))
			explained = explained || t.State == Pending
		}
	}
	switch {
	case explained:
	case q.excludes(t.Name):
		fmt.Fprintf(b, "[+]%s excluded: ok\n", t.Name)
	case t.State.settled():
		fmt.Fprintf(b, "[+]%s %s: %s\n", t.Name, t.State, t.Message)
	default:
		fmt.Fprintf(b, "[-]%s %s: %s\n", t.Name, t.State, t.Message)
	}
}

// after returns text behind a colon, or nothing.
func after(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// has reports whether a tier or check has that name.
func (s Status) has(name string) bool {
	for _, t := range s.Tiers {
		if t.Name == name {
			return true
		}
		for _, c := range t.Checks {
			if c.Name == name || t.Name+"/"+c.Name == name {
				return true
			}
		}
	}
	return false
}
