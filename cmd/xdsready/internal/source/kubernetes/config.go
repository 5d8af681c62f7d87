package kubernetes

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"istio.io/istio/pkg/kube/krt"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Config returns what leads to a cluster: the kubeconfig file at path; without
// a path, in a pod its ServiceAccount, and elsewhere what kubectl uses.
func Config(path string) (*rest.Config, error) {
	if path == "" {
		config, err := rest.InClusterConfig()
		if err == nil {
			return config, nil
		}
		if !errors.Is(err, rest.ErrNotInCluster) {
			return nil, fmt.Errorf("the pod's ServiceAccount: %w", err)
		}
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = path
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, errors.New("no cluster: this is no pod, and there is no kubeconfig; name one")
	}
	return config, err
}

// noticeSilence makes a connection to the API server count as dead after 8 s in
// which nothing came back, not after 45 s: a node that dies or a firewall that
// drops says nothing. client-go takes these times from the environment only.
func noticeSilence() {
	for name, seconds := range map[string]string{"HTTP2_READ_IDLE_TIMEOUT_SECONDS": "5", "HTTP2_PING_TIMEOUT_SECONDS": "3"} {
		if _, set := os.LookupEnv(name); !set {
			_ = os.Setenv(name, seconds) // fails for a name that cannot be one
		}
	}
}

// namespaceFile tells a pod its namespace.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// PodNamespace returns the namespace of the pod that this process runs in, ""
// outside a cluster.
func PodNamespace() string {
	namespace, err := os.ReadFile(namespaceFile)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(namespace))
}

// Dump returns krt's own dump of all collections but that of Secrets, as JSON.
func Dump(debug *krt.DebugHandler) ([]byte, error) {
	raw, err := json.Marshal(debug)
	if err != nil {
		return nil, err
	}
	var collections []map[string]any
	if err := json.Unmarshal(raw, &collections); err != nil {
		return nil, err
	}
	collections = slices.DeleteFunc(collections, func(c map[string]any) bool { return c["name"] == secretsName })
	return json.MarshalIndent(collections, "", "  ")
}

// secretsName is the resource whose content is never shown.
const secretsName = "secrets"
