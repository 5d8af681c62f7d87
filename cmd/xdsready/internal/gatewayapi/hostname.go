package gatewayapi

import (
	"fmt"
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// A hostname is precise, or begins with "*." and stands for all names that end
// so, however many labels they have. The empty one stands for all names.

// anyHost is the hostname of a listener or route that names none.
const anyHost = ""

// checkHostname returns an error if Envoy or the Gateway API would not take the
// hostname.
func checkHostname(hostname string) error {
	name := strings.TrimPrefix(hostname, "*.")
	if faults := validation.IsDNS1123Subdomain(name); len(faults) > 0 {
		return fmt.Errorf("hostname %q: %s", hostname, faults[0])
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return fmt.Errorf("hostname %q: an IP address is no hostname", hostname)
	}
	return nil
}

func precise(hostname string) bool {
	return hostname != anyHost && !strings.HasPrefix(hostname, "*")
}

// covers reports whether every name that narrow stands for is one of wide.
func covers(wide, narrow string) bool {
	if suffix, ok := strings.CutPrefix(wide, "*"); ok {
		return strings.HasSuffix(narrow, suffix) && len(narrow) > len(suffix)
	}
	return wide == anyHost || wide == narrow
}

// intersect returns the hostname that stands for the names of both. Of two that
// have a name in common one always covers the other.
func intersect(a, b string) (string, bool) {
	switch {
	case covers(a, b):
		return b, true
	case covers(b, a):
		return a, true
	default:
		return "", false
	}
}

// widening returns the hostname and all that cover it, the narrowest first.
func widening(hostname string) []string {
	wider := []string{hostname}
	rest := strings.TrimPrefix(hostname, "*.")
	for rest != "" {
		_, rest, _ = strings.Cut(rest, ".")
		if rest == "" {
			wider = append(wider, anyHost)
		} else {
			wider = append(wider, "*."+rest)
		}
	}
	return wider
}

// domain returns the hostname as a virtual host of Envoy writes it.
func domain(hostname string) string {
	if hostname == anyHost {
		return "*"
	}
	return hostname
}

// hostnameOf returns what an optional field holds.
func hostnameOf(field *gatewayv1.Hostname) string {
	return string(valueOr(field, anyHost))
}
