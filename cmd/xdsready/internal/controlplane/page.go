package controlplane

import "github.com/xdsready/xdsready/cmd/xdsready/internal/statuspage"

// page returns what the status page shows.
func (p *Plane) page() statuspage.Page {
	return statuspage.Page{Status: p.registry.Status(), Build: p.options.Version, Source: p.options.Source}
}
