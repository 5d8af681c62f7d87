// Package peers lets the replicas of one control plane look at each other.
//
//	        before opening                       after opening, every 3 s
//	Await   has this replica read at least       Run   is the content equal?  ──▶ status, log, metrics
//	        what its peers had read?                   is the load fair?      ──▶ Shed
//	          │                                          │
//	          ▼            State (peersv1)               ▼
//	      every address ◀───────────────────────── every address
//
// Await never waits for equal content: another version of the program makes
// other config of the same inputs, and it must be able to start. It waits for
// causality: what proxies were told by a peer, and what they may have seen of
// it, must not be taken back by a replica that has read less.
//
// Content is compared as a tree (everything, node groups, types, resources) of
// which each node has a version, and only what differs is looked into. Names and
// versions travel, content does not.
//
// Content travels in one case: a SotW proxy comes with a version that only a peer has
// made. Recall asks all peers for it, and whoever has it sends the clusters, listeners
// or route tables that the proxy holds, so that it can be brought on from there in
// order.
package peers
