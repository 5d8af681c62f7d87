package peers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// target is one element of the list of peers.
type target struct {
	host, port string
	lookup     bool // host is a DNS name that stands for many
}

// parseList reads a list of addresses: HOST:PORT is one peer, dns:///NAME:PORT
// one at each address of the name, as the headless Service of a Deployment.
func parseList(list []string) ([]target, error) {
	var targets []target
	for _, text := range list {
		address, lookup := strings.CutPrefix(text, "dns:///")
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("%q is neither HOST:PORT nor dns:///NAME:PORT: %w", text, err)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" || strings.Contains(host, "/") {
			return nil, fmt.Errorf("%q is neither HOST:PORT nor dns:///NAME:PORT", text)
		}
		targets = append(targets, target{host, port, lookup})
	}
	return targets, nil
}

// CheckList returns what is wrong with a list of addresses.
func CheckList(list []string) error {
	_, err := parseList(list)
	return err
}

// resolver is net.Resolver's LookupHost.
type resolver func(ctx context.Context, host string) ([]string, error)

// addresses returns where peers may be now, this replica's own address among
// them: nobody knows from which address others see it. A name without addresses
// is an answer: there is no peer.
func addresses(ctx context.Context, targets []target, lookup resolver) ([]string, error) {
	var all []string
	for _, t := range targets {
		hosts := []string{t.host}
		if t.lookup {
			var err error
			hosts, err = lookup(ctx, t.host)
			if missing, ok := errors.AsType[*net.DNSError](err); ok && missing.IsNotFound {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("looking up the peers: %w", err)
			}
		}
		for _, host := range hosts {
			all = append(all, net.JoinHostPort(host, t.port))
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
