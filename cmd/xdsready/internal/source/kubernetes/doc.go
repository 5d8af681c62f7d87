// Package kubernetes is a cluster as a source of config: the Gateways of our
// GatewayClasses, each the node group of its proxies.
//
//	API server ──list, watch──▶ input ────▶ krt collections ────▶ model ────▶ Take
//	            one reflector   (one per     accepted-gateways,    (what the    Update: the resources
//	            per resource    resource)    compiled-routes       last one     of each Gateway that
//	                              │              │                 was made     may have changed
//	                              ▼              ▼                 of)            │
//	        checks of the tier: informers       krt               ▲              ▼
//	                                                 confirmer ───┘            statuses ──▶ API server
//	                                        what is missing: is it
//	                                        absent, or only late?
//
// One object's way: its reflector puts it into its collection; the handlers of
// that collection and of those derived from it note its key; Take looks up what
// became of it and of what depends on it, and nothing else; what refers is read
// before what is referred to. The rules are in docs/kubernetes.md.
package kubernetes
