package examples

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/xdsready/xdsready/test/apiserver"
)

// inputs is what a program reads its config from.
type inputs interface {
	arguments() []string // that point a program at it
	add()                // one service, the only one: cluster
	hold()               // an input does not answer
	release()
	refuse() // an input answers with an error
	allow()
}

// cluster is the name under which programs serve what inputs.add adds.
const cluster = "default/web"

// newInputs returns empty inputs for a program.
func newInputs(t *testing.T, name string) inputs {
	t.Helper()
	if name == "embed-go-control-plane" {
		return newBackends(t)
	}
	return kubernetes{apiserver.New(t)}
}

// kubernetes is an API server, of which only EndpointSlices fail to answer.
type kubernetes struct{ *apiserver.Server }

func (k kubernetes) arguments() []string { return []string{"-kubeconfig", k.Kubeconfig()} }
func (k kubernetes) hold()               { k.Hold("endpointslices") }
func (k kubernetes) release()            { k.Release("endpointslices") }
func (k kubernetes) refuse()             { k.Refuse("endpointslices") }
func (k kubernetes) allow()              { k.Allow("endpointslices") }

func (k kubernetes) add() {
	port := int32(8080)
	k.Add("services", &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}})
	k.Add("endpointslices", &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: "web-1", Labels: map[string]string{discoveryv1.LabelServiceName: "web"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}},
		Ports:       []discoveryv1.EndpointPort{{Port: &port}},
	})
}

// backends is the service registry that the go-control-plane example asks.
type backends struct {
	url string

	mu      sync.Mutex // guards all below
	known   []map[string]string
	refused bool
	open    chan struct{} // closed while requests are answered
}

func newBackends(t *testing.T) *backends {
	t.Helper()
	b := &backends{known: []map[string]string{}, open: make(chan struct{})}
	close(b.open)
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func (b *backends) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	b.mu.Lock()
	open := b.open
	b.mu.Unlock()
	select {
	case <-open:
	case <-request.Context().Done():
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refused {
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	_ = json.NewEncoder(w).Encode(b.known) // an error means that the client has gone
}

func (b *backends) arguments() []string { return []string{"-backends", b.url} }

func (b *backends) add() {
	b.change(func() { b.known = append(b.known, map[string]string{"group": "edge", "name": cluster}) })
}

func (b *backends) hold()    { b.change(func() { b.open = make(chan struct{}) }) }
func (b *backends) release() { b.change(func() { close(b.open) }) }
func (b *backends) refuse()  { b.change(func() { b.refused = true }) }
func (b *backends) allow()   { b.change(func() { b.refused = false }) }

func (b *backends) change(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}
