package bootstrap

// reason says why a part of the bootstrap is there.
type reason struct {
	path  string // keys, joined by "/"; a list is passed through by its first element
	value string // only for this value; empty: for any
	text  string
}

const (
	cluster   = "static_resources/clusters/"
	filters   = cluster + "typed_extension_protocol_options/" + httpOptions + "/http_filters"
	adsConfig = "dynamic_resources/ads_config/"
	socket    = cluster + "transport_socket/typed_config/common_tls_context/"
)

const header = `# Bootstrap of an Envoy that gets its configuration from xdsready, as printed by
# "xdsready bootstrap". Envoy needs to know who it is: a node below, or
# --service-node and --service-cluster on its command line.

`

// reasons are the comments of the YAML form. The figures were measured with
// Envoy 1.40.
var reasons = []reason{
	{path: "node", text: `Who this proxy is: its node group follows from it. --service-node and
--service-cluster on Envoy's command line win.`},
	{path: "admin", text: `Whoever reaches this address can stop Envoy and read its configuration, so it
belongs on loopback. /ready answers 200 only when the configuration is there.`},

	{path: "dynamic_resources", text: `Everything else comes from the control plane, on one stream.`},
	{path: adsConfig + "api_type", value: "DELTA_GRPC", text: `Delta: only what has changed is sent, and a proxy that reconnects says what it
holds, so that it is sent nothing again.`},
	{path: adsConfig + "api_type", value: "GRPC", text: `State of the world: all resources of a type are sent whenever one of them
changes. Prefer delta (--transport delta).`},
	{path: adsConfig + "grpc_services/envoy_grpc/retry_policy", text: `A refused or lost stream is opened again within 1 s. By default Envoy backs off
up to 30 s: it was seen to come back 12 s after the control plane was ready.`},
	{path: adsConfig + "set_node_on_first_message_only", text: `The node, with its list of extensions, is sent once and not in every message.`},
	{path: "dynamic_resources/cds_config/initial_fetch_timeout", text: `Wait for clusters and listeners as long as it takes. With the default of 15 s
each, an Envoy that gets nothing goes LIVE empty after 30 s: its /ready answers
200, it is put into service, and it has no listener.`},
	{path: "dynamic_resources/lds_config/initial_fetch_timeout", text: `As above.`},

	{path: "static_resources/listeners", text: `For probes and Prometheus: these paths of the admin server and no others. It
opens when the first configuration is there, so a probe is refused until then.`},

	{path: cluster + "name", text: `The control plane.`},
	{path: cluster + "type", value: "STRICT_DNS", text: `Each address that a name resolves to is a replica to try.`},
	{path: cluster + "dns_lookup_family", text: `By default IPv4 addresses of a name that has an IPv6 one are never tried.`},
	{path: cluster + "connect_timeout", text: `A replica that does not answer is given up after 2 s (default 5 s).`},
	{path: cluster + "load_assignment", text: `With several addresses a proxy that is refused by one replica tries another at
once.`},
	{path: cluster + "typed_extension_protocol_options", text: `gRPC needs HTTP/2. The pings find a control plane that has vanished without
closing its connection after 40 s; without them that takes TCP's timeouts.`},
	{path: filters, text: `Who this proxy is: the token in the file that is named in this one. Envoy follows
it, and sends what it has at the time when a stream begins.`},
	{path: cluster + "transport_socket", text: `TLS: nothing is sent to a server that does not prove who it is.`},
	{path: socket + "tls_params", text: `Envoy's clients stop at TLS 1.2 unless told otherwise.`},
	{path: socket + "tls_certificates", text: `Who this proxy is; the control plane decides by it which node group it may take.
Read when Envoy starts, as is the CA below: to follow renewed files, print the
bootstrap with --sds-dir.`},
	{path: socket + "tls_certificate_sds_secret_configs", text: `Who this proxy is; the control plane decides by it which node group it may take.
Envoy follows the files that are named in this one.`},
	{path: socket + "validation_context", text: `The control plane's certificate must be signed by this CA, and for one of these
names: the CA alone would accept that of any other proxy.`},
	{path: socket + "validation_context_sds_secret_config", text: `The CA and the names that the control plane's certificate must be for. Envoy
follows the files that are named in this one.`},
}
