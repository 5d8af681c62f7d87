package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// command is what this program reads: one of its fields is set.
type command struct {
	// Settle waits until a control plane has written the status of all routes.
	Settle bool `json:"settle"`
	// Change replaces an endpoint in that many EndpointSlices, one every Every.
	Change int           `json:"change"`
	Every  time.Duration `json:"every"` // 0: only one at all
}

// done is what this program answers.
type done struct {
	At       int64         `json:"at"`                 // when the first change was sent, in Unix nanoseconds
	Took     time.Duration `json:"took"`               // from then to the last answer
	Assigned string        `json:"assigned,omitempty"` // the name of the load assignment of the last change
	Version  string        `json:"version,omitempty"`  // the resource version that the last change got
}

// obey carries out commands until the input or ctx ends.
func (f *filled) obey(ctx context.Context, in io.Reader, out io.Writer) error {
	commands, ended := make(chan command), make(chan error, 1)
	go func() { ended <- readInto(ctx, commands, in) }() // a read that nothing ends, ends with the process
	answers := json.NewEncoder(out)
	for {
		select {
		case c := <-commands:
			answer, err := f.do(ctx, c)
			if err != nil {
				return err
			}
			if err := answers.Encode(answer); err != nil {
				return err
			}
		case err := <-ended:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

func readInto(ctx context.Context, commands chan<- command, in io.Reader) error {
	for decoder := json.NewDecoder(in); ; {
		var c command
		if err := decoder.Decode(&c); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		select {
		case commands <- c:
		case <-ctx.Done():
			return nil
		}
	}
}

func (f *filled) do(ctx context.Context, c command) (done, error) {
	switch {
	case c.Settle:
		return done{}, f.settle(ctx)
	case c.Every == 0:
		return f.change(ctx, rand.IntN(f.size.services))
	}
	return f.changeMany(ctx, c.Change, c.Every)
}

// settle waits until each route has a status that is up to date.
func (f *filled) settle(ctx context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		routes, err := f.gateways.GatewayV1().HTTPRoutes("").List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		without := 0
		for _, route := range routes.Items {
			if len(route.Status.Parents) == 0 {
				without++
			}
		}
		if without == 0 {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d routes without status: %w", without, len(routes.Items), ctx.Err())
		}
	}
}

// change gives a new address to an endpoint of Service i, as when a pod has been
// replaced.
func (f *filled) change(ctx context.Context, i int) (done, error) {
	slice := newSlice(i)
	slice.Endpoints[0].Addresses[0] = replacementAddress(int(f.replaced.Add(1)))
	began := time.Now()
	updated, err := f.core.DiscoveryV1().EndpointSlices(slice.Namespace).Update(ctx, slice, metav1.UpdateOptions{})
	if err != nil {
		return done{}, err
	}
	return done{At: began.UnixNano(), Took: time.Since(began), Assigned: assignmentName(i), Version: updated.ResourceVersion}, nil
}

// changeMany makes n changes of different Services, one every interval, however
// long the API server takes for each.
func (f *filled) changeMany(ctx context.Context, n int, interval time.Duration) (done, error) {
	var (
		changing sync.WaitGroup
		failed   atomic.Pointer[error]
	)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	began := time.Now()
	for _, i := range rand.Perm(n) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return done{}, ctx.Err()
		}
		changing.Go(func() {
			if _, err := f.change(ctx, i%f.size.services); err != nil {
				failed.Store(&err)
			}
		})
	}
	changing.Wait()
	if err := failed.Load(); err != nil {
		return done{}, *err
	}
	return done{At: began.UnixNano(), Took: time.Since(began)}, nil
}
