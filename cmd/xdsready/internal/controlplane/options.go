package controlplane

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/identity"
	"github.com/xdsready/xdsready/cmd/xdsready/internal/source/dir"
	"github.com/xdsready/xdsready/pkg/xds"
	"github.com/xdsready/xdsready/pkg/xds/admission"
)

// Options are the flags of `xdsready serve`, whose help says what they mean.
// The comments say only what zero means.
type Options struct {
	Source       string // required: dir:PATH or kubernetes
	XDSAddress   string // required
	HTTPAddress  string // required
	AdminAddress string // empty: no admin server

	Kubeconfig        string        // empty: the pod's ServiceAccount, or what kubectl uses
	ControllerName    string        // empty: kubernetes.DefaultController
	OptionalCRDs      []string      // empty: every CRD is required
	ElectionNamespace string        // empty: the pod's
	UnreadyWhenStale  time.Duration // 0: never

	Admission   string        // empty: refuse
	HoldTimeout time.Duration // 0: 30 s
	MaxHeld     int           // 0: 10,000

	NodeGroup      string        // empty: all
	GroupRetention time.Duration // 0: a group is dropped as soon as it disappears
	RemovalDelay   time.Duration // 0: 15 s
	ListenerDrain  time.Duration // 0: 10 min
	MaxRemovals    int           // percent; 0: as many as there are
	HoldRemovals   time.Duration // 0: 1 min
	StartDeadline  time.Duration // 0: 5 min

	DrainDelay       time.Duration // 0: none
	DrainWindow      time.Duration // 0: all proxies leave at once
	TerminationGrace time.Duration // 0: not known
	MaxInitialSyncs  int           // 0: 64 for each CPU
	MaxConnectionAge time.Duration // 0: never

	Peers         []string      // empty: other replicas are not asked
	PeersDeadline time.Duration // 0: nothing is waited for
	PeerSAN       string        // required with Peers and any of TLSClientCA, TokenAudience
	PeerCA        string        // empty: TLSClientCA
	PeerTokenFile string        // required with Peers and TokenAudience, without TLSClientCA
	Balance       bool          // only with Peers

	TLSCert, TLSKey, TLSClientCA string   // empty: no TLS, no mTLS
	GroupSANs                    []string // GROUP=PATTERN
	TokenAudience                string   // empty: no ServiceAccount tokens
	InsecureAnyNode              bool

	// Ungated and InputDelays are for tests that show what the gate is for: see
	// kubernetes.Options. A release build has no flags for them.
	Ungated     bool
	InputDelays map[string]time.Duration

	Debug   bool
	Logger  *slog.Logger // nil: slog.Default()
	Version string       // for the status page
}

// parsed are the options in the types of those who take them.
type parsed struct {
	path     string // of the directory source; empty: Kubernetes
	grouping dir.Grouping
	mode     admission.Mode
	patterns map[string][]string // SAN patterns by node group
}

// parse checks what can be checked without touching the system. Every error
// names a flag.
func (o *Options) parse() (parsed, error) {
	var p parsed
	var err error
	o.Logger = cmp.Or(o.Logger, slog.Default())
	if p.path, err = o.parseSource(); err != nil {
		return p, err
	}
	if p.grouping, err = dir.ParseGrouping(cmp.Or(o.NodeGroup, string(dir.All))); err != nil {
		return p, fmt.Errorf("--node-group: %w", err)
	}
	if p.mode, err = admission.ParseMode(cmp.Or(o.Admission, "refuse")); err != nil {
		return p, fmt.Errorf("--admission: %w", err)
	}
	if p.patterns, err = parseSANs(o.GroupSANs); err != nil {
		return p, err
	}
	return p, errors.Join(o.checkNumbers(), o.checkKubernetes(), o.checkTLS(), o.checkAddresses(), o.checkPeers())
}

// sourceKubernetes is the --source that is a Kubernetes cluster.
const sourceKubernetes = "kubernetes"

// parseSource returns the path of the directory source, "" for Kubernetes.
func (o *Options) parseSource() (path string, err error) {
	path, ok := strings.CutPrefix(o.Source, "dir:")
	switch {
	case o.Source == "":
		return "", errors.New("--source is required: use dir:PATH or kubernetes")
	case o.Source == sourceKubernetes:
		return "", nil
	case !ok || path == "":
		return "", fmt.Errorf("--source: unknown source %q: use dir:PATH or kubernetes", o.Source)
	}
	return path, nil
}

