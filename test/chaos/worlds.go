package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/xdsready/xdsready/test/chaos/config"
	"github.com/xdsready/xdsready/test/chaos/world"
)

// place is a world with its name in reports.
type place struct {
	name string
	ours bool
	*world.World
	settled time.Duration // from the last event to the last proxy that had the last version
}

// paces are flags of ours by which happens within seconds or a minute what takes
// minutes or half an hour by default, so that a run has much of it.
var paces = []string{"--drain-delay", "1s", "--drain-window", "2s", "--max-connection-age", "1m", "--peers-deadline", "3s"}

// newWorlds makes xdsready's world and those of the baselines. All that were
// made are returned with an error too, to be closed.
func newWorlds(ctx context.Context, o options, dir string, began time.Time, backends *world.Backends, host func() string, first config.Config) ([]place, error) {
	ours := func(input string, at world.Addresses, all []string) []string {
		return append([]string{
			o.xdsready, "serve", "--source", "dir:" + input, "--log-format", "json",
			"--xds-address", at.XDS, "--http-address", at.HTTP, "--admin-address", at.Admin,
			"--peers", strings.Join(all, ","),
		}, paces...)
	}
	baseline := func(gate string) func(string, world.Addresses, []string) []string {
		return func(input string, at world.Addresses, _ []string) []string {
			return []string{o.reference, "--source", input, "--xds-address", at.XDS, "--gate", gate}
		}
	}
	var places []place
	for _, kind := range []struct {
		name    string
		envoys  int
		command func(string, world.Addresses, []string) []string
	}{
		{"xdsready", o.envoys, ours},
		{"no gate", o.baseline, baseline("none")},
		{"process is up", o.baseline, baseline("process")},
	} {
		if kind.envoys == 0 {
			continue
		}
		at := worldDir(dir, len(places))
		if err := os.Mkdir(at, 0o700); err != nil {
			return places, err
		}
		w, err := world.New(ctx, world.Options{
			Dir: at, Host: host, XDSReady: o.xdsready, Envoy: o.envoy,
			Replicas: o.replicas, Envoys: kind.envoys, Backends: backends, Command: kind.command,
		}, began, first)
		places = append(places, place{name: kind.name, ours: kind.name == "xdsready", World: w})
		if err != nil {
			return places, err
		}
	}
	return places, nil
}

// worldDir is where the logs of a world are.
func worldDir(dir string, number int) string {
	return filepath.Join(dir, fmt.Sprintf("world-%d", number))
}

// hosts returns loopback addresses, each once, that two runs at the same time do
// not share as long as their process numbers are near each other.
func hosts() func() string {
	run, number := os.Getpid()%(250*250), 0
	return func() string {
		number++
		return fmt.Sprintf("127.%d.%d.%d", 1+run/250, run%250, number)
	}
}
