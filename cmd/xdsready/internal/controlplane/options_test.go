package controlplane

import (
	"strings"
	"testing"
	"time"
)

// good returns options that a test may break.
func good(change func(*Options)) Options {
	o := Options{Source: "dir:/etc/xdsready", XDSAddress: "127.0.0.1:0", HTTPAddress: "127.0.0.1:0"}
	change(&o)
	return o
}

func TestBadOptionsNameTheirFlag(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"no source", func(o *Options) { o.Source = "" }, "--source is required: use dir:PATH"},
		{"unknown kind of source", func(o *Options) { o.Source = "consul:x" }, `--source: unknown source "consul:x": use dir:PATH`},
		{"source without a path", func(o *Options) { o.Source = "dir:" }, "--source: unknown source"},
		{"unknown node group", func(o *Options) { o.NodeGroup = "zone" }, `--node-group: unknown grouping "zone"`},
		{"unknown admission", func(o *Options) { o.Admission = "maybe" }, `--admission: unknown admission mode "maybe"`},
		{"negative time", func(o *Options) { o.DrainDelay = -time.Second }, "--drain-delay must not be negative"},
		{"negative delay of removals", func(o *Options) { o.RemovalDelay = -1 }, "--removal-delay must not be negative"},
		{"negative loss", func(o *Options) { o.MaxRemovals = -1 }, "--max-removals: -1 is not a percentage"},
		{"a loss of more than all", func(o *Options) { o.MaxRemovals = 101 }, "--max-removals: 101 is not a percentage"},
		{"negative hold", func(o *Options) { o.HoldRemovals = -1 }, "--hold-removals must not be negative"},
		{"a drain that is killed", func(o *Options) {
			o.DrainDelay, o.DrainWindow, o.TerminationGrace = 5*time.Second, 10*time.Second, 20*time.Second-1
		}, "--termination-grace: a drain takes up to 20s"},
		{"negative drain of listeners", func(o *Options) { o.ListenerDrain = -1 }, "--listener-drain must not be negative"},
		{"negative number", func(o *Options) { o.MaxHeld = -1 }, "--max-held must not be negative"},
		{"certificate without a key", func(o *Options) { o.TLSCert = "a" }, "--tls-cert and --tls-key belong together"},
		{"client CA without a certificate", func(o *Options) { o.TLSClientCA = "a" }, "--tls-client-ca needs --tls-cert"},
		{"identity without mTLS", func(o *Options) { o.GroupSANs = []string{"a=b"} }, "--group-san needs --tls-client-ca"},
		{"mTLS without identity", func(o *Options) { o.TLSCert, o.TLSKey, o.TLSClientCA = "a", "a", "a" }, "--tls-client-ca needs a --group-san"},
		{"malformed identity", func(o *Options) { o.GroupSANs = []string{"edge"} }, `--group-san: "edge" is not GROUP=PATTERN`},
		{"no address", func(o *Options) { o.HTTPAddress = "" }, "--http-address must not be empty"},
		{"xDS for everybody", func(o *Options) { o.XDSAddress = ":18000" }, "--xds-address: :18000 is not a loopback address"},
		{"xDS for everybody over TLS", func(o *Options) { o.XDSAddress, o.TLSCert, o.TLSKey = "0.0.0.0:1", "a", "a" }, "--xds-address: 0.0.0.0:1 is not"},
		{"negative staleness", func(o *Options) { o.Source, o.UnreadyWhenStale = "kubernetes", -1 }, "--unready-when-stale must not be negative"},
		{"a kubeconfig of a directory", func(o *Options) { o.Kubeconfig = "a" }, "--kubeconfig is for --source kubernetes"},
		{"CRDs of a directory", func(o *Options) { o.OptionalCRDs = []string{"gateways"} }, "--optional-crds is for --source kubernetes"},
		{"an election of a directory", func(o *Options) { o.ElectionNamespace = "a" }, "--leader-election-namespace is for --source kubernetes"},
		{"staleness of a directory", func(o *Options) { o.UnreadyWhenStale = 1 }, "--unready-when-stale is for --source kubernetes"},
		{"tokens for a directory", func(o *Options) { o.TLSCert, o.TLSKey, o.TokenAudience = "a", "a", "x" }, "--token-audience is for --source kubernetes"},
		{"all Gateways of a directory", func(o *Options) {
			o.TLSCert, o.TLSKey, o.TLSClientCA, o.GroupSANs = "a", "a", "a", []string{"edge=a", "*=b"}
		}, "--group-san *=PATTERN is for --source kubernetes"},
		{"groups of nodes in Kubernetes", func(o *Options) { o.Source, o.NodeGroup = "kubernetes", "cluster" }, "--node-group is for --source dir:PATH"},
		{"tokens in clear", func(o *Options) { o.Source, o.TokenAudience = "kubernetes", "x" }, "--token-audience needs --tls-cert and --tls-key"},
		{"two ways to prove a group", func(o *Options) {
			o.Source, o.TLSCert, o.TLSKey, o.TLSClientCA = "kubernetes", "a", "a", "a"
			o.TokenAudience, o.GroupSANs = "x", []string{"*=a"}
		}, "--token-audience and --group-san are two ways"},
		{"Kubernetes for everybody", func(o *Options) { o.Source, o.XDSAddress = "kubernetes", ":18000" }, "--xds-address: :18000 is not"},
		{"a peer without a port", func(o *Options) { o.Peers = []string{"a"} }, `--peers: "a" is neither HOST:PORT nor dns:///NAME:PORT`},
		{"negative wait for peers", func(o *Options) { o.PeersDeadline = -1 }, "--peers-deadline must not be negative"},
		{"a name of no peers", func(o *Options) { o.PeerSAN = "a" }, "--peer-san, --peer-ca and --peer-token-file are for --peers"},
		{"peers without a name", func(o *Options) {
			o.TLSCert, o.TLSKey, o.TLSClientCA, o.GroupSANs, o.Peers = "a", "a", "a", []string{"edge=a"}, []string{"b:1"}
		}, "--peers needs --peer-san"},
		{"a name that nobody is asked for", func(o *Options) { o.Peers, o.PeerSAN = []string{"b:1"}, "a" }, "--peer-san and --peer-token-file need"},
		{"peers without a token", func(o *Options) {
			o.Source, o.TLSCert, o.TLSKey, o.TokenAudience = "kubernetes", "a", "a", "x"
			o.Peers, o.PeerSAN, o.PeerCA = []string{"b:1"}, "a", "a"
		}, "--peers with --token-audience needs --peer-token-file"},
		{"peers without a CA", func(o *Options) { o.TLSCert, o.TLSKey, o.Peers = "a", "a", []string{"b:1"} }, "--peers needs --peer-ca"},
		{"admin for everybody", func(o *Options) { o.AdminAddress = "0.0.0.0:1" }, "--admin-address: 0.0.0.0:1 is not a loopback address"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := good(test.change)
			if _, err := o.parse(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("parse: %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestGoodOptions(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Options)
	}{
		{"the least", func(*Options) {}},
		{"IPv6 loopback", func(o *Options) { o.XDSAddress = "[::1]:0" }},
		{"localhost", func(o *Options) { o.XDSAddress = "localhost:0" }},
		{"any address, said so", func(o *Options) { o.XDSAddress, o.InsecureAnyNode = ":18000", true }},
		{"any address, with identity", func(o *Options) {
			o.XDSAddress, o.TLSCert, o.TLSKey, o.TLSClientCA = ":18000", "a", "a", "a"
			o.GroupSANs = []string{"edge=spiffe://example.org/edge"}
		}},
		{"Kubernetes", func(o *Options) { o.Source, o.NodeGroup = "kubernetes", "all" }},
		{"Kubernetes with tokens on any address", func(o *Options) {
			o.Source, o.XDSAddress, o.TLSCert, o.TLSKey, o.TokenAudience = "kubernetes", ":18000", "a", "a", "x"
		}},
		{"Kubernetes with mTLS and tokens", func(o *Options) {
			o.Source, o.TLSCert, o.TLSKey, o.TLSClientCA, o.TokenAudience = "kubernetes", "a", "a", "a", "x"
		}},
		{"Kubernetes with mTLS for all Gateways", func(o *Options) {
			o.Source, o.TLSCert, o.TLSKey, o.TLSClientCA = "kubernetes", "a", "a", "a"
			o.GroupSANs = []string{"*=spiffe://example.org/ns/{namespace}/sa/{name}"}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := good(test.change)
			if _, err := o.parse(); err != nil {
				t.Errorf("parse: %v", err)
			}
		})
	}
}
