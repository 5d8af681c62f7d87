package kubernetes

import (
	"cmp"
	"slices"

	"istio.io/istio/pkg/kube/krt"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/gatewayapi"
	"github.com/xdsready/xdsready/cmd/xdsready/internal/source"
)

// noteLocked takes note of a change that the input has taken in. A version that
// is no number cannot be compared, and is none.
//
// A peer's newest change is compared with the version that we have reached, and
// not with the version that it has reached itself: a list and a bookmark move
// that one to the newest change of anything in the cluster, and we would wait for
// our own next bookmark, a minute at most. What is missed that way is a delete
// that a peer knows from its first list alone: what a list does not have leaves
// no number.
func (in *input[T]) noteLocked(version string) {
	order, err := resourceversion.CompareResourceVersion(cmp.Or(in.newest, version), version)
	if err == nil && (order < 0 || in.newest == "") {
		in.newest = version
	}
}

// watermark returns the version of the newest change that was taken in, and the
// one up to which all were.
func (in *input[T]) watermark() (changed, reached string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.newest, in.version
}

// certain reports whether all deletes that were seen are either believed or not.
func (in *input[T]) certain() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.doubtful) == 0
}

// Watermarks returns how far each input is.
func (s *Source) Watermarks() []source.Watermark {
	cluster := ""
	if system := value(s.inputs.namespaces.objects.GetKey("kube-system")); system != nil {
		cluster = string(system.UID)
	}
	var all []source.Watermark
	for _, input := range s.inputs.all() {
		changed, reached := input.watermark()
		all = append(all, source.Watermark{Cluster: cluster, Resource: input.name(), Changed: changed, Reached: reached})
	}
	return all
}

// Settled reports whether no delete is in doubt and krt has derived from the inputs
// all that there is to derive. It works in the background and tells only of its
// first time.
func (s *Source) Settled() bool {
	if slices.ContainsFunc(s.inputs.all(), func(input feed) bool { return !input.certain() }) {
		return false
	}
	var gateways []*gatewayapi.Gateway
	for _, g := range s.inputs.gateways.objects.List() {
		class := value(s.inputs.classes.objects.GetKey(string(g.Spec.GatewayClassName)))
		if class != nil && string(class.Spec.ControllerName) == s.options.Controller {
			gateways = append(gateways, &gatewayapi.Gateway{Object: g})
		}
	}
	var routes []*gatewayapi.Route
	for _, r := range s.inputs.routes.objects.List() {
		routes = append(routes, &gatewayapi.Route{Object: r})
	}
	return followed(s.collections.gateways, gateways) && followed(s.collections.routes, routes)
}

// followed reports whether a collection has these and no others.
func followed[T interface {
	ResourceName() string
	Equals(o T) bool
}](derived krt.Collection[T], wanted []T) bool {
	return len(derived.List()) == len(wanted) && !slices.ContainsFunc(wanted, func(w T) bool {
		found := derived.GetKey(w.ResourceName())
		return found == nil || !(*found).Equals(w)
	})
}
