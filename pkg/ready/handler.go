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
	path := strings.TrimSuffix(request.URL.Path, "/")
	switch {
	case path == "/livez":
		r.serveLivez(w, q)
	case path == "/startupz":
		r.serveStartupz(w, q)
	case path == "/readyz":
		writeStatus(w, r.Status(), q)
	case strings.HasPrefix(path, "/readyz/"):
		r.servePart(w, strings.TrimPrefix(path, "/readyz/"), q)
	default:
		http.Error(w, "not found: try /readyz, /livez or /startupz", http.StatusNotFound)
	}
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

func writePlain(w http.ResponseWriter, ok bool, body []byte) {
	header := w.Header()
	header["Content-Type"], header["X-Content-Type-Options"] = plainText, noSniff
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(body) // an error means that the prober has gone
}

func writeJSON(w http.ResponseWriter, ok bool, body any) {
	w.Header()["Content-Type"] = jsonText
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(body) // as above
}

// excludes reports whether the query leaves out this check.
func (q query) excludes(tier, check string) bool {
	return slices.ContainsFunc(q.exclude, func(name string) bool {
		return name == tier || name == check || name == tier+"/"+check
	})
}

// writeStatus answers with tiers and checks. Ready is judged anew when
// something is excluded.
func writeStatus(w http.ResponseWriter, s Status, q query) {
	ok := s.Ready
	if len(q.exclude) > 0 {
		ok = s.Phase != Draining && !slices.ContainsFunc(s.Tiers, func(t TierStatus) bool { return !t.passes(q) })
	}
	if q.json {
		s.Ready = ok
		writeJSON(w, ok, s)
		return
	}
	if ok && !q.verbose {
		writePlain(w, true, []byte("ok\n"))
		return
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
		fmt.Fprintf(&b, "%s\n", s.Message)
	}
	fmt.Fprintf(&b, "phase %s\n", s.Phase)
	writeLast(&b, "readyz", ok)
	writePlain(w, ok, []byte(b.String()))
}

// passes reports whether the tier is good once the excluded is left out.
func (t TierStatus) passes(q query) bool {
	if q.excludes(t.Name, "") {
		return true
	}
	for _, c := range t.Checks {
		if !c.State.settled() && !q.excludes(t.Name, c.Name) {
			return false
		}
	}
	return len(t.Checks) > 0
}

// write prints the tier's lines in the form of the Kubernetes API server.
func (t TierStatus) write(b *strings.Builder, q query) {
	if len(t.Checks) == 0 {
		fmt.Fprintf(b, "[-]%s failed: %s\n", t.Name, t.Message)
	}
	for _, c := range t.Checks {
		name := t.Name + "/" + c.Name
		switch {
		case q.excludes(t.Name, c.Name):
			fmt.Fprintf(b, "[+]%s excluded: ok\n", name)
		case c.State == Synced:
			fmt.Fprintf(b, "[+]%s ok (%.3fs)%s\n", name, c.Elapsed.Seconds(), after(": ", c.Message))
		case c.State.settled():
			fmt.Fprintf(b, "[+]%s %s%s\n", name, c.State, after(": ", c.Message))
		default:
			fmt.Fprintf(b, "[-]%s %s (%.3fs)%s\n", name, c.State, c.Elapsed.Seconds(), after(": ", c.Message))
		}
	}
}

// after returns text behind a separator, or nothing.
func after(separator, text string) string {
	if text == "" {
		return ""
	}
	return separator + text
}

func writeLast(b *strings.Builder, probe string, ok bool) {
	verb := "failed"
	if ok {
		verb = "passed"
	}
	fmt.Fprintf(b, "%s check %s\n", probe, verb)
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

// servePart answers for TIER or TIER/CHECK.
func (r *Registry) servePart(w http.ResponseWriter, part string, q query) {
	s := r.Status()
	tier, check, _ := strings.Cut(part, "/")
	for _, t := range s.Tiers {
		if t.Name != tier {
			continue
		}
		if check == "" {
			servePlainOrJSON(w, t.State == Synced && t.passes(q), t, func(b *strings.Builder) { t.write(b, q) }, part, q)
			return
		}
		for _, c := range t.Checks {
			if c.Name == check {
				t.Checks = []CheckStatus{c}
				servePlainOrJSON(w, c.State.settled(), c, func(b *strings.Builder) { t.write(b, q) }, part, q)
				return
			}
		}
	}
	http.Error(w, fmt.Sprintf("not found: no tier or check %q: see /readyz?verbose", part), http.StatusNotFound)
}

// servePlainOrJSON answers for a part of the whole.
func servePlainOrJSON(w http.ResponseWriter, ok bool, body any, write func(*strings.Builder), part string, q query) {
	if q.json {
		writeJSON(w, ok, body)
		return
	}
	if ok && !q.verbose {
		writePlain(w, true, []byte("ok\n"))
		return
	}
	var b strings.Builder
	write(&b)
	writeLast(&b, "readyz/"+part, ok)
	writePlain(w, ok, []byte(b.String()))
}

// serveStartupz answers for the tier "process": a startup probe that waited for
// more would let the kubelet kill pods in an outage of the API server.
func (r *Registry) serveStartupz(w http.ResponseWriter, q query) {
	for _, t := range r.Status().Tiers {
		if t.Name == "process" {
			servePlainOrJSON(w, t.State == Synced, t, func(b *strings.Builder) { t.write(b, q) }, "process", q)
			return
		}
	}
	servePlainOrJSON(w, true, struct{}{}, func(*strings.Builder) {}, "process", q)
}

// serveLivez answers whether all loops ran.
func (r *Registry) serveLivez(w http.ResponseWriter, q query) {
	loops, alive := r.livez()
	if q.json {
		writeJSON(w, alive, struct {
			Alive bool         `json:"alive"`
			Loops []loopStatus `json:"loops"`
		}{alive, loops})
		return
	}
	if alive && !q.verbose {
		writePlain(w, true, []byte("ok\n"))
		return
	}
	var b strings.Builder
	for _, l := range loops {
		if l.Alive {
			fmt.Fprintf(&b, "[+]%s ok\n", l.Name)
		} else {
			fmt.Fprintf(&b, "[-]%s failed: %s\n", l.Name, l.Message)
		}
	}
	writeLast(&b, "livez", alive)
	writePlain(w, alive, []byte(b.String()))
}
