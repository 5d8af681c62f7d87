package gatewayapi

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// Absence is something a route refers to that World did not show. An informer
// that lags shows the same, so the caller asks the API server before it lets a new
// absence take traffic away. (A certificate that is absent needs no such care:
// its listener keeps the last good one.)
type Absence struct {
	Kind   AbsenceKind
	Object types.NamespacedName
	// From is the namespace that refers to the object; set for grants only.
	From string
	// Port is the port of the object; set for ports only.
	Port int32
}

// AbsenceKind says of which kind the absent thing is.
type AbsenceKind string

const (
	// AbsentService says that there is no such Service.
	AbsentService AbsenceKind = "Service"
	// AbsentPort says that the Service has no such TCP port.
	AbsentPort AbsenceKind = "Port"
	// AbsentEndpointSlices says that the Service has none, although a Service of
	// its sort usually has one, be it empty.
	AbsentEndpointSlices AbsenceKind = "EndpointSlices"
	// AbsentReferenceGrant says that no grant lets HTTPRoutes of the namespace
	// From refer to the object, a Service.
	AbsentReferenceGrant AbsenceKind = "ReferenceGrant"
)

func (a Absence) String() string {
	text := string(a.Kind) + " " + a.Object.String()
	switch {
	case a.From != "":
		text += " from " + a.From
	case a.Port != 0:
		text += fmt.Sprintf(" %d", a.Port)
	}
	return text
}

// sortAbsences orders absences and removes what is there twice.
func sortAbsences(absent []Absence) []Absence {
	slices.SortFunc(absent, func(a, b Absence) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), compareKeys(a.Object, b.Object), cmp.Compare(a.From, b.From), cmp.Compare(a.Port, b.Port))
	})
	return slices.Compact(absent)
}

func compareKeys(a, b types.NamespacedName) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}
