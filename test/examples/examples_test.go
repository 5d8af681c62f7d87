package examples

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/xdsready/xdsready/test/apiserver"
)

// missing is what a program calls the input that hold and refuse stop.
var missing = map[string]string{
	"embed-go-control-plane":   "snapshot: xds",
	"embed-controller-runtime": "inputs: SharedIndexInformer *v1.EndpointSlice",
	"embed-krt":                "inputs: EndpointSlices",
}

func TestRefusesUntilItKnowsAllAndServesThen(t *testing.T) {
	for _, program := range admitting {
		name := program.name
		t.Run(program.form+" "+name, func(t *testing.T) {
			t.Parallel()
			in := newInputs(t, name)
			in.add()
			in.hold()
			p := start(t, program.form, name, in.arguments()...)
			p.untilRed(t, missing[name])
			wantRefused(t, p, missing[name])

			in.release()
			p.untilGreen(t)
			admitted := connect(t, p)
			wantClusters(t, admitted, cluster)

			p.Terminate(t)
			p.untilRed(t, "draining")
			wantClusters(t, connect(t, p), cluster) // admitted: the balancers do not know yet
			p.WantExit(t)
			if _, err := admitted.clusters(); err == nil {
				t.Error("the stream has outlived the process")
			}
		})
	}
}

func TestBeforeIsGreenWhileItKnowsNothing(t *testing.T) {
	for _, name := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := newInputs(t, name)
			in.add()
			in.hold()
			p := start(t, before, name, in.arguments()...)
			p.untilGreen(t)

			early := connect(t, p)
			if name == "embed-krt" {
				wantClusters(t, early) // Envoy would run on this
			}
			in.release()
			wantClusters(t, early, cluster) // it was admitted, and the others kept it waiting in silence
		})
	}
}

func TestSaysWhyAnInputFails(t *testing.T) {
	why := map[string]string{
		"embed-go-control-plane":   "403 Forbidden",
		"embed-controller-runtime": `endpointslices is forbidden: User "test" cannot list resource`,
		"embed-krt":                "EndpointSlices pending", // krt keeps the words of its informers to itself
	}
	for _, name := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := newInputs(t, name)
			in.refuse()
			p := start(t, gated, name, in.arguments()...)
			p.untilRed(t, missing[name], why[name])
			wantRefused(t, p, missing[name])
			in.allow()
			p.untilGreen(t)
		})
	}
}

func TestEmptyInputOpensTheGate(t *testing.T) {
	for _, program := range admitting {
		name := program.name
		t.Run(program.form+" "+name, func(t *testing.T) {
			t.Parallel()
			in := newInputs(t, name)
			p := start(t, program.form, name, in.arguments()...)
			p.untilGreen(t)

			admitted := connect(t, p)
			if name != "embed-go-control-plane" { // there are no groups: a proxy of one waits
				wantClusters(t, admitted)
			}
			in.add()
			wantClusters(t, admitted, cluster)
		})
	}
}

func TestFollowerOpensTheGate(t *testing.T) {
	const name = "embed-controller-runtime"
	in := kubernetes{apiserver.New(t)}
	in.add()
	holder, seconds, now := "another replica", int32(3600), metav1.NewMicroTime(time.Now())
	in.Add("leases", &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, AcquireTime: &now, RenewTime: &now},
	})
	p := start(t, gated, name, append(in.arguments(), "-leader-elect", "default")...)
	p.untilGreen(t)
	wantClusters(t, connect(t, p), cluster)

	metrics := strings.Replace(p.reason, "/readyz", "/metrics", 1)
	p.Until(t, metrics, "a follower", func(code int, body string) bool {
		return code == http.StatusOK && strings.Contains(body, `leader_election_master_status{name="`+name+`"} 0`)
	})
}

func TestForgottenTierStaysRedAndSaysSo(t *testing.T) {
	for _, name := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := newInputs(t, name)
			in.add()
			p := start(t, forgetful, name, in.arguments()...)
			p.Until(t, p.reason+"?exclude=forgotten", "green", func(code int, _ string) bool { return code == http.StatusOK })
			p.untilRed(t, "forgotten", "nothing registered")
			wantRefused(t, p, "forgotten", "nothing registered")
		})
	}
}

// wantRefused checks that a proxy is refused with the words.
func wantRefused(t *testing.T, p *program, words ...string) {
	t.Helper()
	_, err := connect(t, p).clusters()
	if status.Code(err) != codes.Unavailable {
		t.Fatalf("a proxy that comes too early got %v, want UNAVAILABLE", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("a proxy that comes too early got %v, want an error with %q", err, word)
		}
	}
}

// wantClusters checks the next response to a proxy.
func wantClusters(t *testing.T, p *proxy, want ...string) {
	t.Helper()
	got, err := p.clusters()
	if err != nil {
		t.Fatalf("a proxy got %v, want the clusters %q", err, want)
	}
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		t.Errorf("the clusters of a proxy (-want +got):\n%s", diff)
	}
}
