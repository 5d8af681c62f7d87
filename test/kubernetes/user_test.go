package kubernetes

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// reading are the rules by which the inputs may be read, as documented, by the
// resource that each is for.
func reading() map[string]rbacv1.PolicyRule {
	rules := map[string]rbacv1.PolicyRule{}
	for group, resources := range map[string][]string{
		"":                  {"namespaces", "services", "secrets"},
		"discovery.k8s.io":  {"endpointslices"},
		gatewayv1.GroupName: gatewayCRDs,
	} {
		for _, resource := range resources {
			rules[resource] = rbacv1.PolicyRule{
				APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{"get", "list", "watch"},
			}
		}
	}
	return rules
}

// writing are the rules by which status may be written.
func writing() rbacv1.PolicyRule {
	return rbacv1.PolicyRule{
		APIGroups: []string{gatewayv1.GroupName},
		Resources: []string{"gatewayclasses/status", "gateways/status", "httproutes/status"},
		Verbs:     []string{"update", "patch"},
	}
}

// grant gives a user, of any kind, rules for the whole cluster.
func (s *scene) grant(t *testing.T, to rbacv1.Subject, name string, rules ...rbacv1.PolicyRule) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: s.namespace + "-" + name}
	s.create(t, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: meta.Name},
		Subjects:   []rbacv1.Subject{to},
	})
}

// userKubeconfig makes a user, who may do nothing yet, and writes its kubeconfig.
func (s *scene) userKubeconfig(t *testing.T, name string) string {
	t.Helper()
	kubeconfig, err := s.user(t, name).KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	return writeKubeconfig(t, kubeconfig)
}

// subject is a user by name.
func subject(user string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}
}
