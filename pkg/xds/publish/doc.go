// Package publish decides what an xDS stream is sent next, so that no proxy
// ever runs on partial config. It is pure: events and the time go in, responses
// come out; it has no goroutine, clock or I/O.
//
//	Request (subscription, ACK, NACK) ─┐
//	SetTarget (newest snapshot) ───────┼──▶ Proxy ──Next──▶ Response, or nothing until Deadline
//	now ───────────────────────────────┘
//
// # One switch
//
// Per proxy, the order is: add → known warm → switch → ACK → remove later.
//
//	           clusters                 route tables, listeners
//
//	           ┌──────────┐
//	target ──▶ │ add,     │ CDS: new ∪ old
//	           │ change   │
//	           └────┬─────┘
//	   CDS ACK, or  │
//	   CLA+secret   ▼
//	   ACKed   ┌──────────┐             ┌────────────────────┐
//	           │   warm   ├───────────▶ │ switch             │ RDS, LDS …
//	           └──────────┘             └─────────┬──────────┘
//	                     not warm in 20 s:        │ ACK
//	                     the table goes, but      ▼
//	                     cold routes keep    ┌────────────────────┐
//	                     their old target;   │ no subscribed table│
//	                     in 2 min it goes    │ names the old one  │
//	                     as it is            └─────────┬──────────┘
//	           ┌──────────┐                            │ removal delay,
//	           │  remove  │ ◀──────────────────────────┘ listener drain
//	           └──────────┘ CDS: new
//
// Nothing above is a state of its own. A [Proxy] knows, per type, what it wants
// the proxy to have (the target) and what the proxy holds (the view), and each
// call of [Proxy.Next] asks of every difference between the two: may it go now?
// So a newer snapshot that arrives in the middle of a switch needs no special
// case: the differences are others, and nothing is ever sent of a snapshot that
// is no longer the newest.
//
// # What may go when
//
//   - Endpoints and secrets, and clusters that are new or changed: at once.
//   - A route table, listener, scoped route, virtual host or extension config
//     that replaces another: when each cluster that it needs, and that the old
//     one does not use already, is known warm. A listener needs the clusters of
//     the route tables that it names.
//   - One that replaces nothing: at once, except for a listener, which would
//     take traffic before its clusters can, and a route table that is asked for
//     after the first load, for which a listener may wait that replaces another.
//   - An HTTP filter that is added together with config for single routes: the
//     listener first. One that is removed: the route table first.
//   - The removal of a cluster: when its use has ended for sure; see remove.go.
//   - The removal of much at once, where it is guarded: later; see guard.go.
//
// # What a proxy holds when it comes back
//
// A delta proxy says it. A SotW proxy says a version, which is that of a snapshot
// of the past, or of parts of some: see resume.go. What is [Proxy.Lost] may be told
// by another replica, for which the proxy is left alone for a moment; what nobody
// knows is sent in plain order.
//
// # Known warm
//
// A cluster is warm when a CDS response is ACKed that carried it or came after,
// for Envoy holds that ACK while any cluster warms; and, finer, when it gets its
// endpoints by EDS, has no active health check, and its load assignment and its
// secrets were sent and ACKed after it. (On the first load Envoy ACKs CDS at
// once and asks for listeners when all clusters are warm: that request counts.)
//
// A stream that does not ask for all clusters, as gRPC's clients do not, waits
// for none. Streams of a single type get content and resume, but no order.
package publish
