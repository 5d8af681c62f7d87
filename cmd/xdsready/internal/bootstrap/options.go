// Package bootstrap makes the configuration that an Envoy starts with so that
// it waits for its control plane and comes back to it quickly.
//
// It is built from Envoy's own messages and checked with Envoy's own rules. In
// its YAML form each part says why it is there.
package bootstrap

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Transport is a variant of the xDS protocol.
type Transport string

// The transports.
const (
	Delta Transport = "delta"
	SotW  Transport = "sotw"
)

// Options are the flags of `xdsready bootstrap`. An error names the flag.
type Options struct {
	XDSAddresses []string  // required: host:port of each replica or of a balancer
	AdminAddress string    // ip:port, the port may be 0; empty: Envoy gets no admin server
	ReadyAddress string    // ip:port of a listener for probes, which needs the admin server; empty: none
	Transport    Transport // empty: Delta
	// NodeID and NodeCluster name the proxy. Empty leaves them to Envoy's
	// --service-node and --service-cluster.
	NodeID, NodeCluster string
	TLS                 TLS
}

// TLS says how the control plane and the proxy prove who they are. The zero
// value is plain text. The files are PEM, and are named as Envoy will see them.
type TLS struct {
	CAFile            string // of the CA that signed the control plane's certificate
	CertFile, KeyFile string // of the proxy, both or neither
	// TokenFile holds what the proxy sends with each stream as a bearer token. It
	// needs SDSDir, since a token is renewed while Envoy runs.
	TokenFile string
	// ServerName is what the control plane's certificate must be for: a DNS
	// name, an IP address or a URI, as spiffe://…. Empty: the hosts of
	// XDSAddresses, one of which must be in it.
	ServerName string
	// SDSDir is the directory of the files that SecretFiles returns, as Envoy
	// will see it. An Envoy follows the PEM files only if they are named there.
	// Empty: it reads them once, when it starts.
	SDSDir string
}

// address is one host and port.
type address struct {
	host string
	port uint32
}

// parseAddress splits host:port. The error does not name the flag.
func parseAddress(text string) (address, error) {
	host, portText, err := net.SplitHostPort(text)
	if err != nil {
		return address{}, fmt.Errorf("%q is not host:port", text)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return address{}, fmt.Errorf("%q: the port is not a number up to 65535", text)
	}
	return address{host, uint32(port)}, nil
}

// isIP reports whether Envoy can connect to the host without asking DNS.
func (a address) isIP() bool {
	_, err := netip.ParseAddr(a.host)
	return err == nil
}

func (o Options) endpoints() ([]address, error) {
	var all []address
	for _, text := range o.XDSAddresses {
		a, err := parseAddress(text)
		switch {
		case err != nil:
			return nil, fmt.Errorf("--xds-address: %w", err)
		case a.host == "" || a.port == 0:
			return nil, fmt.Errorf("--xds-address: %q has no host or no port: a proxy must know both", text)
		}
		all = append(all, a)
	}
	if len(all) == 0 {
		return nil, errors.New("--xds-address is required: give host:port of the control plane")
	}
	return all, nil
}

func (o Options) admin() (address, error) {
	a, err := ipAndPort(o.AdminAddress)
	if err != nil {
		return address{}, fmt.Errorf("--admin-address: %w", err)
	}
	return a, nil
}

// ipAndPort splits ip:port. The error does not name the flag.
func ipAndPort(text string) (address, error) {
	a, err := parseAddress(text)
	if err == nil && !a.isIP() {
		err = fmt.Errorf("%q is not an IP address and a port", text)
	}
	return a, err
}

func (t TLS) check() error {
	switch {
	case (t.CertFile == "") != (t.KeyFile == ""):
		return errors.New("--tls-cert and --tls-key belong together: give both or neither")
	case t.TokenFile != "" && t.CAFile == "":
		return errors.New("--token-file needs --tls-ca: who reads the token on its way can use it")
	case t.TokenFile != "" && t.SDSDir == "":
		return errors.New("--token-file needs --sds-dir: without it Envoy would read the token once, and it expires")
	case t.CAFile != "":
		return nil
	case t.CertFile != "":
		return errors.New("--tls-cert needs --tls-ca: without it the proxy could not tell whom it talks to")
	case t.ServerName != "":
		return errors.New("--tls-server-name needs --tls-ca")
	case t.SDSDir != "":
		return errors.New("--sds-dir needs --tls-ca: without TLS there is no file to follow")
	}
	return nil
}

// names are those of which one must be in the control plane's certificate.
func (t TLS) names(endpoints []address) []string {
	if t.ServerName != "" {
		return []string{t.ServerName}
	}
	var names []string
	for _, a := range endpoints {
		names = append(names, a.host)
	}
	return names
}

// isURI tells a URI name, as spiffe://…, from a DNS name.
func isURI(name string) bool { return strings.Contains(name, "://") }
