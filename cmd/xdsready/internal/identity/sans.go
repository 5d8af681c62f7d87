package identity

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/xdsready/xdsready/pkg/xds/admission"
)

// Any is the node group whose patterns are for all Gateways.
const Any = "*"

// The placeholders of a pattern for all Gateways.
const (
	namespaceHolder = "{namespace}"
	nameHolder      = "{name}"
)

// SANs is admission.SANs with patterns for all Gateways besides, under [Any], in
// which {namespace} and {name} stand for those of the Gateway that is asked for.
func SANs(patterns map[string][]string, group func(admission.Node) string) (func(context.Context, admission.Node) error, error) {
	if _, err := admission.SANs(fill(patterns, "namespace", "name"), group); err != nil {
		return nil, err
	}
	return func(ctx context.Context, node admission.Node) error {
		asked := map[string][]string{group(node): patterns[group(node)]}
		if len(patterns[Any]) > 0 {
			namespace, name, err := gateway(group(node))
			if err != nil {
				return err
			}
			asked[group(node)] = append(slices.Clone(asked[group(node)]), fill(patterns, namespace, name)[Any]...)
		}
		authorize, err := admission.SANs(asked, group)
		if err != nil {
			return err
		}
		return authorize(ctx, node)
	}, nil
}

// Peers returns patterns that match whoever may take any node group.
func Peers(patterns map[string][]string) []string {
	return slices.Concat(slices.Collect(maps.Values(fill(patterns, "*", "*")))...)
}

// fill replaces the placeholders.
func fill(patterns map[string][]string, namespace, name string) map[string][]string {
	filled := maps.Clone(patterns)
	filled[Any] = nil
	for _, pattern := range patterns[Any] {
		filled[Any] = append(filled[Any], strings.NewReplacer(namespaceHolder, namespace, nameHolder, name).Replace(pattern))
	}
	return filled
}
