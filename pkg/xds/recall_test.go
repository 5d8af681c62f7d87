package xds_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds"
)

// asking returns options of a server that asks others by ask.
func asking(ask func(xds.Generation) ([]cache.Resource, error)) xds.Options {
	return xds.Options{
		RemovalDelay: time.Second, ListenerDrain: time.Minute,
		Recall: func(_ context.Context, g xds.Generation) ([]cache.Resource, error) { return ask(g) },
	}
}

// A proxy that comes from another replica, with a version that only that one has
// made, is brought on as by that one: the new cluster first, then the route.
func TestRecall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := newServer(t, nil, xds.Options{})
		other.set(t, xds.AllGroup, staticCluster("old"), routesTo("old"))
		h := other.hold(t)
		r := newServer(t, nil, asking(func(g xds.Generation) ([]cache.Resource, error) {
			resources, ok := other.server.Recall(g)
			if !ok {
				return nil, errors.New("not known")
			}
			return resources, nil
		}))
		r.set(t, xds.AllGroup, staticCluster("new"), routesTo("new"))
		p := r.comeBack(t, h)
		added := receive(t, p)
		want(t, "clusters", added, "new", "old")
		p.silent(t, time.Second) // no route before the cluster is acknowledged
		send(t, p, &discovery.DiscoveryRequest{TypeUrl: resourcev3.ListenerType})
		send(t, p, ack(receive(t, p)))
		send(t, p, ack(added))
		want(t, "routes", receive(t, p), "table")
		again := r.comeBack(t, h)
		want(t, "clusters of another proxy", receive(t, again), "new", "old")
		if diff := cmp.Diff(map[string]float64{"told": 2, "unknown": 0}, counters(t, r.server, "xdsready_recalls_total")); diff != "" {
			t.Errorf("xdsready_recalls_total (-want +got):\n%s", diff)
		}
		if got := counters(t, r.server, "xdsready_unknown_versions_total")[""]; got != 0 {
			t.Errorf("xdsready_unknown_versions_total is %v, want 0", got)
		}
	})
}

// Streams that ask at the same time learn the same generation once.
func TestRecallOfTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := newServer(t, nil, xds.Options{})
		other.set(t, xds.AllGroup, staticCluster("old"), routesTo("old"))
		h := other.hold(t)
		remembered := map[int]float64{} // bytes, by how many streams asked at the same time
		for _, streams := range []int{1, 5} {
			answer := make(chan struct{})
			r := newServer(t, nil, asking(func(g xds.Generation) ([]cache.Resource, error) {
				<-answer
				resources, _ := other.server.Recall(g)
				return resources, nil
			}))
			r.set(t, xds.AllGroup, staticCluster("new"), routesTo("new"))
			for range streams {
				r.comeBack(t, h)
			}
			synctest.Wait()
			close(answer)
			synctest.Wait()
			remembered[streams] = gauge(t, r.server, "xdsready_generation_bytes")
			if got := counters(t, r.server, "xdsready_recalls_total")["told"]; got < float64(streams) {
				t.Errorf("%v of %d streams were told", got, streams)
			}
		}
		if remembered[1] == 0 || remembered[5] != remembered[1] {
			t.Errorf("xdsready_generation_bytes by streams: %v, want the same for all", remembered)
		}
	})
}

