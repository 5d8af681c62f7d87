package cache

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
)

// deterministic orders map entries by key. It reaches into nested messages but
// not into the bytes of an Any, which is why normalize exists.
var deterministic = proto.MarshalOptions{Deterministic: true}

// maxAnyDepth bounds Anys within Anys. Real listeners stay below ten; without a
// bound, input of a megabyte could nest so deep that re-encoding it, a copy at
// each level, would take hours.
const maxAnyDepth = 64

// normalize walks all of m, re-encodes every nested Any deterministically in
// place, innermost first, and adds the references that it meets on the way to
// found (nil: they do not count). depth is the number of Anys around m. The
// error names the fields that lead to the fault.
func normalize(m protoreflect.Message, found *references, depth int) (err error) {
	if packed, ok := m.Interface().(*anypb.Any); ok {
		return normalizeAny(packed, found, depth)
	}
	if m.Descriptor().FullName() == apiConfigSource {
		found = nil
	}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		found.addField(m, field, value)
		switch {
		case field.IsMap() && field.MapValue().Message() != nil:
			value.Map().Range(func(_ protoreflect.MapKey, entry protoreflect.Value) bool {
				err = normalize(entry.Message(), found, depth)
				return err == nil
			})
		case field.IsList() && field.Message() != nil:
			for i := 0; i < value.List().Len() && err == nil; i++ {
				err = normalize(value.List().Get(i).Message(), found, depth)
			}
		case !field.IsMap() && !field.IsList() && field.Message() != nil:
			err = normalize(value.Message(), found, depth)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", field.Name(), err)
		}
		return err == nil
	})
	return err
}

func normalizeAny(packed *anypb.Any, found *references, depth int) error {
	if depth == maxAnyDepth {
		return fmt.Errorf("more than %d Anys nested in each other", maxAnyDepth)
	}
	if proto.Size(packed) == 0 {
		return nil // Envoy takes it for a config without any settings
	}
	content, err := packed.UnmarshalNew()
	if errors.Is(err, protoregistry.NotFound) {
		found.addUnknown("it holds a " + string(packed.MessageName()) + ", a type that is not linked into this program")
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot decode the Any as %s: %w", packed.MessageName(), err)
	}
	if err := normalize(content.ProtoReflect(), found, depth+1); err != nil {
		return err
	}
	packed.Value, err = deterministic.Marshal(content)
	return err
}
