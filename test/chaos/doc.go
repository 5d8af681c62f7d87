// Command chaos runs control planes, each in several replicas, while all goes
// wrong with them that can, and tells what their proxies suffered:
//
//	make chaos                                     half an hour: xdsready and two baselines; then make restart
//	make chaos DURATION=3m SEED=42                 shorter, and what happened in the run with that seed
//	go run ./test/chaos --help                     the flags behind it, and --output json
//
// Three worlds live side by side through the same configuration and the same
// events, both drawn from the seed:
//
//	               ╭ directory ─▶ replica 0 ─▶ link ╮
//	config ────────┼ directory ─▶ replica 1 ─▶ link ┼─▶ Envoys, delta and SotW ─▶ backends
//	1 change a s   ╰ directory ─▶ replica 2 ─▶ link ╯      ▲          │              ▲
//	                     ▲            ▲          ▲         │ requests │ samples      │
//	schedule ────────────┴────────────┴──────────┴─────────┼──────────┼──────────────╯
//	events                                                 ▼          ▼
//	                                                    verdict of each world ──▶ table
//
// A link is a TCP proxy, the network of its replica. Each Envoy has the
// addresses of all links in its bootstrap, as a headless Service gives them.
// No version of the configuration has a request that may fail, so each answer
// that is not 2xx counts, except from a backend that the schedule took away; and
// so does each cluster, endpoint or listener that all versions have which a
// proxy may hold, and the proxy has not.
//
// What is simulated: the disk is full for a writer that writes in place, and has
// room for half of the file. The clock of a replica jumps when it is stopped and
// goes on; the time of day is not touched, since Linux has one for the whole
// machine, and a Go program takes no other from a library.
//
// The table goes to standard output, progress to standard error. Exit codes: 0
// the promise was kept, 1 it was broken, or a run of ten minutes or more broke
// none of a baseline's, so that it shows nothing; 2 a flag is wrong or something
// could not be run.
package main
