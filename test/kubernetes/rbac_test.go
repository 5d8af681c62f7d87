package kubernetes

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// leastRules are the rules that the program needs of the whole cluster, as
// documented.
func leastRules() []rbacv1.PolicyRule {
	var crds []string
	for _, plural := range gatewayCRDs {
		crds = append(crds, plural+"."+gatewayv1.GroupName)
	}
	return append(slices.Collect(maps.Values(reading())), writing(),
		rbacv1.PolicyRule{
			APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{"customresourcedefinitions"}, ResourceNames: crds,
			Verbs: []string{"get"},
		},
		rbacv1.PolicyRule{APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"tokenreviews"}, Verbs: []string{"create"}},
	)
}

// ownRules are those that it needs in its own namespace.
func ownRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "create", "update"}},
		{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
	}
}

// request is an entry of the API server's audit log.
type request struct {
	User      struct{ Username string }
	Verb      string
	ObjectRef *struct{ Resource, Subresource, APIGroup string }
	Status    struct{ Code int } `json:"responseStatus"`
	URI       string             `json:"requestURI"`
}

// requests returns what a user has asked of the API server so far.
func (a *apiServer) requests(t *testing.T, user string) []request {
	t.Helper()
	log, err := os.Open(a.auditLog)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	var requests []request
	for decoder := json.NewDecoder(log); decoder.More(); {
		var r request
		if err := decoder.Decode(&r); err != nil {
			break // the last line is being written
		}
		if r.User.Username == user {
			requests = append(requests, r)
		}
	}
	return requests
}

// With exactly the documented rights all of it works: reading, confirming,
// writing status as the elected replica, reviewing tokens. The API server's
// audit log has no request that was refused, and none beyond these rights; each
// right is used.
func TestLeastRights(t *testing.T) {
	t.Parallel()
	s := newSceneWithClass(t, shared)
	account := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: s.namespace, Name: "control-plane"}
	s.create(t, &corev1.ServiceAccount{ObjectMeta: s.meta(account.Name)},
		&rbacv1.Role{ObjectMeta: s.meta("own"), Rules: ownRules()},
		&rbacv1.RoleBinding{
			ObjectMeta: s.meta("own"), Subjects: []rbacv1.Subject{account},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "own"},
		})
	s.grant(t, account, "all", leastRules()...)
	v := newVaultIn(t, s, s.tokenKubeconfig(t, account.Name), "--leader-election-namespace", s.namespace)
	v.useEverything(t)
	v.Terminate(t) // it gives the Lease back
	v.WantExit(t)

	used := map[string]bool{}
	for _, r := range s.requests(t, "system:serviceaccount:"+s.namespace+":"+account.Name) {
		if r.Status.Code == http.StatusForbidden || r.Status.Code == http.StatusUnauthorized || r.ObjectRef == nil {
			t.Errorf("%d: %s %s", r.Status.Code, r.Verb, r.URI)
			continue
		}
		used[r.Verb+" "+strings.TrimSuffix(r.ObjectRef.Resource+"/"+r.ObjectRef.Subresource, "/")] = true
	}
	for _, right := range []string{
		"watch httproutes", "get services", "list endpointslices", "patch gatewayclasses/status", "patch gateways/status",
		"patch httproutes/status", "get customresourcedefinitions", "create tokenreviews", "create leases", "update leases",
	} {
		if !used[right] {
			t.Errorf("nothing used the right to %s; used: %q", right, sorted(used))
		}
	}
}

// useEverything has the program do all that it does.
func (v *vault) useEverything(t *testing.T) {
	t.Helper()
	proxy := connect(t, v.program, "delta", v.as(ofGateway(v.group("mine")).node, v.token(t, "mine", audience)))
	proxy.until(t, "its route", v.serves("mine", "app"))
	v.create(t, v.route("dangling", "mine", "missing"), v.service("empty"), v.route("empty", "mine", "empty"))
	v.wantRoute(t, "dangling", fails(gatewayv1.RouteConditionResolvedRefs, gatewayv1.RouteReasonBackendNotFound))
	v.wantRoute(t, "empty", holds(gatewayv1.RouteConditionResolvedRefs, gatewayv1.RouteReasonResolvedRefs))
	v.wantGateway(t, "mine", holds(gatewayv1.GatewayConditionProgrammed, gatewayv1.GatewayReasonProgrammed))
	v.remove(t, v.route("dangling", "mine", "missing"))
	proxy.until(t, "the end of a route", func(held view) bool { return held.routes()[pathOf("dangling")] == nil })
	var class gatewayv1.GatewayClass
	v.wantConditions(t, "GatewayClass", []condition{holds(gatewayv1.GatewayClassConditionStatusAccepted, gatewayv1.GatewayClassReasonAccepted)},
		func() ([]metav1.Condition, int64, error) {
			err := v.client.Get(t.Context(), client.ObjectKey{Name: v.namespace}, &class)
			return class.Status.Conditions, class.Generation, err
		})
}

// tokenKubeconfig writes the kubeconfig of a ServiceAccount of the scene.
func (s *scene) tokenKubeconfig(t *testing.T, account string) string {
	t.Helper()
	config := s.environment.Config
	return kubeconfigOf(t, config.Host, config.CAData, s.token(t, account))
}
