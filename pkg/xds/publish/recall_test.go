package publish_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/xds/publish"
)

// recallWithin is how long others may take to tell a version.
const recallWithin = 2 * time.Second

func recallOptions() publish.Options {
	o := envoyOptions(false)
	o.Recall = true
	return o
}

// tell lets a replica that has published these answer for what is lost, and returns
// what that was.
func (r *rig) tell(published ...*cache.Snapshot) (lost []string) {
	r.t.Helper()
	for all := r.proxy.Lost(); len(all) > 0; all = r.proxy.Lost() {
		l := all[0]
		lost = append(lost, fmt.Sprintf("%s %v", cache.Kind(l.TypeURL), l.Names.All()))
		if served := recalled(r.t, l, publish.NewTarget(published[0], published[1:])); served != nil {
			r.past = append(r.past, served)
			r.proxy.SetTarget(publish.NewTarget(r.past[0], r.past[1:]))
		}
		r.proxy.Vain(l)
	}
	return lost
}

// recalled is what a replica with that target tells, nil for nothing.
func recalled(t *testing.T, l publish.Lost, replica *publish.Target) *cache.Snapshot {
	t.Helper()
	resources, ok := replica.Recall(l.TypeURL, l.Version, l.Names)
	if !ok {
		return nil
	}
	served, err := cache.Served(resources, nil)
	if err != nil {
		t.Fatal(err)
	}
	if served.Version(l.TypeURL) != l.Version {
		t.Fatalf("Recall(%s, %s) = %v, which is another version", l.TypeURL, l.Version, resources)
	}
	return served
}

// What another replica has published is brought on from in order: the new cluster,
// then the route, then the old one goes.
func TestAVersionOfAnotherReplicaIsRecalled(t *testing.T) {
	before, after := snapshot(t, swapConfig(t, "old", "old")...), snapshot(t, swapConfig(t, "new", "new")...)
	r := resumeRig(t, recallOptions(), after) // it has never seen before
	r.reconnect(false, before)
	want := []string{"cluster []", "route table [routes]"}
	if diff := cmp.Diff(want, r.tell(before)); diff != "" {
		t.Errorf("lost (-want +got):\n%s", diff)
	}
	r.want("EDS 1:") // of old; they have gone
	r.wantAfter(100*time.Millisecond, "CDS 2: new old")
	r.ack("CDS", "2")
	r.want("RDS 3: routes")
	r.ack("RDS", "3", "routes")
	r.wantAfter(removalDelay, "CDS 4: new")
	if events := r.events(publish.UnknownVersion); len(events) > 0 {
		t.Errorf("unknown: %v", events)
	}
}

// A version in the middle of a switch is a set and a cluster besides: both are
// asked for.
func TestAnOldClusterIsRecalled(t *testing.T) {
	middle := loaded(t, false)
	middle.publish(swapConfig(t, "new", "new")...)
	response, _ := middle.proxy.Next(middle.now)
	r := resumeRig(t, recallOptions(), snapshot(t, swapConfig(t, "newest", "newest")...))
	r.send(publish.Request{TypeURL: resourcev3.ClusterType, Version: response.Version})
	want := []string{"cluster []", "cluster []"}
	if diff := cmp.Diff(want, r.tell(middle.past...)); diff != "" {
		t.Errorf("lost (-want +got):\n%s", diff)
	}
	r.wantAfter(100*time.Millisecond, "CDS 1: newest new old")
}

// Nothing goes before others have answered, but not for long.
func TestARecallEnds(t *testing.T) {
	before, after := snapshot(t, swapConfig(t, "old", "old")...), snapshot(t, swapConfig(t, "new", "new")...)
	for _, test := range []struct {
		name string
		tell bool
		lost int
	}{
		{"nobody answers", false, 2},
		{"nobody knows", true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := resumeRig(t, recallOptions(), after)
			r.send(publish.Request{TypeURL: resourcev3.ListenerType, Version: after.Version(resourcev3.ListenerType).String()})
			r.send(publish.Request{TypeURL: resourcev3.ClusterType, Version: after.Version(resourcev3.ClusterType).String()})
			r.send(publish.Request{
				TypeURL: resourcev3.RouteType, Version: before.Version(resourcev3.RouteType).String(), Names: publish.NewNames([]string{"routes"}),
			})
			end := recallWithin
			if test.tell {
				r.tell(after)
				end = 100 * time.Millisecond
			} else {
				r.wantAfter(100*time.Millisecond, "SDS 1: (greeting)")
				end -= 100 * time.Millisecond
			}
			r.now = r.now.Add(end - time.Nanosecond)
			r.want()
			r.now = r.now.Add(time.Nanosecond)
			if got := r.responses(); len(got) != 1 || got[0][:3] != "RDS" {
				t.Errorf("sent: %v, want the routes", got)
			}
			if events := r.events(publish.UnknownVersion); len(events) != 1 {
				t.Errorf("unknown: %v, want the routes", events)
			}
		})
	}
}

