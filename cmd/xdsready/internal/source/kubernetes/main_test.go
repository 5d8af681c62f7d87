package kubernetes

import (
	"context"
	"testing"

	"go.uber.org/goleak"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
)

func TestMain(m *testing.M) {
	// One of client-go's handlers of errors sleeps until the last error is some
	// time ago, be it one of another test's future: synctest begins time anew.
	for i := range utilruntime.ErrorHandlers {
		utilruntime.ErrorHandlers[i] = func(context.Context, error, string, ...any) {}
	}
	goleak.VerifyTestMain(m)
}
