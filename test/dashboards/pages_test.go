package dashboards

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// upgradesPath is a page with queries of its own.
var upgradesPath = filepath.Join(root, "docs", "upgrades.md")

// promql matches a block of queries.
var promql = regexp.MustCompile("(?s)```promql\n(.*?)```")

// upgradeQueries are the queries of the page: an empty line is between two of them.
func upgradeQueries(t *testing.T) (queries []string) {
	t.Helper()
	text, err := os.ReadFile(upgradesPath)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range promql.FindAllStringSubmatch(string(text), -1) {
		queries = append(queries, strings.Split(strings.TrimSpace(block[1]), "\n\n")...)
	}
	if len(queries) == 0 {
		t.Fatalf("%s has no queries", upgradesPath)
	}
	return queries
}

func TestUpgradesNameMetricsThatThereAre(t *testing.T) {
	text, err := os.ReadFile(upgradesPath)
	if err != nil {
		t.Fatal(err)
	}
	wantDocumented(t, upgradesPath, string(text))
}
