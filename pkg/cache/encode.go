package cache

import (
	"encoding/hex"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Form is how a resource stands in a response: the two variants of xDS wrap it
// differently.
type Form uint8

// The forms, by the message whose field resources (number 2 in both) they fill.
const (
	SotW  Form = iota // DiscoveryResponse: an Any; with a TTL, an Any of a discovery.v3.Resource
	Delta             // DeltaDiscoveryResponse: a discovery.v3.Resource
)

// Field numbers of the discovery service's messages.
const (
	anyTypeURL, anyValue = 1, 2

	resourceVersion, resourceAny, resourceName, resourceTTL = 1, 2, 3, 6

	responseResources = 2

	durationSeconds, durationNanos = 1, 2
)

// resourceTypeURL is the type of the wrapper that carries a TTL in SotW.
const resourceTypeURL = "type.googleapis.com/envoy.service.discovery.v3.Resource"

// AppendTo appends r to b as one more element of a response's field resources.
// The content was encoded when r was made and is copied, not encoded again.
func (r Resource) AppendTo(b []byte, form Form) []byte {
	return r.appendTo(b, form, r.Encoded())
}

// AppendHeartbeatTo appends what tells a proxy that r, which has a TTL, still
// lives: the wrapper without the content. Its source is the section "TTL" of
// Envoy's description of the xDS protocol.
func (r Resource) AppendHeartbeatTo(b []byte, form Form) []byte {
	return r.appendTo(b, form, nil)
}

func (r Resource) appendTo(b []byte, form Form, content []byte) []byte {
	b = protowire.AppendTag(b, responseResources, protowire.BytesType)
	switch {
	case form == Delta:
		b = protowire.AppendVarint(b, uint64(r.sizeWrapped(content)))
		return r.appendWrapped(b, content)
	case r.ttl == 0:
		b = protowire.AppendVarint(b, uint64(sizeAny(r.typeURL, len(content))))
		return appendAny(b, r.typeURL, content)
	default:
		wrapped := r.appendWrapped(nil, content)
		b = protowire.AppendVarint(b, uint64(sizeAny(resourceTypeURL, len(wrapped))))
		return appendAny(b, resourceTypeURL, wrapped)
	}
}

// appendWrapped appends r as an encoded discovery.v3.Resource. A nil content is
// left out.
func (r Resource) appendWrapped(b, content []byte) []byte {
	b = protowire.AppendTag(b, resourceVersion, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(hex.EncodedLen(len(r.version))))
	b = hex.AppendEncode(b, r.version[:])
	if content != nil {
		b = protowire.AppendTag(b, resourceAny, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(sizeAny(r.typeURL, len(content))))
		b = appendAny(b, r.typeURL, content)
	}
	b = protowire.AppendTag(b, resourceName, protowire.BytesType)
	b = protowire.AppendString(b, r.name)
	if r.ttl > 0 {
		b = protowire.AppendTag(b, resourceTTL, protowire.BytesType)
		b = protowire.AppendBytes(b, appendDuration(nil, r.ttl))
	}
	return b
}

// sizeWrapped returns how many bytes appendWrapped appends.
func (r Resource) sizeWrapped(content []byte) int {
	size := protowire.SizeTag(resourceVersion) + protowire.SizeBytes(hex.EncodedLen(len(r.version))) +
		protowire.SizeTag(resourceName) + protowire.SizeBytes(len(r.name))
	if content != nil {
		size += protowire.SizeTag(resourceAny) + protowire.SizeBytes(sizeAny(r.typeURL, len(content)))
	}
	if r.ttl > 0 {
		size += protowire.SizeTag(resourceTTL) + protowire.SizeBytes(len(appendDuration(nil, r.ttl)))
	}
	return size
}

func appendAny(b []byte, typeURL string, value []byte) []byte {
	b = protowire.AppendTag(b, anyTypeURL, protowire.BytesType)
	b = protowire.AppendString(b, typeURL)
	b = protowire.AppendTag(b, anyValue, protowire.BytesType)
	return protowire.AppendBytes(b, value)
}

func sizeAny(typeURL string, value int) int {
	return protowire.SizeTag(anyTypeURL) + protowire.SizeBytes(len(typeURL)) +
		protowire.SizeTag(anyValue) + protowire.SizeBytes(value)
}

func appendDuration(b []byte, d time.Duration) []byte {
	b = protowire.AppendTag(b, durationSeconds, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(d/time.Second))
	b = protowire.AppendTag(b, durationNanos, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(d%time.Second))
}

// Encode returns the resources as the field resources of one response.
func Encode(resources []Resource, form Form) []byte {
	size := 0
	for _, r := range resources {
		size += len(r.Encoded()) + len(r.name) + 2*len(r.typeURL) + 80
	}
	b := make([]byte, 0, size)
	for _, r := range resources {
		b = r.AppendTo(b, form)
	}
	return b
}
