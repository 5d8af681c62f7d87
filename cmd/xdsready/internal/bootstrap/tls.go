package bootstrap

import (
	"net/netip"
	"path"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// The secrets that an Envoy follows if they have files of their own.
const (
	identitySecret = "xdsready-identity"
	caSecret       = "xdsready-ca"
)

// newTransportSocket returns TLS towards the control plane.
func newTransportSocket(t TLS, endpoints []address) (*corev3.TransportSocket, error) {
	common := &tlsv3.CommonTlsContext{TlsParams: &tlsv3.TlsParameters{TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3}}
	names := t.names(endpoints)
	if t.SDSDir == "" {
		common.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: t.validation(names)}
		if t.CertFile != "" {
			common.TlsCertificates = []*tlsv3.TlsCertificate{t.identity()}
		}
	} else {
		common.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{ValidationContextSdsSecretConfig: t.follow(caSecret)}
		if t.CertFile != "" {
			common.TlsCertificateSdsSecretConfigs = []*tlsv3.SdsSecretConfig{t.follow(identitySecret)}
		}
	}
	config, err := packed(&tlsv3.UpstreamTlsContext{CommonTlsContext: common, Sni: sni(names)})
	if err != nil {
		return nil, err
	}
	return &corev3.TransportSocket{
		Name:       "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: config},
	}, nil
}

// follow names a secret in a file of its own: an Envoy takes no file with two.
func (t TLS) follow(secret string) *tlsv3.SdsSecretConfig {
	return &tlsv3.SdsSecretConfig{Name: secret, SdsConfig: &corev3.ConfigSource{
		ResourceApiVersion: corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_PathConfigSource{
			PathConfigSource: &corev3.PathConfigSource{Path: t.secretFile(secret)},
		},
	}}
}

func (t TLS) secretFile(secret string) string { return path.Join(t.SDSDir, secret+".json") }

// SecretFiles returns the files by path, as TLS.SDSDir asks for them: nil if it
// is empty. They name the PEM files and hold nothing of their content.
func SecretFiles(o Options) (map[string][]byte, error) {
	if o.TLS.SDSDir == "" {
		return nil, nil
	}
	endpoints, err := o.endpoints()
	if err != nil {
		return nil, err
	}
	secrets := []*tlsv3.Secret{{Name: caSecret, Type: &tlsv3.Secret_ValidationContext{
		ValidationContext: o.TLS.validation(o.TLS.names(endpoints)),
	}}}
	if o.TLS.CertFile != "" {
		secrets = append(secrets, &tlsv3.Secret{Name: identitySecret, Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: o.TLS.identity()}})
	}
	files := map[string][]byte{}
	if o.TLS.TokenFile != "" {
		secrets = append(secrets, &tlsv3.Secret{Name: tokenSecret, Type: &tlsv3.Secret_GenericSecret{GenericSecret: o.TLS.token()}})
	}
	for _, secret := range secrets {
		resource, err := packed(secret)
		if err != nil {
			return nil, err
		}
		if files[o.TLS.secretFile(secret.GetName())], err = JSON(&discovery.DiscoveryResponse{Resources: []*anypb.Any{resource}}); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func (t TLS) identity() *tlsv3.TlsCertificate {
	return &tlsv3.TlsCertificate{CertificateChain: file(t.CertFile), PrivateKey: file(t.KeyFile)}
}

// validation accepts a certificate of the CA for one of the names.
func (t TLS) validation(names []string) *tlsv3.CertificateValidationContext {
	v := &tlsv3.CertificateValidationContext{TrustedCa: file(t.CAFile)}
	for _, name := range names {
		kind := tlsv3.SubjectAltNameMatcher_DNS
		if _, err := netip.ParseAddr(name); err == nil {
			kind = tlsv3.SubjectAltNameMatcher_IP_ADDRESS
		} else if isURI(name) {
			kind = tlsv3.SubjectAltNameMatcher_URI
		}
		v.MatchTypedSubjectAltNames = append(v.MatchTypedSubjectAltNames, &tlsv3.SubjectAltNameMatcher{
			SanType: kind, Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: name}},
		})
	}
	return v
}

// sni is the first DNS name; empty if there is none: neither addresses nor URIs
// may stand there.
func sni(names []string) string {
	for _, name := range names {
		if _, err := netip.ParseAddr(name); err != nil && !isURI(name) {
			return name
		}
	}
	return ""
}

func file(name string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: name}}
}
