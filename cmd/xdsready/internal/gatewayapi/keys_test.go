package gatewayapi

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// TestKeys: keys that Envoy rejects are refused here.
func TestKeys(t *testing.T) {
	for name, test := range map[string]struct {
		key  func() (crypto.Signer, error)
		want string
	}{
		"P-256":    {ecdsaKey(elliptic.P256()), ""},
		"P-384":    {ecdsaKey(elliptic.P384()), ""},
		"P-224":    {ecdsaKey(elliptic.P224()), "the ECDSA key is on the curve P-224, Envoy takes P-256, P-384 and P-521"},
		"RSA 2048": {rsaKey(2048), ""},
		"RSA 1024": {rsaKey(1024), "the RSA key has 1024 bits, Envoy asks for 2048"},
		"Ed25519": {func() (crypto.Signer, error) {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			return key, err
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := test.key()
			if err != nil {
				t.Fatal(err)
			}
			var got string
			if err := checkKeyPair(selfSigned(t, key)); err != nil {
				got = err.Error()
			}
			if diff := gocmp.Diff(test.want, got); diff != "" {
				t.Errorf("fault (-want +got):\n%s", diff)
			}
		})
	}
}

func ecdsaKey(curve elliptic.Curve) func() (crypto.Signer, error) {
	return func() (crypto.Signer, error) { return ecdsa.GenerateKey(curve, rand.Reader) }
}

func rsaKey(bits int) func() (crypto.Signer, error) {
	return func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, bits) }
}

// selfSigned is a Secret with the key and a certificate for it.
func selfSigned(t *testing.T, key crypto.Signer) *corev1.Secret {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.Secret{Data: map[string][]byte{
		corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}}
}
