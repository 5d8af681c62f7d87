// Package statuspage shows the state of a running control plane, as a page for
// people and as JSON for programs.
package statuspage

import (
	"net/http"
	"time"

	"github.com/xdsready/xdsready/pkg/ready"
)

// Page is the state of a control plane at one moment.
type Page struct {
	Status  ready.Status `json:"status"`
	Build   string       `json:"build"`
	Source  string       `json:"source"`
	Faults  []Fault      `json:"faults"`
	Groups  []Group      `json:"groups"`
	Proxies []Proxy      `json:"proxies"`
}

// Fault is why the last change of a source was not taken.
type Fault struct {
	Source  string    `json:"source"`
	Message string    `json:"message"`
	Since   time.Time `json:"since"`
}

// Group is a node group and its latest snapshot.
type Group struct {
	Name         string         `json:"name"`
	Version      string         `json:"version"`
	Since        time.Time      `json:"since"`
	Resources    map[string]int `json:"resources"`
	Dangling     []string       `json:"dangling"`
	Placeholders []string       `json:"placeholders"`
	Withheld     []string       `json:"withheld"`
	Unknowable   []string       `json:"unknowable"`
}

// Proxy is one xDS stream.
type Proxy struct {
	Node      string    `json:"node"`
	Group     string    `json:"group"`
	Address   string    `json:"address"`
	Transport string    `json:"transport"`
	Since     time.Time `json:"since"`
	Types     []Type    `json:"types"`
}

// Type is the state of one resource type on a stream.
type Type struct {
	Type    string `json:"type"`
	Version string `json:"version"`
	Acked   bool   `json:"acked"`
	NACK    string `json:"nack,omitempty"`
}

// Handler serves the page.
func Handler(func() Page) http.Handler { return http.NotFoundHandler() }
