package gatewayapi

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// A certificate that goes bad while it is used must not take the listener with
// it, and one that may not be used any more must not stay.
func TestTheLastGoodCertificateStays(t *testing.T) {
	const local, foreign = "kind: Secret\nmetadata: {namespace: shop, name: cert}", "kind: Secret\nmetadata: {namespace: bank, name: cert}"
	const grant = `kind: ReferenceGrant
metadata: {namespace: bank, name: certs}
spec: {from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: shop}], to: [{group: "", kind: Secret}]}`
	own := gatewayManifest(httpsListener("{certificateRefs: [{name: cert}]}"))
	other := gatewayManifest(httpsListener("{certificateRefs: [{name: newer}]}"))
	theirs := gatewayManifest(httpsListener("{certificateRefs: [{name: cert, namespace: bank}]}"))
	ours := types.NamespacedName{Namespace: "shop", Name: "cert"}
	for _, test := range []struct {
		name   string
		before []string
		change func(*world)
		stays  bool
	}{
		{"deleted", []string{own, local}, func(w *world) { delete(w.secrets, ours) }, true},
		{"damaged", []string{own, local}, func(w *world) { w.secrets[ours] = &corev1.Secret{ObjectMeta: w.secrets[ours].ObjectMeta} }, true},
		{
			"replaced by one that is not there yet", []string{own, local},
			func(w *world) { w.gateways = load(t, other).gateways }, true,
		},
		{
			"not permitted any more", []string{theirs, foreign, grant},
			func(w *world) { w.grants = nil }, false,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := load(t, test.before...)
			last := w.plan(t)
			test.change(w)
			plan, err := NewGateway(w.gateways[0]).Assemble(nil, w, last)
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Equal(plan.names(), last.names()); got != test.stays {
				t.Errorf("%v after %v: stays is %v, want %v", plan.names(), last.names(), got, test.stays)
			}
			if status := lines(plan.Gateway.Listeners[0].Conditions); len(status) == 0 {
				t.Error("the status says that all is well")
			}
			if fresh := w.plan(t); len(fresh.Resources) > 0 {
				t.Errorf("without a last one: %v", fresh.names())
			}
		})
	}
}
