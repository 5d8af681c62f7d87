// Package config is the configuration of a chaos run and its continuous change,
// as pure functions of a seed.
//
// Two teams have a file each: a listener, its route table, and the services that
// the table leads to. Each change is within one file, so that a rename of the
// file is an atomic change, as a directory source asks for; and each table has a
// route for every other path, so that no version of the configuration has any
// request that may fail.
package config

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Config is one version of the configuration. It is never changed: Next makes a
// new one.
type Config struct {
	Version int // counts the changes
	Teams   []Team
}

// Team is what one file has.
type Team struct {
	Name string // of its listener and of its route table
	// Revision is the version that changed the route table last. Answers carry it
	// in the header RevisionHeader.
	Revision int
	// Services are the permanent ones first: what has no route falls to the first.
	Services []Service
}

// Service is a cluster with its endpoints.
type Service struct {
	Name       string // as in its path
	Generation int    // grows when the cluster is replaced by one of another name
	Backends   []int  // numbers of its endpoints, ascending
	Routed     bool   // the table has a route to it
}

// Cluster is the name of the service's cluster.
func (s Service) Cluster() string { return fmt.Sprintf("%s-g%d", s.Name, s.Generation) }

// How much there is of everything.
const (
	permanent = 4 // services of a team that are always there
	guests    = 2 // services of a team that come and go
	fewest    = 2 // endpoints of a service
	most      = 3
)

// Names are the teams.
var Names = []string{"a", "b"}

// Paths are those that each team's listener is asked for: of every service that
// it ever has.
func Paths(team string) []string {
	var paths []string
	for number := range permanent + guests {
		paths = append(paths, "/"+name(team, number))
	}
	return paths
}

func name(team string, number int) string { return fmt.Sprintf("%s%d", team, number) }

// First is the configuration that a run begins with. There must be more than
// three backends.
func First(random *rand.Rand, backends int) Config {
	var c Config
	for _, team := range Names {
		t := Team{Name: team}
		for number := range permanent {
			t.Services = append(t.Services, service(random, name(team, number), 0, backends))
		}
		c.Teams = append(c.Teams, t)
	}
	return c
}

func service(random *rand.Rand, name string, generation, backends int) Service {
	chosen := random.Perm(backends)[:fewest+random.IntN(most-fewest+1)]
	slices.Sort(chosen)
	return Service{Name: name, Generation: generation, Backends: chosen, Routed: true}
}

// clone returns a copy that shares nothing with c.
func (c Config) clone() Config {
	teams := slices.Clone(c.Teams)
	for i := range teams {
		teams[i].Services = slices.Clone(teams[i].Services)
	}
	return Config{Version: c.Version, Teams: teams}
}

// Clusters are the numbers of the endpoints of each cluster, by its name.
func (c Config) Clusters() map[string][]int {
	clusters := map[string][]int{}
	for _, team := range c.Teams {
		for _, s := range team.Services {
			clusters[s.Cluster()] = s.Backends
		}
	}
	return clusters
}

// Revisions are the revisions of the route tables, by team.
func (c Config) Revisions() map[string]int {
	revisions := map[string]int{}
	for _, team := range c.Teams {
		revisions[team.Name] = team.Revision
	}
	return revisions
}
