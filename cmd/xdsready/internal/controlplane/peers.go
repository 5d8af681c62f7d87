package controlplane

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/identity"
	"github.com/xdsready/xdsready/cmd/xdsready/internal/peers"
	"github.com/xdsready/xdsready/cmd/xdsready/internal/statuspage"
	"github.com/xdsready/xdsready/pkg/cache"
	"github.com/xdsready/xdsready/pkg/ready"
	"github.com/xdsready/xdsready/pkg/xds"
)

// The tier that waits for the peers, and its check.
const (
	tierPeers  = "peers"
	peerInputs = "inputs"
)

// checkPeers keeps a flag about peers from being given in vain, and peers from
// being asked without proof of who they are.
func (o *Options) checkPeers() error {
	secured := o.TLSClientCA != "" || o.TokenAudience != ""
	if err := peers.CheckList(o.Peers); err != nil {
		return fmt.Errorf("--peers: %w", err)
	}
	switch {
	case len(o.Peers) == 0 && (o.PeerSAN != "" || o.PeerCA != "" || o.PeerTokenFile != ""):
		return errors.New("--peer-san, --peer-ca and --peer-token-file are for --peers")
	case len(o.Peers) == 0:
		return nil
	case secured && o.PeerSAN == "":
		return errors.New("--peers needs --peer-san, a pattern that the certificates of this control plane match: replicas know each other by it")
	case !secured && (o.PeerSAN != "" || o.PeerTokenFile != ""):
		return errors.New("--peer-san and --peer-token-file need --tls-client-ca or --token-audience: without either no peer is asked who it is")
	case o.TLSClientCA == "" && o.TokenAudience != "" && o.PeerTokenFile == "":
		return errors.New("--peers with --token-audience needs --peer-token-file, a token of this pod's ServiceAccount for that audience")
	case o.TLSClientCA == "" && o.TLSCert != "" && o.PeerCA == "":
		return errors.New("--peers needs --peer-ca, the CA that has signed the certificates of this control plane, or --tls-client-ca")
	}
	return nil
}

// addPeers makes what looks at the other replicas, if there is a list of them.
func (p *Plane) addPeers() error {
	o := p.options
	if len(o.Peers) == 0 {
		return nil
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("--peers: this replica has no name: %w", err)
	}
	options := peers.Options{
		List: o.Peers, Name: peers.NewName(host), Build: o.Version,
		Phase: p.registry.Phase, Inputs: p.source, Content: p, Opened: p.registry.Opened(),
		Connections: p.server.Connections, Recall: p.server.Recall,
		Deadline: o.PeersDeadline, Logger: o.Logger,
		Waiting: func(text string) { p.inputs.Tier(tierPeers).Note(peerInputs, text) },
	}
	if o.Balance {
		options.Shed = p.server.Shed
	}
	if err := p.identifyPeers(&options); err != nil {
		return err
	}
	if p.peers, err = peers.New(options); err != nil {
		return fmt.Errorf("--peers: %w", err)
	}
	p.inputs.Tier(tierPeers).Wait(peerInputs, p.peers.Await, ready.Optional(o.PeersDeadline))
	p.peers.Register(p.xdsServer)
	p.metrics.MustRegister(p.peers)
	return nil
}

// identifyPeers fills in how replicas prove to each other that they are: both
// sides by their certificate, or the one that asks by its ServiceAccount.
func (p *Plane) identifyPeers(options *peers.Options) (err error) {
	o := p.options
	if o.TLSCert == "" {
		options.Dial = []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
		return nil
	}
	known := func(context.Context) error { return nil }
	if o.PeerSAN != "" {
		if known, err = peers.SAN(o.PeerSAN); err != nil {
			return fmt.Errorf("--peer-san: %w", err)
		}
	}
	files := peers.Files{CA: o.PeerCA}
	if o.TLSClientCA != "" {
		files = peers.Files{CA: o.TLSClientCA, Certificate: p.ownCertificate}
		options.Authorize = known
	}
	options.Dial = []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(peers.ClientTLS(files, known)))}
	if o.PeerTokenFile == "" || o.TLSClientCA != "" {
		return nil
	}
	file := peers.TokenFile(o.PeerTokenFile)
	own, err := file.User()
	if err != nil {
		return fmt.Errorf("--peer-token-file: %w", err)
	}
	tokens := identity.NewTokens(p.cluster.Client(), o.TokenAudience)
	options.Authorize = func(ctx context.Context) error {
		user, err := tokens.User(ctx)
		if err == nil && user != own {
			err = fmt.Errorf("its token is that of %q: a peer has that of %q", user, own)
		}
		return err
	}
	options.Dial = append(options.Dial, grpc.WithPerRPCCredentials(file))
	return nil
}

// ownCertificate returns the certificate that the xDS server shows now.
func (p *Plane) ownCertificate() (*tls.Certificate, error) {
	config, err := p.certificates.TLSConfig().GetConfigForClient(nil)
	if err != nil {
		return nil, err
	}
	return &config.Certificates[0], nil
}

// Groups implements peers.Content. A group that has disappeared from the
// configuration is none: only the replicas that have known it keep its snapshot.
func (p *Plane) Groups() []string { return p.contents.present() }

// Snapshot implements peers.Content.
func (p *Plane) Snapshot(group string) (*cache.Snapshot, bool) {
	if !p.contents.has(group) {
		return nil, false
	}
	return p.store.Get(group)
}

// recall asks the peers for what proxies were given before.
func (p *Plane) recall(ctx context.Context, g xds.Generation) ([]cache.Resource, error) {
	return p.peers.Recall(ctx, g)
}

// peerViews are the peers as the status page shows them.
func (p *Plane) peerViews() []statuspage.Peer {
	if p.peers == nil {
		return nil
	}
	var list []statuspage.Peer
	for _, v := range p.peers.View() {
		list = append(list, statuspage.Peer{
			Name: v.Name, Address: v.Address, Build: v.Build, State: ready.Phase(v.State), Error: v.Error,
			Connections: v.Connections, Answered: v.At, Differences: v.Differences,
		})
	}
	return list
}
