package gatewayapi

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	corev1 "k8s.io/api/core/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// certificate is what one certificateRef leads to.
type certificate struct {
	secret *corev1.Secret // nil if there is none that can be served
	fault  fault
}

// certificates looks up the certificates of a listener that terminates TLS.
func (g *Gateway) certificates(l *listener, w World) []certificate {
	refs := l.certificateRefs()
	if len(refs) == 0 {
		return []certificate{{fault: faultf(gatewayv1.ListenerReasonInvalidCertificateRef, "tls.certificateRefs: HTTPS needs a certificate")}}
	}
	all := make([]certificate, len(refs))
	for i, ref := range refs {
		all[i] = g.certificate(ref, w)
	}
	return all
}

func (g *Gateway) certificate(ref gatewayv1.SecretObjectReference, w World) certificate {
	if !isSecret(ref) {
		return certificate{fault: faultf(gatewayv1.ListenerReasonInvalidCertificateRef, "%s %s: a certificate is a Secret",
			groupKind(valueOr(ref.Group, ""), valueOr(ref.Kind, "Secret")), ref.Name)}
	}
	key := g.secret(ref)
	if link := toSecret(g.Object.Namespace, key); !link.permitted(w) {
		return certificate{fault: link.refused()}
	}
	secret := w.Secret(key)
	if secret == nil {
		return certificate{fault: faultf(gatewayv1.ListenerReasonInvalidCertificateRef,
			"Secret %s does not exist, or is not of type %s", key, corev1.SecretTypeTLS)}
	}
	if err := checkKeyPair(secret); err != nil {
		return certificate{fault: faultf(gatewayv1.ListenerReasonInvalidCertificateRef, "Secret %s: %v", key, err)}
	}
	return certificate{secret: secret}
}

// checkKeyPair returns an error if Envoy would reject the secret. Whether the
// certificate has expired is not asked: the answer would change without any
// object changing, and clients see it for themselves.
func checkKeyPair(secret *corev1.Secret) error {
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return fmt.Errorf("%s and %s are no certificate and its key: %w", corev1.TLSCertKey, corev1.TLSPrivateKeyKey, err)
	}
	switch key := pair.Leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits {
			return fmt.Errorf("the RSA key has %d bits, Envoy asks for %d", bits, minRSABits)
		}
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P224() {
			return errors.New("the ECDSA key is on the curve P-224, Envoy takes P-256, P-384 and P-521")
		}
	}
	return nil
}

// minRSABits is the shortest RSA key that Envoy takes.
const minRSABits = 2048

// secretName names the secret of a certificate.
func secretName(secret *corev1.Secret) string { return secret.Namespace + "/" + secret.Name }

func newSecret(secret *corev1.Secret) *tlsv3.Secret {
	return &tlsv3.Secret{
		Name: secretName(secret),
		Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
			CertificateChain: inline(secret.Data[corev1.TLSCertKey]),
			PrivateKey:       inline(secret.Data[corev1.TLSPrivateKeyKey]),
		}},
	}
}

func inline(bytes []byte) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: bytes}}
}
