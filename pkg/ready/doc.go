// Package ready decides when a control plane may serve: it collects sync
// signals in ordered tiers and opens a gate once every tier has reported.
//
// The rule is causality, not content. A thing is "not known yet" until the
// inputs it derives from are synced; after that its absence is knowledge. So
// tiers are ordered, what a tier reports counts only once the tiers before it
// are complete, and the last one waits for a snapshot that was computed after
// its inputs. A gate that looks at content instead ("every referenced cluster
// has endpoints") waits for ever wherever a reference dangles, and one that
// asks only whether the process is up serves partial config.
//
// One signal's way through the package:
//
//	source ──▶ check ──▶ tier ──▶ gate ──┬──▶ Ready   /readyz, gRPC health
//	          pending    complete  two   └──▶ Open    admission of streams
//	          failed     when all  bits
//	          synced     are synced,
//	                     tiers in order
//
// A source is registered as a check on a tier by the method that fits what it
// has: [Tier.Wait], [Tier.Func], [Tier.Chan], [Tier.Checker], [Tier.Syncer],
// [Tier.Cache], [Tier.Backlog] or [Tier.Live] is called by the registry,
// [Tier.Signal] and [Tier.Snapshot] are reported by hand. All take structural
// types, so this package imports no client of Kubernetes.
//
//	reg := ready.New("inputs", "snapshot")
//	reg.Tier("inputs").Checker(informer.HasSyncedChecker())
//	snapshot := reg.Tier("snapshot").Snapshot("xds")
//	go reg.Start(reg.WithDrain(ctx, 5*time.Second))
//	http.Handle("/readyz", reg)
//	...
//	stored := snapshot.Begin()
//	cache.SetSnapshot(ctx, group, build())
//	stored()
//
// Opening latches: established proxies and those that have nowhere else to go
// are never locked out by a source that fails later. A nil *Registry, *Tier or
// *Snapshot is ready in every method, so that code that is handed one needs no
// change where there is none, as in unit tests.
package ready
