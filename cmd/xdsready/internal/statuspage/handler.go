package statuspage

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

// The parts of the page. They go into it as they are: it is one file, which
// loads nothing.
var (
	//go:embed page.html
	pageHTML string
	//go:embed style.css
	styleCSS string
	//go:embed refresh.js
	refreshJS string

	pageTemplate = template.Must(template.New("page").Funcs(functions).Parse(pageHTML))

	// policy lets the browser run and load the parts above and nothing else,
	// whatever a name or a message of the page contains.
	policy = fmt.Sprintf("default-src 'none'; style-src %s; script-src %s; connect-src 'self'; img-src data:; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'", sourceHash(styleCSS), sourceHash(refreshJS))
)

// sourceHash names an inline part in a Content-Security-Policy.
func sourceHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Handler serves what now returns, which is called for each request: as HTML,
// or as JSON for ?format=json or "Accept: application/json". It answers 200
// however the control plane is; /readyz is there for the others. Any path but
// "/" is not found. It is safe for concurrent use if now is.
func Handler(now func() Page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-store")
		header.Set("Vary", "Accept")
		if r.URL.Path != "/" {
			http.Error(w, "not found: try / (the status page), /readyz, /livez, /startupz or /metrics", http.StatusNotFound)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			header.Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed: use GET or HEAD", http.StatusMethodNotAllowed)
			return
		}
		var body []byte
		var err error
		switch format := r.URL.Query().Get("format"); {
		case format == "json", format == "" && strings.Contains(r.Header.Get("Accept"), "application/json"):
			header.Set("Content-Type", "application/json")
			body, err = now().JSON()
		case format == "html", format == "":
			header.Set("Content-Type", "text/html; charset=utf-8")
			header.Set("Content-Security-Policy", policy)
			header.Set("Referrer-Policy", "no-referrer")
			body, err = renderHTML(now())
		default:
			http.Error(w, fmt.Sprintf("unknown format %q: use html or json", format), http.StatusBadRequest)
			return
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(body) // an error means that the reader has gone
	})
}

// JSON returns the page as indented JSON without null.
func (p Page) JSON() ([]byte, error) {
	body, err := json.MarshalIndent(p.withLists(), "", "  ")
	return append(body, '\n'), err
}

func renderHTML(p Page) ([]byte, error) {
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, view{Page: p, Style: template.CSS(styleCSS), Script: template.JS(refreshJS)})
	return b.Bytes(), err
}
