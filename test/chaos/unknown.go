package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/xdsready/xdsready/test/chaos/verdict"
)

// unknownMessage begins the line with which a replica of ours says that a SotW
// proxy came with a version that it has never built.
const unknownMessage = "proxy came with an unknown version"

// unknownVersions reads what the replicas with logs in dir said of versions that
// they did not know.
func unknownVersions(dir string, began time.Time) ([]verdict.UnknownVersion, error) {
	logs, err := filepath.Glob(filepath.Join(dir, "replica-*.log"))
	if err != nil {
		return nil, err
	}
	var all []verdict.UnknownVersion
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			return nil, err
		}
		for line := range bytes.Lines(text) {
			var entry struct {
				Time    time.Time `json:"time"`
				Message string    `json:"msg"`
				Node    string    `json:"node"`
			}
			if !bytes.Contains(line, []byte(unknownMessage)) {
				continue
			}
			if err := json.Unmarshal(line, &entry); err != nil {
				return nil, fmt.Errorf("%s: %w", log, err)
			}
			all = append(all, verdict.UnknownVersion{At: entry.Time.Sub(began), Proxy: entry.Node})
		}
	}
	return all, nil
}
