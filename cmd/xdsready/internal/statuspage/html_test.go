package statuspage

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds"
)

// parse returns the nodes of the HTML form of a page, in order.
func parse(t *testing.T, page Page) (nodes []*html.Node, header http.Header) {
	t.Helper()
	response := ask(page, http.MethodGet, "/", "")
	root, err := html.Parse(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(root.Descendants()), response.Header()
}

func attribute(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// The tags of the page are balanced, its ids are unique, what a label refers to
// is there, and it loads nothing.
func TestMarkup(t *testing.T) {
	for name, page := range pages() {
		t.Run(name, func(t *testing.T) {
			checkBalance(t, ask(page, http.MethodGet, "/", "").Body.String())
			nodes, _ := parse(t, page)
			ids := map[string]bool{}
			for _, n := range nodes {
				if id, ok := attribute(n, "id"); ok {
					if ids[id] {
						t.Errorf("the id %q is there twice", id)
					}
					ids[id] = true
				}
				for _, name := range []string{"src", "style", "onclick"} {
					if value, ok := attribute(n, name); ok {
						t.Errorf("<%s %s=%q>: the policy would block it", n.Data, name, value)
					}
				}
			}
			for _, n := range nodes {
				if id, ok := attribute(n, "aria-labelledby"); ok && !ids[id] {
					t.Errorf("<%s aria-labelledby=%q>: there is no such id", n.Data, id)
				}
			}
			for _, id := range []string{"state", "facts", "faults", "tiers", "groups", "proxies", "lost"} {
				if !ids[id] {
					t.Errorf("the id %q, which refresh.js needs, is not there", id)
				}
			}
		})
	}
}

// checkBalance fails for an end tag that closes another element than the last
// one opened: a parser would mend it silently.
func checkBalance(t *testing.T, body string) {
	t.Helper()
	void := []string{"meta", "link", "br"}
	var open []string
	for tokens := html.NewTokenizer(strings.NewReader(body)); ; {
		switch tokens.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("never closed: %v", open)
			}
			return
		case html.StartTagToken:
			if name, _ := tokens.TagName(); !slices.Contains(void, string(name)) {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := tokens.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				t.Fatalf("</%s> closes %v", name, open)
			}
			open = open[:len(open)-1]
		}
	}
}

// Whatever a name or a message contains is shown as text.
func TestEscaping(t *testing.T) {
	const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`
	page := Page{
		Time: now, Build: evil, Source: evil,
		Status: ready.Status{Phase: evil, Message: evil, Tiers: []ready.TierStatus{{Name: evil, State: evil, Message: evil,
			Checks: []ready.CheckStatus{{Name: evil, State: evil, Message: evil}}}}},
		Faults: []Fault{{Source: evil, Message: evil}},
		Groups: []Group{{Name: evil, Version: evil, Resources: map[string]int{evil: 1}, Dangling: []string{evil},
			Placeholders: []string{evil}, Withheld: []string{evil}, Unknowable: []string{evil}}},
		Proxies: []Proxy{{Node: evil, Group: evil, Address: evil, Transport: evil, State: evil, Waits: evil,
			Types: []Type{{Type: evil, State: evil, Version: evil, NACK: evil, Rejected: []string{evil}}}}},
	}
	nodes, header := parse(t, page)
	scripts, shown := 0, 0
	for _, n := range nodes {
		if n.Type == html.ElementNode && n.Data == "script" {
			scripts++
		}
		if n.Type == html.ElementNode && n.Data == "img" {
			t.Error("a message became an element")
		}
		if n.Type == html.TextNode && strings.Contains(n.Data, evil) {
			shown++
		}
	}
	if scripts != 1 {
		t.Errorf("%d scripts, want only that of the page", scripts)
	}
	if shown < 18 {
		t.Errorf("the text is shown %d times only", shown)
	}
	if csp := header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none';") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
}

// The hashes of the policy are those of what the page contains; a browser would
// not run or use it otherwise.
func TestPolicyAllowsTheParts(t *testing.T) {
	nodes, header := parse(t, serving())
	for _, n := range nodes {
		if n.Data == "script" || n.Data == "style" {
			want := n.Data + "-src " + sourceHash(n.FirstChild.Data) + ";"
			if csp := header.Get("Content-Security-Policy"); !strings.Contains(csp, want) {
				t.Errorf("policy %q, want %q in it", csp, want)
			}
		}
	}
}

// Of a long list the page shows those in trouble, and says that there are more.
func TestLongLists(t *testing.T) {
	page := Page{Time: now}
	for i := range 5 * most {
		page.Groups = append(page.Groups, Group{Name: fmt.Sprintf("group-%d", i)})
		page.Proxies = append(page.Proxies, Proxy{Node: fmt.Sprintf("node-%d", i), State: xds.Synced})
	}
	page.Groups[3*most].Dangling = []string{"something"}
	page.Proxies[3*most].Lag = 1
	page.Proxies[4*most].State = xds.Failed
	body := ask(page, http.MethodGet, "/", "").Body.String()
	for text, want := range map[string]int{
		"<article class=\"group\">": most, "<th scope=\"row\">": most, "200 of 1000 are shown": 2,
		">group-600<": 1, ">node-600<": 1, ">node-800<": 1, ">node-999<": 0,
	} {
		if got := strings.Count(body, text); got != want {
			t.Errorf("%q is there %d times, want %d", text, got, want)
		}
	}
	if strings.Index(body, ">node-800<") > strings.Index(body, ">node-600<") {
		t.Error("one that lags is shown before one that rejects")
	}
}
