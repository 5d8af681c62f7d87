package deploy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// withToken are the rights of a control plane that reviews tokens: these and no
// others, which docs/install.md explains one by one.
var withToken = []string{
	"cluster: create authentication.k8s.io/tokenreviews",
	"cluster: get apiextensions.k8s.io/customresourcedefinitions gatewayclasses.gateway.networking.k8s.io",
	"cluster: get apiextensions.k8s.io/customresourcedefinitions gateways.gateway.networking.k8s.io",
	"cluster: get apiextensions.k8s.io/customresourcedefinitions httproutes.gateway.networking.k8s.io",
	"cluster: get apiextensions.k8s.io/customresourcedefinitions referencegrants.gateway.networking.k8s.io",
	"cluster: get,list,watch core/namespaces",
	"cluster: get,list,watch core/secrets",
	"cluster: get,list,watch core/services",
	"cluster: get,list,watch discovery.k8s.io/endpointslices",
	"cluster: get,list,watch gateway.networking.k8s.io/gatewayclasses",
	"cluster: get,list,watch gateway.networking.k8s.io/gateways",
	"cluster: get,list,watch gateway.networking.k8s.io/httproutes",
	"cluster: get,list,watch gateway.networking.k8s.io/referencegrants",
	"cluster: update,patch gateway.networking.k8s.io/gatewayclasses/status",
	"cluster: update,patch gateway.networking.k8s.io/gateways/status",
	"cluster: update,patch gateway.networking.k8s.io/httproutes/status",
	"xdsready-system: create,patch core/events",
	"xdsready-system: get,create,update coordination.k8s.io/leases",
}

func TestRights(t *testing.T) {
	withoutToken := slices.DeleteFunc(slices.Clone(withToken), func(right string) bool { return strings.Contains(right, "tokenreviews") })
	for _, test := range []struct {
		chart, set string
		want       []string
	}{
		{"chart", "default", withToken},
		{"chart", "everything", withToken},
		{"chart", "mtls", withoutToken},
		{"proxy-chart", "default", nil},
		{"proxy-chart", "everything", nil},
	} {
		got := rights(t, decode(t, render(t, test.chart, test.set)))
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s/%s (-want +got):\n%s", test.chart, test.set, diff)
		}
	}
}

// rights returns what the roles allow, a line per resource, or per name where
// only some are meant.
func rights(t *testing.T, objects []runtime.Object) []string {
	t.Helper()
	var all []string
	for _, object := range objects {
		switch role := object.(type) {
		case *rbacv1.ClusterRole:
			all = append(all, lines("cluster", role.Rules)...)
		case *rbacv1.Role:
			all = append(all, lines(role.Namespace, role.Rules)...)
		}
	}
	slices.Sort(all)
	return all
}

func lines(scope string, rules []rbacv1.PolicyRule) []string {
	var all []string
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			if group == "" {
				group = "core"
			}
			for _, resource := range rule.Resources {
				right := scope + ": " + strings.Join(rule.Verbs, ",") + " " + group + "/" + resource
				if len(rule.ResourceNames) == 0 {
					all = append(all, right)
				}
				for _, name := range rule.ResourceNames {
					all = append(all, right+" "+name)
				}
			}
		}
	}
	return all
}

// Every binding gives a role that is there to the ServiceAccount of the pods.
func TestBindings(t *testing.T) {
	objects := decode(t, render(t, "chart", "everything"))
	cluster, local := only[*rbacv1.ClusterRoleBinding](t, objects), only[*rbacv1.RoleBinding](t, objects)
	subject := []rbacv1.Subject{{Kind: "ServiceAccount", Name: "plane", Namespace: "xdsready-system"}}
	want := []any{
		subject, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: only[*rbacv1.ClusterRole](t, objects).Name},
		subject, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: only[*rbacv1.Role](t, objects).Name},
	}
	if diff := cmp.Diff(want, []any{cluster.Subjects, cluster.RoleRef, local.Subjects, local.RoleRef}); diff != "" {
		t.Errorf("bindings (-want +got):\n%s", diff)
	}
}
