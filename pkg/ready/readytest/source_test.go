package readytest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/xdsready/xdsready/pkg/ready/readytest"
)

func TestSourceSyncsInAllItsShapes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := readytest.NewSource("pods")
		if s.Name() != "pods" || s.HasSynced() {
			t.Errorf("a new source: name %q, synced %t", s.Name(), s.HasSynced())
		}
		answers := make(chan bool, 3)
		go func() { answers <- s.Wait(t.Context()) == nil }()
		go func() { answers <- s.WaitUntilSynced(t.Context().Done()) }()
		go func() { answers <- s.WaitForCacheSync(t.Context()) }()
		synctest.Wait()
		if len(answers) != 0 || s.Waits() != 3 {
			t.Errorf("%d of %d waits returned before Sync", len(answers), s.Waits())
		}
		s.Sync()
		s.Sync()
		for range 3 {
			if !<-answers {
				t.Error("a wait returned false after Sync")
			}
		}
		<-s.Done()
		if !s.HasSynced() || s.Looks() != 2 {
			t.Errorf("HasSynced() = %t after Sync, %d looks counted", s.HasSynced(), s.Looks())
		}
	})
}

func TestSourceFailsWhileItIsPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := readytest.NewSource("pods")
		forbidden := errors.New("forbidden")
		blocked := make(chan error, 1)
		go func() { blocked <- s.Wait(t.Context()) }()
		synctest.Wait()
		s.Fail(forbidden)
		if err := <-blocked; !errors.Is(err, forbidden) {
			t.Errorf("the blocked Wait = %v, want %v", err, forbidden)
		}
		if err := s.Wait(t.Context()); !errors.Is(err, forbidden) {
			t.Errorf("the next Wait = %v, want %v", err, forbidden)
		}
		if s.WaitUntilSynced(t.Context().Done()) || s.WaitForCacheSync(t.Context()) || s.HasSynced() {
			t.Error("a failed source says that it has synced")
		}
		s.Fail(nil)
		go func() { blocked <- s.Wait(t.Context()) }()
		synctest.Wait()
		if len(blocked) != 0 {
			t.Error("Wait does not block after Fail(nil)")
		}
		s.Sync()
		if err := <-blocked; err != nil {
			t.Errorf("Wait = %v after Sync, want nil", err)
		}
		s.Fail(forbidden)
		if err := s.Wait(t.Context()); err != nil {
			t.Errorf("Wait of a synced source = %v, want nil", err)
		}
	})
}

func TestSourcePanicsWhereItIsAsked(t *testing.T) {
	s := readytest.NewSource("pods")
	s.Panic("broken")
	for name, ask := range map[string]func(){
		"Wait":             func() { _ = s.Wait(t.Context()) },
		"HasSynced":        func() { s.HasSynced() },
		"WaitUntilSynced":  func() { s.WaitUntilSynced(nil) },
		"WaitForCacheSync": func() { s.WaitForCacheSync(t.Context()) },
	} {
		if got := caught(ask); got != "broken" {
			t.Errorf("%s panics with %v, want broken", name, got)
		}
	}
	s.Sync()
	if got := caught(func() { s.HasSynced() }); got != nil {
		t.Errorf("HasSynced panics with %v after Sync", got)
	}
}

func caught(f func()) (p any) {
	defer func() { p = recover() }()
	f()
	return nil
}

func TestSourceWaitsEndWithTheirContext(t *testing.T) {
	s := readytest.NewSource("pods")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait = %v, want the context's end", err)
	}
	if s.WaitUntilSynced(ctx.Done()) || s.WaitForCacheSync(ctx) {
		t.Error("a wait that was ended says that the source has synced")
	}
}
