// Package statusclient asks a running program for its status and prints it:
// `xdsready status`.
package statusclient

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/statuspage"
)

// timeout bounds one question.
const timeout = 5 * time.Second

// maxBody bounds what is read of an answer: that of 100,000 proxies fits.
const maxBody = 256 << 20

// client asks one program.
type client struct {
	base  string // URL without a slash at its end
	http  *http.Client
	admin *admin // nil: there is none to ask
	// adminOptional: its proxies are those of the page if it cannot be asked.
	adminOptional bool
}

func newClient(o Options) (*client, error) {
	base := o.Address
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	c := &client{
		base: strings.TrimSuffix(base, "/"), http: &http.Client{Timeout: timeout, Transport: o.transport},
		adminOptional: o.AdminOptional,
	}
	if o.AdminAddress == "" {
		return c, nil
	}
	var err error
	c.admin, err = newAdmin(o.AdminAddress)
	return c, err
}

func (c *client) close() {
	if c.admin != nil {
		c.admin.close()
	}
}

// ask returns the status page, with the proxies that the admin address tells.
func (c *client) ask(ctx context.Context) (statuspage.Page, error) {
	page, err := c.page(ctx)
	if err != nil || c.admin == nil {
		return page, err
	}
	proxies, err := c.admin.proxies(ctx)
	switch {
	case err == nil:
		page.Proxies = proxies
	case !c.adminOptional:
		return statuspage.Page{}, err
	}
	return page, nil
}

// page returns the status page. Of a program that has no such page, but a
// registry at /readyz, it has the registry's part alone.
func (c *client) page(ctx context.Context) (statuspage.Page, error) {
	var page statuspage.Page
	if err := c.get(ctx, "/?format=json", &page); err == nil && page.Status.Phase != "" {
		return page, nil
	}
	page = statuspage.Page{Time: time.Now()}
	if err := c.get(ctx, "/readyz?format=json", &page.Status); err != nil {
		return statuspage.Page{}, err
	}
	if page.Status.Phase == "" {
		return statuspage.Page{}, c.stranger("/readyz names no phase")
	}
	return page, nil
}

// get asks for a path and decodes the answer, whatever its status code: /readyz
// says 503 while it is not ready.
func (c *client) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return fmt.Errorf("--http-address: %w", err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("%w: start xdsready there, or give the --http-address that \"xdsready serve\" has", err)
	}
	defer func() { _ = response.Body.Close() }()
	if kind := response.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		return c.stranger(fmt.Sprintf("%s is %s, %q", path, response.Status, kind))
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxBody)).Decode(into); err != nil {
		return c.stranger(fmt.Sprintf("%s: %v", path, err))
	}
	return nil
}

// stranger is the error for an answer that is none of ours.
func (c *client) stranger(why string) error {
	return fmt.Errorf("%s answers, but not as xdsready does: %s: give the --http-address that \"xdsready serve\" has", c.base, why)
}
