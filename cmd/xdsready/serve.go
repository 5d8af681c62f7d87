package main

import (
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/controlplane"
	"github.com/xdsready/xdsready/cmd/xdsready/internal/source/kubernetes"
)

const serveExamples = `  # A directory of Envoy resources, for Envoys on this machine
  xdsready serve --source dir:examples/quickstart/config
  envoy --config-yaml "$(xdsready bootstrap)" --service-node my-id --service-cluster my-cluster

  # On all addresses with mTLS: only a certificate for group "edge" gets its config
  xdsready serve --source dir:/etc/xdsready --node-group cluster \
    --xds-address :18000 --http-address :8080 \
    --tls-cert tls.crt --tls-key tls.key --tls-client-ca ca.crt \
    --group-san 'edge=spiffe://example.org/ns/*/sa/edge'

  # The Gateways of a Kubernetes cluster, for a pod; proxies prove theirs by a token
  xdsready serve --source kubernetes --xds-address :18000 --http-address :8080 \
    --tls-cert tls.crt --tls-key tls.key --token-audience xdsready

  # Hold Envoys instead of refusing them (a single replica, a fleet start)
  xdsready serve --source dir:/etc/xdsready --admission hold`

func newServeCommand() *cobra.Command {
	var o controlplane.Options
	var logFormat string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the control plane",
		Long: `Run the control plane: read the source, keep /readyz red and Envoy out until every
tier has reported, then serve.

SIGTERM drains: /readyz is red at once while all is served for --drain-delay;
then new streams are refused and the proxies leave over --drain-window, each when
it is not in the middle of a change; then the process ends. "xdsready drain" does
the same. A second SIGTERM, or SIGINT, ends it at once.

Exit codes: 0 after a drain, 1 when serving failed, 2 when a flag, a file or an
address cannot be used, 130 after SIGINT.`,
		Example: serveExamples,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			defer exitOnInterrupt(cmd.Context())()
			logger, err := newLogger(cmd.ErrOrStderr(), logFormat, o.Debug)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			slog.SetDefault(logger)
			o.Logger, o.Version = logger, buildVersion()
			plane, err := controlplane.New(o)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			go shareProcessors(cmd.Context(), plane.Opened())
			if err := plane.Run(cmd.Context()); err != nil {
				return &exitError{exitFault, err}
			}
			return nil
		},
	}
	flags := cmd.Flags()
	addSourceFlags(flags, &o)
	addServingFlags(flags, &o)
	addDrainFlags(flags, &o)
	addPeerFlags(flags, &o)
	addIdentityFlags(flags, &o)
	addTestFlags(flags, &o)
	flags.StringVar(&logFormat, "log-format", "text", "text or json")
	must(cmd.MarkFlagDirname("source"))
	for flag, values := range map[string][]string{
		"admission": {"refuse", "hold"}, "node-group": {"all", "cluster", "id"}, "log-format": {"text", "json"},
	} {
		must(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)))
	}
	return cmd
}

// addSourceFlags adds the flags of where the config comes from.
func addSourceFlags(flags *pflag.FlagSet, o *controlplane.Options) {
	flags.StringVar(&o.Source, "source", "", "where the config comes from: dir:PATH or kubernetes (required)")
	flags.StringVar(&o.Kubeconfig, "kubeconfig", "", "kubeconfig file of the cluster; default: the pod's ServiceAccount, outside a pod what kubectl uses")
	flags.StringVar(&o.ControllerName, "controller-name", kubernetes.DefaultController, "spec.controllerName of the GatewayClasses that are ours")
	flags.StringSliceVar(&o.OptionalCRDs, "optional-crds", nil, "resources that count as known empty while their CRD is not installed, of "+strings.Join(kubernetes.CRDs, ", "))
	flags.StringVar(&o.ElectionNamespace, "leader-election-namespace", "", "namespace of the Lease that chooses the replica which writes status; default: the pod's; outside a pod there is no election")
	flags.DurationVar(&o.UnreadyWhenStale, "unready-when-stale", 0, "turn /readyz red when a resource could not be read for that long; 0: never, since all replicas would be red at once")
	flags.StringVar(&o.NodeGroup, "node-group", "all", "what makes a node group: all, cluster or id (of the node); with cluster and id PATH/GROUP/* goes over PATH/*")
}