// Without an order to keep nobody is asked, and secrets are nobody's business.
func TestOnlyWhatHasAnOrderIsRecalled(t *testing.T) {
	s := snapshot(t, append(swapConfig(t, "a", "a"), secret("key", 0))...)
	version := cache.Version{1}.String()
	for _, test := range []struct {
		name    string
		options publish.Options
		kind    string
	}{
		{"no others", envoyOptions(false), "CDS"},
		{"a stream of one type", publish.Options{Recall: true}, "CDS"},
		{"endpoints", recallOptions(), "EDS"},
		{"secrets", recallOptions(), "SDS"},
	} {
		r := resumeRig(t, test.options, s)
		r.send(publish.Request{TypeURL: types[test.kind], Version: version})
		if lost := r.proxy.Lost(); len(lost) > 0 {
			t.Errorf("%s: lost %v", test.name, lost)
		}
	}
}

// TestSimulationWithRecall is the simulation with replicas that know what the
// server does not. If they answer at once, nothing that was published is unknown.
func TestSimulationWithRecall(t *testing.T) {
	library := newLibrary(t)
	if *simulationSeed != 0 {
		simulateRecalling(t, library, *simulationSeed)
		return
	}
	next := rand.New(rand.NewPCG(3, 0)).Uint64
	if *simulationNew {
		next = rand.Uint64
	}
	told := 0
	for range *simulationRuns / slower / 4 {
		told += simulateRecalling(t, library, next())
	}
	if told == 0 && *simulationRuns > 100 {
		t.Error("nothing was ever recalled")
	}
}

// simulateRecalling returns how many versions were recalled.
func simulateRecalling(t *testing.T, library *library, seed uint64) int {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	s := &simulation{t: t, library: library, random: random, others: &others{prompt: random.IntN(2) == 0}}
	s.options.Recall = true
	s.run(fmt.Sprintf("recalling seed %d, prompt: %t", seed, s.others.prompt))
	return s.others.told
}

// others are the other replicas. The nil pointer is a world without.
type others struct {
	prompt bool // they answer at once and know everything
	told   int  // so many versions

	// By type: the version is of names that the proxy does not ask for any more, so
	// that it cannot be recognized by anybody. Since the stream began.
	nobody map[string]bool
}

// connect notes that another stream begins.
func (o *others) connect() {
	if o != nil {
		o.nobody = map[string]bool{}
	}
}

// answer lets them answer now and then.
func (o *others) answer(s *simulation) {
	if o == nil || o.prompt || s.random.IntN(3) > 0 {
		return
	}
	if lost := s.proxy.Lost(); len(lost) > 0 {
		o.tell(s, lost[s.random.IntN(len(lost))], s.random.IntN(3) > 0)
		s.pump()
	}
}

// answerAll lets them answer all, if they are prompt.
func (o *others) answerAll(s *simulation) {
	for o != nil && o.prompt && len(s.proxy.Lost()) > 0 {
		o.tell(s, s.proxy.Lost()[0], true)
	}
}

func (o *others) tell(s *simulation, l publish.Lost, known bool) {
	served := (*cache.Snapshot)(nil)
	if known {
		served = recalled(s.t, l, publish.NewTarget(s.target, s.past))
	}
	s.tracef("others are asked for %s %.4s: %t", short(l.TypeURL), l.Version, served != nil)
	o.nobody[l.TypeURL] = o.nobody[l.TypeURL] || served == nil
	if served != nil {
		o.told++
		s.past = append(s.past, served)
		s.known = append(slices.Clone(s.known), served)
		s.proxy.SetTarget(publish.NewTarget(s.target, s.known[1:]))
	}
	s.proxy.Vain(l)
}

// event looks whether something was unknown although somebody knows it.
func (o *others) event(s *simulation, e publish.Event) {
	if o != nil && o.prompt && (e.Kind == publish.UnknownVersion || e.Kind == publish.UnknownOld) && !o.nobody[e.TypeURL] {
		s.fatalf("unknown: %s %s", short(e.TypeURL), e.Message)
	}
}
