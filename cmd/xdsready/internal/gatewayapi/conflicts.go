package gatewayapi

import (
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// markConflicts finds listeners that share a port and cannot be told apart. The
// Gateway API has none of them win: all are left out.
//
// A listener of a protocol that is not supported conflicts with nothing, since
// no part of it is served.
func markConflicts(listeners []*listener) {
	for _, l := range listeners {
		l.conflict = conflictOf(l, listeners)
	}
	for _, l := range listeners {
		if !l.conflict.none() && l.accepted.none() {
			l.accepted = l.conflict
		}
	}
	for _, l := range listeners {
		l.overlap = overlapOf(l, listeners)
	}
}

func conflictOf(l *listener, all []*listener) fault {
	var protocol, hostname []string
	for _, o := range all {
		switch {
		case o == l || !l.sharesPort(o):
		case o.spec.Protocol != l.spec.Protocol:
			protocol = append(protocol, string(o.spec.Name))
		case o.hostname == l.hostname:
			hostname = append(hostname, string(o.spec.Name))
		}
	}
	if len(protocol) > 0 {
		return faultf(gatewayv1.ListenerReasonProtocolConflict, "port %d has another protocol in: %s",
			l.spec.Port, strings.Join(protocol, ", "))
	}
	if len(hostname) > 0 {
		return faultf(gatewayv1.ListenerReasonHostnameConflict, "port %d has the same hostname in: %s",
			l.spec.Port, strings.Join(hostname, ", "))
	}
	return fault{}
}

// sharesPort reports whether both would be served on one port.
func (l *listener) sharesPort(o *listener) bool {
	return l.supported() && o.supported() && l.spec.Port == o.spec.Port
}

// overlapOf says with which other listeners of the port a TLS connection made
// for this one could be used, because a name is of both.
func overlapOf(l *listener, all []*listener) string {
	if !l.secure() || !l.accepted.none() {
		return ""
	}
	var names []string
	for _, o := range all {
		if o == l || !l.sharesPort(o) || !o.accepted.none() {
			continue
		}
		if _, ok := intersect(l.hostname, o.hostname); ok {
			names = append(names, string(o.spec.Name))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "a hostname is also one of: " + strings.Join(names, ", ")
}