// What others tell is not believed, and not waited for, without end.
func TestRecallOfWhatNobodyKnows(t *testing.T) {
	for name, ask := range map[string]func(context.Context) ([]cache.Resource, error){
		"an error": func(context.Context) ([]cache.Resource, error) { return nil, errors.New("no") },
		"nothing":  func(context.Context) ([]cache.Resource, error) { return nil, nil },
		"something else": func(context.Context) ([]cache.Resource, error) {
			return []cache.Resource{resourceOf(t, staticCluster("x"))}, nil
		},
		"no resource": func(context.Context) ([]cache.Resource, error) { return make([]cache.Resource, 1), nil },
		"another type": func(context.Context) ([]cache.Resource, error) {
			return []cache.Resource{resourceOf(t, loadAssignment("x"))}, nil
		},
		"no answer": func(ctx context.Context) ([]cache.Resource, error) { <-ctx.Done(); return nil, ctx.Err() },
		"the same, twice": func(context.Context) ([]cache.Resource, error) {
			r := resourceOf(t, staticCluster("x"))
			return []cache.Resource{r, r}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				other := newServer(t, nil, xds.Options{})
				other.set(t, xds.AllGroup, staticCluster("old"), routesTo("old"))
				h := other.hold(t)
				o := xds.Options{Recall: func(ctx context.Context, _ xds.Generation) ([]cache.Resource, error) { return ask(ctx) }}
				r := newServer(t, nil, o)
				r.set(t, xds.AllGroup, staticCluster("new"), routesTo("new"))
				p := r.comeBack(t, h)
				p.nextAfter(t, greetingAfter) // the greeting
				clusters := p.nextAfter(t, 3*time.Second-greetingAfter)
				want(t, "clusters", clusters, "new")
				if diff := cmp.Diff(map[string]float64{"told": 0, "unknown": 2}, counters(t, r.server, "xdsready_recalls_total")); diff != "" {
					t.Errorf("xdsready_recalls_total (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A stream that ends takes its question with it.
func TestRecallEndsWithTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := newServer(t, nil, xds.Options{})
		other.set(t, xds.AllGroup, staticCluster("old"), routesTo("old"))
		h := other.hold(t)
		ended := make(chan error, 1)
		r := newServer(t, nil, xds.Options{Recall: func(ctx context.Context, _ xds.Generation) ([]cache.Resource, error) {
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err()
		}})
		r.set(t, xds.AllGroup, staticCluster("new"), routesTo("new"))
		p := r.comeBack(t, h)
		synctest.Wait()
		p.CloseSend()
		<-p.ended
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the question ended with %v, want %v", err, context.Canceled)
		}
	})
}

// A replica tells what has an order, of groups that it has published.
func TestServerRecall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newServer(t, nil, xds.Options{})
		key := secret("key")
		r.set(t, "edge", staticCluster("a"), staticCluster("b"), routesTo("a"), key)
		synctest.Wait()
		first, _ := r.store.Get("edge")
		r.set(t, "edge", staticCluster("c"), key)
		synctest.Wait()
		a := resourceOf(t, staticCluster("a"))
		for _, test := range []struct {
			name  string
			asked xds.Generation
			want  []string
		}{
			{"a set of the past", xds.Generation{Group: "edge", TypeURL: resourcev3.ClusterType, Version: first.Version(resourcev3.ClusterType)}, []string{"a", "b"}},
			{"those of a name", xds.Generation{Group: "edge", TypeURL: resourcev3.ClusterType, Version: a.Version(), Names: []string{"a", "z"}}, []string{"a"}},
			{"one", xds.Generation{Group: "edge", TypeURL: resourcev3.ClusterType, Version: a.Version()}, []string{"a"}},
			{"another group", xds.Generation{Group: "core", TypeURL: resourcev3.ClusterType, Version: a.Version()}, nil},
			{"another version", xds.Generation{Group: "edge", TypeURL: resourcev3.ClusterType, Version: cache.Version{1}}, nil},
			{"a secret", xds.Generation{Group: "edge", TypeURL: resourcev3.SecretType, Version: resourceOf(t, key).Version()}, nil},
		} {
			resources, ok := r.server.Recall(test.asked)
			var names []string
			for _, resource := range resources {
				names = append(names, resource.Name())
			}
			if !ok {
				names = nil
			}
			if diff := cmp.Diff(test.want, names); diff != "" || ok != (test.want != nil) {
				t.Errorf("%s: %t (-want +got):\n%s", test.name, ok, diff)
			}
		}
	})
}
