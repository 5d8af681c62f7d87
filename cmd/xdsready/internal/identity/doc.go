// Package identity decides whether a proxy may take the config of a Gateway. A
// Gateway's config holds its TLS keys, so a proxy must prove that it belongs to
// the Gateway: by a certificate whose name is made of the Gateway's (SANs), or by
// a token of the ServiceAccount of the Gateway's name (Tokens).
package identity

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/validation"
)

// gateway splits a node group, which is a proxy's own claim. Only what can be
// the name of an object passes, so no claim can be a pattern.
func gateway(group string) (namespace, name string, err error) {
	namespace, name, ok := strings.Cut(group, "/")
	if !ok || len(validation.ValidateNamespaceName(namespace, false)) > 0 || len(validation.NameIsDNSSubdomain(name, false)) > 0 {
		return "", "", fmt.Errorf("%.200q is not the NAMESPACE/NAME of a Gateway", group)
	}
	return namespace, name, nil
}
