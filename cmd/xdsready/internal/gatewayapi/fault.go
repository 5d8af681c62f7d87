package gatewayapi

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fault says why a condition is not as its owner wants it. The zero fault is none.
type fault struct{ reason, message string }

func (f fault) none() bool { return f.reason == "" }

// faultf makes a fault with a reason of the Gateway API.
func faultf[R ~string](reason R, format string, args ...any) fault {
	return fault{reason: string(reason), message: fmt.Sprintf(format, args...)}
}

// join makes one fault of several, because a condition has one reason: that of
// the first.
func join(faults []fault) fault {
	if len(faults) == 0 {
		return fault{}
	}
	messages := make([]string, len(faults))
	for i, f := range faults {
		messages[i] = f.message
	}
	return fault{reason: faults[0].reason, message: summary(messages)}
}

// listed is how many messages a condition shows. The API server takes no
// message above 32 KiB, and nobody reads one that long.
const listed = 10

// summary joins messages and counts those that it leaves out.
func summary(messages []string) string {
	if more := len(messages) - listed; more > 0 {
		return fmt.Sprintf("%s; and %d more", strings.Join(messages[:listed], "; "), more)
	}
	return strings.Join(messages, "; ")
}

// positive returns a condition that is True, with the reason of that name, when
// there is no fault. The caller sets the time of its transition.
func positive[T, R ~string](kind T, reason R, f fault, generation int64) metav1.Condition {
	if f.none() {
		return newCondition(kind, metav1.ConditionTrue, fault{reason: string(reason)}, generation)
	}
	return newCondition(kind, metav1.ConditionFalse, f, generation)
}

func newCondition[T ~string](kind T, status metav1.ConditionStatus, f fault, generation int64) metav1.Condition {
	return metav1.Condition{
		Type:               string(kind),
		Status:             status,
		Reason:             f.reason,
		Message:            f.message,
		ObservedGeneration: generation,
	}
}
