package statusclient

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/statuspage"
)

// watchInterval is how often a watch asks.
const watchInterval = time.Second

// clearScreen clears a terminal and starts at its top.
const clearScreen = "\x1b[H\x1b[2J"

// Options say whom to ask and how to print.
type Options struct {
	Address string // required: host:port of the HTTP server, or a URL
	// AdminAddress is the host:port to ask for the proxies, by CSDS. Empty: the
	// proxies are those of the status page, if the program has one.
	AdminAddress string
	// AdminOptional makes the proxies those of the status page as well where the
	// admin address cannot be asked.
	AdminOptional bool

	Out   io.Writer // required
	JSON  bool      // print JSON, else text
	Color bool      // paint the states in text
	// Screen says that Out is a terminal, where a watch draws the text anew each
	// second. Elsewhere, and as JSON, it prints what differs from the answer
	// before in more than times.
	Screen bool

	transport http.RoundTripper // nil: the default; tests give another
}

// Run asks once and prints the answer. It returns whether the program is ready,
// or why that could not be found out.
func Run(ctx context.Context, o Options) (isReady bool, err error) {
	client, err := newClient(o)
	if err != nil {
		return false, err
	}
	defer client.close()
	page, err := client.ask(ctx)
	if err != nil {
		return false, err
	}
	return page.Status.Ready, o.print(page)
}

// Watch asks every second until ctx ends, whatever the answers are. It returns
// what Run would have returned last.
func Watch(ctx context.Context, o Options) (isReady bool, err error) {
	client, err := newClient(o)
	if err != nil {
		return false, err
	}
	defer client.close()
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for last := ""; ; {
		page, askErr := client.ask(ctx)
		if ctx.Err() != nil {
			return isReady, err
		}
		isReady, err = page.Status.Ready, askErr
		if now := key(page, askErr); now != last || o.Screen && !o.JSON {
			last = now
			if printErr := o.printNext(page, askErr); printErr != nil {
				return isReady, printErr
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return isReady, err
		}
	}
}

func (o Options) print(page statuspage.Page) error {
	text := []byte(page.Text(o.Color))
	if o.JSON {
		var err error
		if text, err = page.JSON(); err != nil {
			return err
		}
	}
	_, err := o.Out.Write(text)
	return err
}

// printNext prints an answer of a watch, or why there is none.
func (o Options) printNext(page statuspage.Page, askErr error) error {
	switch {
	case o.JSON && askErr != nil:
		return json.NewEncoder(o.Out).Encode(map[string]string{"error": askErr.Error()})
	case o.JSON:
		return o.print(page)
	case o.Screen:
		_, _ = io.WriteString(o.Out, clearScreen) // what follows fails as well
	default:
		_, _ = fmt.Fprintf(o.Out, "--- %s\n", time.Now().Format(time.RFC3339))
	}
	if askErr != nil {
		_, err := fmt.Fprintln(o.Out, askErr)
		return err
	}
	return o.print(page)
}

// someLag stands for every lag: that it grows is no news.
const someLag = 1e-9

// key is equal for answers that differ in times alone.
func key(page statuspage.Page, askErr error) string {
	if askErr != nil {
		return askErr.Error()
	}
	page.Time, page.Status.Uptime = time.Time{}, 0
	page.Status.Tiers = slices.Clone(page.Status.Tiers)
	for i := range page.Status.Tiers {
		tier := &page.Status.Tiers[i]
		tier.Seconds, tier.Checks = 0, slices.Clone(tier.Checks)
		for j := range tier.Checks {
			tier.Checks[j].Seconds = 0
		}
	}
	page.Proxies = slices.Clone(page.Proxies)
	for i := range page.Proxies {
		page.Proxies[i].Lag = min(page.Proxies[i].Lag, someLag)
	}
	text, _ := json.Marshal(page) // it has come as JSON
	return string(text)
}
