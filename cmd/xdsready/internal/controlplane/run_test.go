package controlplane

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestRunEndsAllPartsWhenOneFails(t *testing.T) {
	boom := errors.New("boom")
	ended := make(chan struct{})
	err := run(t.Context(), []part{
		{"bad", func(context.Context) error { return boom }},
		{"good", func(ctx context.Context) error { <-ctx.Done(); close(ended); return nil }},
	})
	if !errors.Is(err, boom) || !strings.HasPrefix(err.Error(), "bad: ") {
		t.Errorf("run: %v, want %q with the part's name", err, boom)
	}
	select {
	case <-ended:
	default:
		t.Error("run returned before the other part had ended")
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan struct{})
	ended := make(chan error)
	go func() {
		ended <- run(ctx, []part{{"good", func(ctx context.Context) error { close(running); <-ctx.Done(); return nil }}})
	}()
	<-running
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run: %v, want nil", err)
	}
}
