package xds

import (
	"time"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	statusv3 "github.com/envoyproxy/go-control-plane/envoy/service/status/v3"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// metadataKey is the key of ClientConfig.node.metadata whose value, a Struct,
// holds what CSDS has no field for. Its fields:
//
//	group       node group
//	address     host:port of the peer
//	transport   sotw or delta
//	since       when the stream was opened, RFC 3339
//	lagSeconds  how long there has been config that the proxy has not acknowledged
//	waits       what its next step waits for, for people
//	rejected    by type URL, a list of the names of rejected resources
const metadataKey = "xdsready"

// ClientConfig is the proxy in the form of CSDS: its types as
// generic_xds_configs, which name no resource and have no content, and the rest
// in node.metadata.xdsready. The proxy's own metadata is not part of it.
func (p Proxy) ClientConfig() *statusv3.ClientConfig {
	rejected := map[string]*structpb.Value{}
	config := &statusv3.ClientConfig{}
	for _, t := range p.Types {
		config.GenericXdsConfigs = append(config.GenericXdsConfigs, t.genericConfig())
		if len(t.Rejected) > 0 {
			rejected[t.TypeURL] = stringList(t.Rejected)
		}
	}
	own := &structpb.Struct{Fields: map[string]*structpb.Value{
		"group":      structpb.NewStringValue(p.Group),
		"address":    structpb.NewStringValue(p.Address),
		"transport":  structpb.NewStringValue(string(p.Transport)),
		"since":      structpb.NewStringValue(p.Since.UTC().Format(time.RFC3339Nano)),
		"lagSeconds": structpb.NewNumberValue(p.Lag.Seconds()),
		"waits":      structpb.NewStringValue(p.Waits),
		"rejected":   structpb.NewStructValue(&structpb.Struct{Fields: rejected}),
	}}
	config.Node = &corev3.Node{Id: p.NodeID, Metadata: &structpb.Struct{
		Fields: map[string]*structpb.Value{metadataKey: structpb.NewStructValue(own)},
	}}
	return config
}

func (t TypeState) genericConfig() *statusv3.ClientConfig_GenericXdsConfig {
	config := &statusv3.ClientConfig_GenericXdsConfig{
		TypeUrl: t.TypeURL, VersionInfo: t.Version,
		ConfigStatus: statusv3.ConfigStatus(statusv3.ConfigStatus_value[string(t.State)]),
	}
	if !t.Updated.IsZero() {
		config.LastUpdated = timestamppb.New(t.Updated)
	}
	if t.NACK != "" {
		config.ErrorState = &adminv3.UpdateFailureState{Details: t.NACK}
	}
	return config
}

// ProxyOf is the inverse of Proxy.ClientConfig: what a client of CSDS makes of
// an answer. What another server than this has left out is zero.
func ProxyOf(config *statusv3.ClientConfig) Proxy {
	node := config.GetNode()
	own := node.GetMetadata().GetFields()[metadataKey].GetStructValue().GetFields()
	since, _ := time.Parse(time.RFC3339Nano, own["since"].GetStringValue())
	p := Proxy{
		NodeID: node.GetId(), Group: own["group"].GetStringValue(), Address: own["address"].GetStringValue(),
		Transport: Transport(own["transport"].GetStringValue()), Since: since,
		Lag:   time.Duration(own["lagSeconds"].GetNumberValue() * float64(time.Second)),
		Waits: own["waits"].GetStringValue(),
	}
	rejected := own["rejected"].GetStructValue().GetFields()
	for _, c := range config.GetGenericXdsConfigs() {
		t := TypeState{
			TypeURL: c.GetTypeUrl(), State: State(c.GetConfigStatus().String()),
			Version: c.GetVersionInfo(), NACK: c.GetErrorState().GetDetails(),
		}
		if c.GetLastUpdated() != nil {
			t.Updated = c.GetLastUpdated().AsTime()
		}
		for _, name := range rejected[t.TypeURL].GetListValue().GetValues() {
			t.Rejected = append(t.Rejected, name.GetStringValue())
		}
		p.Types = append(p.Types, t)
	}
	return p
}

func stringList(list []string) *structpb.Value {
	values := &structpb.ListValue{}
	for _, s := range list {
		values.Values = append(values.Values, structpb.NewStringValue(s))
	}
	return structpb.NewListValue(values)
}
