// Package admission puts the gate of a ready.Registry in front of the xDS
// services of any gRPC server: no proxy gets an answer before the control plane
// knows all it needs for a whole one. It also decides which proxy may take which
// node, and measures how far the connected proxies have come. It needs the
// server's options and nothing else of it, and imports no Envoy types.
//
//	                     method under /envoy.service. ?
//	                       │ no              │ yes
//	                       ▼                 ▼
//	call ──▶ your own    pass         is the gate open? ── yes ──▶ Authorize ──▶ handler
//	         interceptors                    │ no                     │ no         │
//	                       ┌─────────────────┴───┐                    ▼         observed:
//	                    Refuse                  Hold           PERMISSION_      first config,
//	                       │                     │             DENIED           convergence,
//	         UNAVAILABLE naming what is     silent, in order                    NACKs
//	         pending; then the connection   of arrival; when the
//	         is closed                      gate opens: go on; after
//	                                        HoldTimeout, or too many: as Refuse
//
// A whole program, apart from its services and its inputs:
//
//	func main() {
//		reg := ready.New()
//		stored := reg.Tier("snapshot").Signal("config") // call it after the first SetSnapshot
//		reg.Tier("inputs").Func("informers", informersSynced)
//		go reg.Start(context.Background())
//
//		gate, err := admission.New(reg, admission.Options{Mode: admission.Refuse})
//		if err != nil {
//			log.Fatal(err)
//		}
//		prometheus.MustRegister(reg, gate)
//		go http.ListenAndServe("127.0.0.1:8080", reg) // /readyz
//
//		lis, err := net.Listen("tcp", "127.0.0.1:18000")
//		if err != nil {
//			log.Fatal(err)
//		}
//		server := grpc.NewServer(gate.ServerOptions()...)
//		registerServices(server, stored)
//		log.Fatal(server.Serve(gate.Listener(lis)))
//	}
//
// # Refuse or hold
//
//	situation                                        mode    because
//	several replicas behind one address              Refuse  the proxy reaches a replica that is ready (under 2 s)
//	one replica                                      Hold    there is no other; it is served 10–40 ms after opening
//	the whole fleet starts                           Hold    refused proxies come back up to 30 s after opening
//	a Service with publishNotReadyAddresses          Hold    the address leads to replicas that are not ready anyway
//
// Refused, a proxy comes back by its own back-off: up to 30 s with Envoy's
// defaults, within 1 s with envoy_grpc.retry_policy.retry_back_off of 0.1 s to
// 1 s in its bootstrap. In both modes an Envoy with a default bootstrap goes
// live without any config after 30 s; only initial_fetch_timeout: 0s on its
// cds_config and lds_config keeps it out for as long as it takes.
//
// # Order of release
//
// Held calls are admitted in order of arrival, one after the other: a call's
// turn comes when the one before it is on its way into its handler. Handlers run
// concurrently as ever, so that what two neighbours do first may interleave, and
// one that blocks holds up nobody. A call that arrives after the opening does
// not wait for those before it.
//
// While the registry drains, with the gate shut again, every new call is refused
// in either mode: this replica will not be ready any more.
//
// # What the metrics can see
//
// They are read off the messages, not out of the server. A stream is converged
// when all types it subscribed to were answered and the last answers ACKed;
// responses that the server has not sent are unknown. convergence_seconds goes
// from Stored to the last ACK of the pushes that follow it, meaning responses
// that answer no request, with what their ACKs set off within a second. So a
// stream that a snapshot does not concern is not counted, and one that lacks
// several snapshots is counted once, from the oldest. A push that follows a
// changed subscription which the server did not answer is taken for that answer.
//
// One process that has several Admissions registers each with a
// prometheus.WrapRegistererWith of its own.
package admission
