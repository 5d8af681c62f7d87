package main

import (
	"github.com/spf13/cobra"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/bootstrap"
)

const bootstrapExamples = `  # An Envoy beside "xdsready serve" on this machine
  envoy --config-yaml "$(xdsready bootstrap)" --service-node my-id --service-cluster my-cluster

  # Two replicas, mTLS, and certificates that are renewed while Envoy runs
  xdsready bootstrap --xds-address xds-0.example.org:18000 --xds-address xds-1.example.org:18000 \
    --tls-ca ca.crt --tls-cert tls.crt --tls-key tls.key --sds-dir /etc/envoy > /etc/envoy/bootstrap.yaml

  # In a Kubernetes pod: a ServiceAccount token says which proxy it is, and the kubelet can ask /ready
  xdsready bootstrap --xds-address xdsready.xdsready-system.svc:18000 --tls-ca ca.crt \
    --token-file /var/run/secrets/xdsready/token --sds-dir /etc/envoy --ready-address 0.0.0.0:19000`

func newBootstrapCommand() *cobra.Command {
	var o bootstrap.Options
	var transport, output string
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "Print an Envoy bootstrap that waits for the control plane",
		Long: `Print an Envoy bootstrap that waits for the control plane as long as it takes, comes
back to it within a second, and notices when it has vanished. Each part says why
it is there.

The environment variables of --admin-address and --tls-… begin with
XDSREADY_ENVOY_, since they are about Envoy and not about xdsready.

Exit codes: 0, or 2 when a flag or a directory cannot be used.`,
		Example: bootstrapExamples,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Transport = bootstrap.Transport(transport)
			if err := bootstrap.Write(cmd.OutOrStdout(), output, o); err != nil {
				return &exitError{exitUsage, err}
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.XDSAddresses, "xds-address", []string{"127.0.0.1:18000"}, "host:port of the control plane; repeat for more replicas")
	flags.StringVar(&transport, "transport", string(bootstrap.Delta), "delta or sotw (state of the world)")
	flags.StringVar(&o.AdminAddress, "admin-address", "127.0.0.1:9901", "ip:port of Envoy's admin server; empty: none")
	flags.StringVar(&o.ReadyAddress, "ready-address", "", "ip:port where probes and Prometheus reach /ready and /stats/prometheus of the admin server, and nothing else; empty: none")
	flags.StringVar(&o.NodeID, "node-id", "", "id of the proxy; empty: Envoy's --service-node")
	flags.StringVar(&o.NodeCluster, "node-cluster", "", "cluster of the proxy; empty: Envoy's --service-cluster")
	flags.StringVar(&o.TLS.CAFile, "tls-ca", "", "CA file of the control plane's certificate (PEM): TLS; this and the next two as Envoy sees them")
	flags.StringVar(&o.TLS.CertFile, "tls-cert", "", "certificate file of the proxy (PEM): mTLS")
	flags.StringVar(&o.TLS.KeyFile, "tls-key", "", "key file of the proxy (PEM)")
	flags.StringVar(&o.TLS.TokenFile, "token-file", "", "file of a token that the proxy sends with each stream, as \"authorization: Bearer …\"; followed, so it needs --sds-dir")
	flags.StringVar(&o.TLS.ServerName, "tls-server-name", "", "DNS name, IP address or URI (spiffe://…) in the control plane's certificate; empty: the hosts of --xds-address")
	flags.StringVar(&o.TLS.SDSDir, "sds-dir", "", "directory to write the files by which Envoy follows renewed certificates and tokens; empty: it reads certificates once")
	flags.StringVar(&output, "output", "yaml", "yaml, or json, which has no room for the reasons")
	must(cmd.MarkFlagDirname("sds-dir"))
	// Of Envoy: "serve" has flags of these names for itself.
	for flag, variable := range map[string]string{
		"admin-address": "XDSREADY_ENVOY_ADMIN_ADDRESS", "tls-ca": "XDSREADY_ENVOY_TLS_CA",
		"tls-cert": "XDSREADY_ENVOY_TLS_CERT", "tls-key": "XDSREADY_ENVOY_TLS_KEY",
	} {
		must(flags.SetAnnotation(flag, variableKey, []string{variable}))
	}
	for flag, values := range map[string][]string{"transport": {"delta", "sotw"}, "output": {"yaml", "json"}} {
		must(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)))
	}
	return cmd
}
