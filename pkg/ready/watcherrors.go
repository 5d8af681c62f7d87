package ready

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// WatchErrors returns a watch error handler for client-go's informers that
// makes the API server's words the message of the check that waits for them,
// counts the error, and then calls next, as cache.DefaultWatchErrorHandler. R
// is *cache.Reflector and is inferred from next; a nil next is left out. Hand
// the result to SetWatchErrorHandlerWithContext or to controller-runtime's
// cache.Options.DefaultWatchErrorHandler before the informer starts.
//
// The check is found by its name, which may be the reflector's type description
// ("*v1.EndpointSlice"), its kind, or the kind's lower-case plural
// ("endpointslices"), also with its group ("endpointslices.discovery.k8s.io" or
// "discovery.k8s.io/endpointslices"), or what client-go calls a DoneChecker.
// An error of a type without such a check goes to the pending Cache checks.
// Errors after a check has synced are counted only: informers go on with what
// they have.
func WatchErrors[R interface{ TypeDescription() string }](
	r *Registry, next func(context.Context, R, error),
) func(context.Context, R, error) {
	return func(ctx context.Context, reflector R, err error) {
		r.watchError(reflector.TypeDescription(), err)
		if next != nil {
			next(ctx, reflector, err)
		}
	}
}

func (r *Registry) watchError(resource string, err error) {
	if r == nil || err == nil {
		return
	}
	resource = printable(resource)
	message := fmt.Sprintf("%s: %v", resource, err)
	r.mu.Lock()
	r.watchErrors[resource]++
	var named, covering []*check
	for _, t := range r.tiers {
		for _, c := range t.checks {
			switch {
			case names(c.name, resource):
				named = append(named, c)
			case c.covers:
				covering = append(covering, c)
			}
		}
	}
	if len(named) == 0 {
		named = covering
	}
	for _, c := range named {
		r.reportLocked(c, currentRound, Failed, message)
	}
	r.mu.Unlock()
	r.deliver()
}

// names reports whether a check's name means the type that a reflector lists.
func names(check, description string) bool {
	// A word of client-go's "SharedIndexInformer *v1.Pod + event handler f".
	if slices.Contains(strings.Fields(check), description) {
		return true
	}
	kind := description[strings.LastIndexAny(description, ".=*")+1:] // "*v1.Pod", "group/v1, Kind=Pod"
	kind = strings.ToLower(kind)
	forms := []string{kind, kind + "s", kind + "es"}
	if stem, ok := strings.CutSuffix(kind, "y"); ok {
		forms = append(forms, stem+"ies")
	}
	check = strings.ToLower(check)
	resource, _, _ := strings.Cut(check, ".") // of "endpointslices.discovery.k8s.io"
	return slices.Contains(forms, resource) || slices.Contains(forms, check[strings.LastIndexAny(check, "/*.")+1:])
}
