package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// crowd is replicas with all that hangs on them: simulated proxies, real Envoys
// and the traffic through these.
type crowd struct {
	*lab
	directory string // of its own
	config    string // directory that the replicas read
	backend   string // address
	stop      func() // of the backend
	replicas  []*replica
	fleet     *fleet
	envoys    []*envoy
	traffic   *traffic
	prober    *prober
}

// newCrowd makes one of which only the backend runs. The caller disperses it.
func (l *lab) newCrowd(name string) (*crowd, error) {
	directory := filepath.Join(l.directory, name)
	c := &crowd{lab: l, directory: directory, config: filepath.Join(directory, "config")}
	c.backend, c.stop = startBackend()
	return c, os.Mkdir(directory, 0o700)
}

// gather starts replicas, and then proxies until all have their config.
func (c *crowd) gather(ctx context.Context, replicas int) error {
	if err := writeConfig(c.config, c.services, c.backend); err != nil {
		return err
	}
	if err := c.startReplicas(ctx, replicas); err != nil {
		return err
	}
	for _, r := range c.replicas {
		if err := r.awaitReady(ctx); err != nil {
			return err
		}
	}
	c.say("starting %d simulated proxies and %d Envoys", c.simulated, c.real)
	return c.startProxies(ctx)
}

// startReplicas starts replicas that know of each other.
func (c *crowd) startReplicas(ctx context.Context, n int, flags ...string) error {
	for number := range n {
		r, err := c.newReplica(ctx, fmt.Sprintf("replica-%d", number), c.config)
		if err != nil {
			return err
		}
		c.replicas = append(c.replicas, r)
	}
	for _, r := range c.replicas {
		r.arguments = append(append(r.arguments, flags...), peerFlags(c.addresses())...)
		if err := r.start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// addresses are those of the replicas.
func (c *crowd) addresses() (addresses []string) {
	for _, r := range c.replicas {
		addresses = append(addresses, r.xds)
	}
	return addresses
}

// startProxies starts simulated proxies and Envoys, and traffic through these
// when all have their config.
func (c *crowd) startProxies(ctx context.Context) error {
	if err := c.startFleet(ctx); err != nil {
		return err
	}
	for number := range c.real {
		e, err := c.startEnvoy(ctx, number)
		if err != nil {
			return err
		}
		c.envoys = append(c.envoys, e)
	}
	for _, e := range c.envoys {
		if err := e.awaitListener(ctx); err != nil {
			return err
		}
	}
	if _, err := c.fleet.awaitLoaded(ctx); err != nil {
		return err
	}
	c.traffic = startTraffic(ctx, c.envoys, c.services)
	return pause(ctx, time.Second)
}

// disperse ends everything.
func (c *crowd) disperse() (err error) {
	if c.traffic != nil {
		c.traffic.stop()
	}
	if c.fleet != nil {
		err = c.fleet.stop()
	}
	if c.prober != nil {
		c.prober.end()
	}
	for _, e := range c.envoys {
		e.kill()
	}
	for _, r := range c.replicas {
		r.end()
	}
	c.stop()
	return err
}
