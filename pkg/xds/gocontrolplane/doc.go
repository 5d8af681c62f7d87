// Package gocontrolplane puts the server of package xds into a program that has
// a go-control-plane cache. The program changes one constructor
//
//	server := serverv3.NewServer(ctx, snapshots, callbacks)
//
// to
//
//	server := gocontrolplane.NewServer(ctx, snapshots, callbacks, gocontrolplane.Options{Hash: hash})
//
// and keeps its cache, its callbacks and its registrations.
//
//	SetSnapshot ──▶ SnapshotCache ─┐ one watch per      ┌──▶ cache.Store ──▶ xds.Server ──▶ proxies
//	UpdateResource ▶ MuxCache ─────┘ node group ──▶ read, build              callbacks ◀──┘
//
// # What is read, and when
//
// A node group is followed from the first stream of it on. It is read whole, at
// once, before the server sees the stream's first request, so that a callback
// which stores a snapshot for a new node is in time. After that it is read
// again at each change of its content. What was read is closed and versioned by
// content (see package cache): the cache's own versions decide nothing.
//
// A SnapshotCache is read atomically: proxies see the snapshots that SetSnapshot
// got, some of them perhaps skipped, never a mixture of two. A MuxCache, and a
// LinearCache, cannot be: between an update of its clusters and one of its
// routes there is a moment in which only the first has happened. Changes that
// follow one another within a few milliseconds are taken as one, and each step
// is ordered, but a program whose updates of one change lie further apart shows
// its proxies both.
//
// # What differs from go-control-plane's server
//
//   - The names in a request are shared by all proxies that sent the same: a
//     callback must not change them.
//   - Responses are encoded once, for all proxies. OnStreamResponse and
//     OnStreamDeltaResponse are given them decoded, once for each proxy; what they
//     change is not sent. CallbackFuncs without the two cost nothing.
//   - ClearSnapshot takes nothing from proxies. A group keeps its last snapshot
//     until [Options.Retention] after its last stream has closed. What SetSnapshot
//     stores after it reaches proxies within a second.
//   - The cache sees one watch per group in place of one per proxy, in the status
//     of the SnapshotCache too.
//   - A snapshot that does not convert (two resources of one name, say) is logged,
//     and the last good one stays.
//   - RateLimitConfig, which no Envoy asks for, is not served.
package gocontrolplane
