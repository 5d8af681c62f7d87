package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGapsGoFromTheEndOfAServedStreamToTheNextAnswer(t *testing.T) {
	const end, answer = true, false
	type event struct {
		at    time.Duration
		ended bool
	}
	for _, test := range []struct {
		name   string
		events []event
		want   []time.Duration
		served bool
	}{
		{"nothing yet", nil, nil, false},
		{"the first answer closes no gap", []event{{1, end}, {2, end}, {5, answer}}, nil, true},
		{"one gap", []event{{1, answer}, {2, answer}, {5, end}, {9, answer}, {10, answer}}, []time.Duration{4}, true},
		{"streams without an answer are part of it", []event{{1, answer}, {5, end}, {6, end}, {7, end}, {9, answer}}, []time.Duration{4}, true},
		{"two gaps", []event{{1, answer}, {5, end}, {6, answer}, {8, end}, {18, answer}}, []time.Duration{1, 10}, true},
		{"an open one does not count yet", []event{{1, answer}, {5, end}}, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var watch stopwatch
			var got []time.Duration
			epoch := time.Unix(1000, 0)
			for _, e := range test.events {
				if e.ended {
					watch.end(epoch.Add(e.at))
				} else if length, closed := watch.answer(epoch.Add(e.at)); closed {
					got = append(got, length)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" || watch.served != test.served {
				t.Errorf("served is %v, want %v; gaps (-want +got):\n%s", watch.served, test.served, diff)
			}
		})
	}
}

func TestEachBootstrapAndTransportHasAQuarterOfTheProxies(t *testing.T) {
	got := map[kind]int{}
	for number := range 100 {
		got[kindOf(number, false)]++
	}
	want := map[kind]int{}
	for _, k := range kinds()[:4] {
		want[k] = 25
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("proxies by kind (-want +got):\n%s", diff)
	}
}

func TestEnvoysLogTellsOfItsStream(t *testing.T) {
	at := time.Date(2026, 11, 21, 21, 48, 33, 388e6, time.UTC)
	for _, test := range []struct {
		line  string
		at    time.Time
		event string
	}{
		{"[2026-11-21 21:48:33.388][11438][debug][config] [./source/extensions/config_subscription/grpc/grpc_stream.h:196] DeltaAggregatedResources gRPC config stream to xdsready closed: 14, xdsready: draining", at, streamEnded},
		{"[2026-11-21 21:48:33.388][11438][warning][config] [./source/extensions/config_subscription/grpc/grpc_stream.h:227] StreamAggregatedResources gRPC config stream to xdsready closed since 1s ago: 14, upstream connect error", at, streamEnded},
		{"[2026-11-21 21:48:33.388][11438][debug][config] [source/extensions/config_subscription/grpc/new_grpc_mux_impl.cc:161] Received DeltaDiscoveryResponse for type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment at version ", at, streamAnswered},
		{"[2026-11-21 21:48:33.388][11438][debug][config] [source/extensions/config_subscription/grpc/grpc_mux_impl.cc:398] Received gRPC message for type.googleapis.com/envoy.config.cluster.v3.Cluster at version a", at, streamAnswered},
		{"[2026-11-21 21:48:33.388][11438][debug][config] [source/extensions/config_subscription/grpc/grpc_subscription_impl.cc:147] gRPC update for type.googleapis.com/envoy.config.cluster.v3.Cluster failed", time.Time{}, ""},
		{"a filter says: gRPC config stream to xdsready closed, without a time before it", time.Time{}, ""},
		{"] Received gRPC message for ", time.Time{}, ""},
	} {
		gotAt, event := readLog(test.line)
		if !gotAt.Equal(test.at) || event != test.event {
			t.Errorf("%q at %v, want %q at %v, from %q", event, gotAt, test.event, test.at, test.line)
		}
	}
}
