package statuspage

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/ready"
)

// Colour adds nothing but colour, and only where it is asked for.
func TestTextColors(t *testing.T) {
	for name, page := range pages() {
		plain, colored := page.Text(false), page.Text(true)
		if strings.Contains(plain, "\x1b") {
			t.Errorf("%s: colour that was not asked for", name)
		}
		if diff := cmp.Diff(plain, regexp.MustCompile(`\x1b\[\d+m`).ReplaceAllString(colored, "")); diff != "" {
			t.Errorf("%s: without its colours it differs (-plain +colored):\n%s", name, diff)
		}
	}
	for text, want := range map[string]string{
		serving().Text(true):  "\x1b[32mready\x1b[0m",
		starting().Text(true): "\x1b[31mfailed\x1b[0m",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
}

// Nothing that comes from elsewhere can steer the terminal or forge a line.
func TestTextControlCharacters(t *testing.T) {
	const evil = "a\x1b[2J\r\nready\x9b1m\tb"
	page := Page{
		Time: now, Build: evil, Source: evil,
		Status: ready.Status{Phase: ready.Starting, Message: evil, Tiers: []ready.TierStatus{{Name: evil, State: evil, Message: evil}}},
		Faults: []Fault{{Source: evil, Message: evil}},
		Groups: []Group{{Name: evil, Version: evil, Dangling: []string{evil}}},
		Proxies: []Proxy{{Node: evil, Group: evil, Address: evil, Transport: evil, State: evil, Waits: evil,
			Types: []Type{{Type: evil, State: evil, Version: evil, NACK: evil, Rejected: []string{evil}}}}},
	}
	for line := range strings.Lines(page.Text(false)) {
		if strings.ContainsAny(line, "\x1b\r\t\u009b") || strings.HasPrefix(line, "ready") {
			t.Errorf("line %q", line)
		}
	}
}
