package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// small takes some seconds a scene. What depends on the machine's speed means
// nothing then, but what must not happen must not happen here either.
var small = size{
	simulated: 50, real: 2, services: 5,
	delay: 200 * time.Millisecond, window: 500 * time.Millisecond, settling: time.Second,
	crashes: 2, openings: 1, warming: 100 * time.Millisecond,
}

// mayMiss are the figures that depend on the machine, and balance, which takes
// its time.
var mayMiss = []string{"/readyz meanwhile", "stream gap of", "most streams of a replica"}

func TestScenesInSmall(t *testing.T) {
	if os.Getenv("SKIP_ENVOY") == "1" {
		t.Skip("SKIP_ENVOY=1: this needs a real Envoy")
	}
	if os.Getenv("ENVOY") == "" {
		path, err := filepath.Abs("../../bin/envoy")
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("ENVOY", path)
	}
	l, err := openLab(t.Context(), options{size: small, seed: 1}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	}()
	for _, scene := range scenes {
		if err := scene.measure(l, t.Context()); err != nil {
			t.Fatalf("%s: %v", scene.name, err)
		}
	}
	if err := l.report.write(t.Output()); err != nil {
		t.Fatal(err)
	}
	for _, figure := range l.report.missed() {
		if !slices.ContainsFunc(mayMiss, func(what string) bool { return strings.Contains(figure, what) }) {
			t.Error(figure)
		}
	}
}
