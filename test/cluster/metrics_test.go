package cluster

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"testing"
)

// metric asks a replica of the control plane for the sum of a metric over its labels.
func (k *kube) metric(ctx context.Context, replica, name string) (float64, error) {
	text, err := k.pods.CoreV1().Pods(k.namespace).ProxyGet("http", replica, "8080", "/metrics", nil).DoRaw(ctx)
	if err != nil {
		return 0, err
	}
	series := regexp.MustCompile(`(?m)^`+name+`(?:\{.*\})? (\S+)$`).FindAllSubmatch(text, -1)
	if series == nil {
		return 0, fmt.Errorf("%s has no metric %s", replica, name)
	}
	var sum float64
	for _, match := range series {
		value, err := strconv.ParseFloat(string(match[1]), 64)
		if err != nil {
			return 0, err
		}
		sum += value
	}
	return sum, nil
}

// streams returns how many streams each ready replica of the control plane has.
func (k *kube) streams(t *testing.T) map[string]int {
	t.Helper()
	streams := make(map[string]int)
	for _, pod := range k.readyPods(t, controlPlane) {
		poll(t, "the metrics of "+pod.Name, func() error {
			sum, err := k.metric(t.Context(), pod.Name, "xdsready_streams")
			streams[pod.Name] = int(sum)
			return err
		})
	}
	return streams
}