// checkKubernetes keeps a flag from being given in vain.
func (o *Options) checkKubernetes() error {
	if o.Source == sourceKubernetes {
		if o.NodeGroup != "" && o.NodeGroup != string(dir.All) {
			return errors.New("--node-group is for --source dir:PATH: in Kubernetes a node group is a Gateway")
		}
		return nil
	}
	for flag, given := range map[string]bool{
		"--kubeconfig": o.Kubeconfig != "", "--optional-crds": len(o.OptionalCRDs) > 0,
		"--leader-election-namespace": o.ElectionNamespace != "", "--token-audience": o.TokenAudience != "",
		"--unready-when-stale": o.UnreadyWhenStale != 0,
		"--group-san *=PATTERN": slices.ContainsFunc(o.GroupSANs, func(flag string) bool {
			return strings.HasPrefix(flag, identity.Any+"=")
		}),
	} {
		if given {
			return fmt.Errorf("%s is for --source kubernetes", flag)
		}
	}
	return nil
}

func (o *Options) checkNumbers() error {
	for flag, value := range map[string]int64{
		"--hold-timeout": int64(o.HoldTimeout), "--max-held": int64(o.MaxHeld),
		"--group-retention": int64(o.GroupRetention), "--drain-delay": int64(o.DrainDelay),
		"--removal-delay": int64(o.RemovalDelay), "--listener-drain": int64(o.ListenerDrain),
		"--hold-removals":      int64(o.HoldRemovals),
		"--unready-when-stale": int64(o.UnreadyWhenStale),
		"--drain-window":       int64(o.DrainWindow), "--termination-grace": int64(o.TerminationGrace),
		"--peers-deadline":    int64(o.PeersDeadline),
		"--max-initial-syncs": int64(o.MaxInitialSyncs), "--max-connection-age": int64(o.MaxConnectionAge),
	} {
		if value < 0 {
			return fmt.Errorf("%s must not be negative", flag)
		}
	}
	if o.MaxRemovals < 0 || o.MaxRemovals > 100 {
		return fmt.Errorf("--max-removals: %d is not a percentage: use 1 to 100, or 0 for no limit", o.MaxRemovals)
	}
	return o.checkDrain()
}

// checkDrain keeps a process from being killed in the middle of its drain.
func (o *Options) checkDrain() error {
	longest := o.DrainDelay + o.DrainWindow + xds.QuietWithin
	if o.TerminationGrace > 0 && longest > o.TerminationGrace {
		return fmt.Errorf("--termination-grace: a drain takes up to %v (--drain-delay %v, --drain-window %v, and %v for proxies in the middle of a change), "+
			"and the process is killed after %v: allow more time (in Kubernetes terminationGracePeriodSeconds) or shorten one of them",
			longest, o.DrainDelay, o.DrainWindow, xds.QuietWithin, o.TerminationGrace)
	}
	return nil
}

func (o *Options) checkTLS() error {
	switch {
	case (o.TLSCert == "") != (o.TLSKey == ""):
		return errors.New("--tls-cert and --tls-key belong together: give both or neither")
	case o.TLSClientCA != "" && o.TLSCert == "":
		return errors.New("--tls-client-ca needs --tls-cert and --tls-key")
	case o.TokenAudience != "" && o.TLSCert == "":
		return errors.New("--token-audience needs --tls-cert and --tls-key: a token must not be sent in clear")
	case o.TokenAudience != "" && len(o.GroupSANs) > 0:
		return errors.New("--token-audience and --group-san are two ways to prove a node group: choose one")
	case len(o.GroupSANs) > 0 && o.TLSClientCA == "":
		return errors.New("--group-san needs --tls-client-ca: without mTLS a proxy proves no name")
	case o.TLSClientCA != "" && len(o.GroupSANs) == 0 && o.TokenAudience == "" && !o.InsecureAnyNode:
		return errors.New("--tls-client-ca needs a --group-san that says which certificate may take which group, or --insecure-any-node")
	}
	return nil
}

// checkAddresses keeps config, which holds secrets, from being served to
// whoever can reach the port.
func (o *Options) checkAddresses() error {
	if o.XDSAddress == "" || o.HTTPAddress == "" {
		return errors.New("--xds-address and --http-address must not be empty")
	}
	if o.TLSClientCA == "" && o.TokenAudience == "" && !o.InsecureAnyNode && !loopback(o.XDSAddress) {
		return fmt.Errorf("--xds-address: %s is not a loopback address, so anybody could read the config: "+
			"use mTLS (--tls-client-ca, --group-san), ServiceAccount tokens (--token-audience) or --insecure-any-node", o.XDSAddress)
	}
	if o.AdminAddress != "" && !loopback(o.AdminAddress) {
		return fmt.Errorf("--admin-address: %s is not a loopback address: the admin server asks for no identity", o.AdminAddress)
	}
	return nil
}

// loopback reports whether only this machine can reach an address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func parseSANs(flags []string) (map[string][]string, error) {
	patterns := map[string][]string{}
	for _, flag := range flags {
		group, pattern, ok := strings.Cut(flag, "=")
		if !ok || group == "" || pattern == "" {
			return nil, fmt.Errorf("--group-san: %q is not GROUP=PATTERN", flag)
		}
		patterns[group] = append(patterns[group], pattern)
	}
	return patterns, nil
}
