package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

const tableName = "main" // of the one route table

func serviceName(i int) string { return fmt.Sprintf("service-%04d", i) }

func serviceNames(n int) []string {
	var names []string
	for i := range n {
		names = append(names, serviceName(i))
	}
	return names
}

// servicePath is what routes a request to a service.
func servicePath(i int) string { return fmt.Sprintf("/%04d/", i) }

// writeConfig makes a config directory, at once: services that all lead to the
// backend, each with a route to it, and a listener on any free port.
func writeConfig(directory string, services int, backend string) error {
	host, port, err := net.SplitHostPort(backend)
	if err != nil {
		return err
	}
	var clusters, assignments, routes strings.Builder
	for i := range services {
		fmt.Fprintf(&clusters, clusterText, serviceName(i))
		fmt.Fprintf(&assignments, assignmentText, serviceName(i), host, port)
		fmt.Fprintf(&routes, routeText, servicePath(i), serviceName(i))
	}
	unfinished := directory + ".new"
	if err := os.Mkdir(unfinished, 0o700); err != nil {
		return err
	}
	for name, resources := range map[string]string{
		"clusters.yaml": clusters.String(), "endpoints.yaml": assignments.String(),
		"listeners.yaml": listenerText, "routes.yaml": tableText + routes.String(),
	} {
		if err := os.WriteFile(filepath.Join(unfinished, name), []byte("resources:\n"+resources), 0o600); err != nil {
			return err
		}
	}
	return os.Rename(unfinished, directory)
}

const clusterText = `- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: %s
  type: EDS
  connect_timeout: 2s
  eds_cluster_config: {eds_config: {ads: {}, resource_api_version: V3}}
`

const assignmentText = `- "@type": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment
  cluster_name: %s
  endpoints:
  - lb_endpoints:
    - endpoint: {address: {socket_address: {address: %s, port_value: %s}}}
`

const listenerText = `- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: http
  address: {socket_address: {address: 127.0.0.1, port_value: 0}}
  filter_chains:
  - filters:
    - name: envoy.filters.network.http_connection_manager
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
        stat_prefix: http
        rds: {route_config_name: main, config_source: {ads: {}, resource_api_version: V3}}
        http_filters:
        - name: envoy.filters.http.router
          typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`

const tableText = `- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: main
  virtual_hosts:
  - name: all
    domains: ["*"]
    routes:
`

const routeText = `    - match: {prefix: %s}
      route: {cluster: %s}
`