// addServingFlags adds the flags of how it is served.
func addServingFlags(flags *pflag.FlagSet, o *controlplane.Options) {
	flags.StringVar(&o.XDSAddress, "xds-address", "127.0.0.1:18000", "address of the xDS server")
	flags.StringVar(&o.HTTPAddress, "http-address", "127.0.0.1:8080", "address of /readyz, /livez, /startupz, /metrics and the status page")
	flags.StringVar(&o.AdminAddress, "admin-address", "127.0.0.1:18001", "loopback address of CSDS (the state of each proxy), gRPC reflection and health; empty: none")
	flags.StringVar(&o.Admission, "admission", "refuse", "what a stream meets until every tier has reported: refuse or hold")
	flags.DurationVar(&o.HoldTimeout, "hold-timeout", 30*time.Second, "how long a stream is held before it is refused; 0: the default")
	flags.IntVar(&o.MaxHeld, "max-held", 10_000, "how many streams are held at a time; 0: the default")
	flags.DurationVar(&o.GroupRetention, "group-retention", time.Hour, "how long a node group that disappears keeps its last snapshot")
	flags.DurationVar(&o.RemovalDelay, "removal-delay", 15*time.Second, "how long a cluster stays that nothing routes to any more, for requests that a filter of Envoy holds; 0: the default")
	flags.DurationVar(&o.ListenerDrain, "listener-drain", 10*time.Minute, "Envoy's --drain-time-s: how long a cluster stays that a changed or removed listener's old connections may use; 0: the default")
	flags.IntVar(&o.MaxRemovals, "max-removals", 0, "how many percent of its clusters, listeners or endpoints a proxy may lose at once; the removal of more, and at least 2, waits for --hold-removals, in case an input vanished by mistake; 0: none waits")
	flags.DurationVar(&o.HoldRemovals, "hold-removals", time.Minute, "how long such removals wait; 0: the default")
	flags.DurationVar(&o.StartDeadline, "start-deadline", 5*time.Minute, "after how long a start that is not complete is reported; the gate stays shut; negative: never")
	flags.IntVar(&o.MaxInitialSyncs, "max-initial-syncs", 0, "how many proxies get their first config at a time, fewer while the machine is busy; 0: 64 for each CPU")
	flags.DurationVar(&o.MaxConnectionAge, "max-connection-age", 30*time.Minute, "after how long, give or take a fifth, a proxy is moved, so that replicas started later get their share; 0: never")
	flags.BoolVar(&o.Debug, "debug", false, "serve /debug/pprof/ on the HTTP address and log more")
}

// addDrainFlags adds the flags of how it ends.
func addDrainFlags(flags *pflag.FlagSet, o *controlplane.Options) {
	flags.DurationVar(&o.DrainDelay, "drain-delay", 5*time.Second, "how long all is served after /readyz turned red, until balancers send no proxy here")
	flags.DurationVar(&o.DrainWindow, "drain-window", 10*time.Second, "over how long the proxies leave after that, one after the other")
	flags.DurationVar(&o.TerminationGrace, "termination-grace", 0, "after how long the process is killed; a drain that may take longer is refused at the start; 0: not known")
}

// addPeerFlags adds the flags of how replicas look at each other.
func addPeerFlags(flags *pflag.FlagSet, o *controlplane.Options) {
	flags.StringSliceVar(&o.Peers, "peers", nil, "addresses of the xDS servers of all replicas, this one may be among them: HOST:PORT,… or dns:///NAME:PORT for each address of a headless Service; before opening, wait until as much is read as they had read, then compare config and connections, and ask for versions that SotW proxies bring along and that only another replica has made")
	flags.DurationVar(&o.PeersDeadline, "peers-deadline", 30*time.Second, "after how long the start goes on without the peers that give no answer or have read more")
	flags.StringVar(&o.PeerSAN, "peer-san", "", "pattern that a URI or DNS SAN of the replicas' own certificate matches: with TLS, whom to take for a peer")
	flags.StringVar(&o.PeerCA, "peer-ca", "", "CA file that the replicas' certificate is signed by (PEM), where there is no --tls-client-ca")
	flags.StringVar(&o.PeerTokenFile, "peer-token-file", "", "with --token-audience: file with a token of this pod's ServiceAccount for that audience, by which it proves to its peers that it is one")
	flags.BoolVar(&o.Balance, "balance", true, "with --peers: ask proxies to connect again, a few at a time, while this replica has more than 1.1 times its fair share of them")
}

// addIdentityFlags adds the flags of to whom it is served.
func addIdentityFlags(flags *pflag.FlagSet, o *controlplane.Options) {
	flags.StringVar(&o.TLSCert, "tls-cert", "", "certificate file of the xDS server (PEM), read again when it changes")
	flags.StringVar(&o.TLSKey, "tls-key", "", "key file of the xDS server (PEM)")
	flags.StringVar(&o.TLSClientCA, "tls-client-ca", "", "CA file that proxies' certificates must be signed by (PEM): mTLS")
	flags.StringArrayVar(&o.GroupSANs, "group-san", nil, "GROUP=PATTERN: a proxy takes the group only with a certificate whose URI or DNS SAN matches; repeat for more; GROUP may be * for all Gateways, with {namespace} and {name} in PATTERN")
	flags.StringVar(&o.TokenAudience, "token-audience", "", "audience of the ServiceAccount token by which a proxy proves its Gateway: that of the Gateway's namespace and name")
	flags.BoolVar(&o.InsecureAnyNode, "insecure-any-node", false, "without mTLS, serve any node on an address that is not loopback")
}

// must is for calls that fail only if a flag's name above is misspelt.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
