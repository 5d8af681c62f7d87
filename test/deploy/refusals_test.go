package deploy

import (
	"strings"
	"testing"
)

// What cannot work is refused before anything is installed, in words that say
// what to change.
func TestRefusals(t *testing.T) {
	for _, test := range []struct{ name, chart, set, want string }{
		{"a key that is misspelt", "chart", "replica=3", `additional properties 'replica' not allowed`},
		{"a nested key that is misspelt", "chart", "image.tga=x", `at '/image': additional properties 'tga' not allowed`},
		{"a number that is text", "chart", "replicas=two", `at '/replicas': got string, want integer`},
		{"no replica", "chart", "replicas=0", `at '/replicas': minimum: got 0, want 1`},
		{"an admission that does not exist", "chart", "admission=reject", `at '/admission': value must be one of 'refuse', 'hold'`},
		{"a duration without a unit", "chart", "holdTimeout=30", `at '/holdTimeout': got number, want string`},
		{"a CRD that is not read", "chart", "optionalCRDs={tcproutes}", `at '/optionalCRDs/0': value must be one of`},
		{"a controller name without a domain", "chart", "controllerName=xdsready", `at '/controllerName': 'xdsready' does not match pattern`},
		{"a log format that does not exist", "chart", "logFormat=xml", `at '/logFormat': value must be one of 'text', 'json'`},
		{"a probe that is misspelt", "chart", "probes.readiness.period=1", `at '/probes/readiness': additional properties 'period' not allowed`},
		{"a certificate that any Gateway's proxy has", "chart", "identity.mtls.san=spiffe://a/{name}", `at '/identity/mtls/san'`},
		{"an argument that is no flag", "chart", "extraArgs={debug}", `at '/extraArgs/0': 'debug' does not match pattern`},
		{"no identity", "chart", "identity.tokenAudience=", "identity: set tokenAudience or mtls.clientCASecret. Without one any pod could fetch the TLS keys of any Gateway."},
		{"two identities", "chart", "identity.mtls.clientCASecret=ca", "identity: set either tokenAudience or mtls.clientCASecret."},
		{"peers that do not know one another", "chart", "identity.tokenAudience=,identity.mtls.clientCASecret=ca", "peers: with mTLS replicas know one another by their own certificate, of the CA in identity.mtls.clientCASecret: give it as tls.secret, or set peers.enabled=false."},
		{"too little time to drain", "chart", "terminationGracePeriodSeconds=19", "terminationGracePeriodSeconds is 19: it must be at least drainDelaySeconds + drainWindowSeconds + 5 (for the last stream to come to rest) = 20"},
		{"a preStop sleep, which there is none of", "chart", "preStopSleepSeconds=5", `additional properties 'preStopSleepSeconds' not allowed`},
		{"an age without a unit", "chart", "maxConnectionAge=30", `at '/maxConnectionAge': got number, want string`},
		{"proxies that wait at one of two", "chart", "admission=hold,service.publishNotReadyAddresses=true", "Use admission=refuse, or replicas=1."},

		{"a key that is misspelt", "proxy-chart", "replica=3", `additional properties 'replica' not allowed`},
		{"no Gateway", "proxy-chart", "gateway.name=", "gateway.name is required"},
		{"no CA", "proxy-chart", "controlPlane.caConfigMap=", "controlPlane: set ca (--set-file controlPlane.ca=ca.crt) or caConfigMap."},
		{"two CAs", "proxy-chart", "controlPlane.ca=-----BEGIN CERTIFICATE-----", "controlPlane: set either ca or caConfigMap."},
		{"a CA that is a file name", "proxy-chart", "controlPlane.ca=ca.crt", `at '/controlPlane/ca': 'ca.crt' does not match pattern`},
		{"an address that is no name", "proxy-chart", "controlPlane.address=10.0.0.1", `at '/controlPlane/address'`},
		{"an address with a port", "proxy-chart", "controlPlane.address=plane:18000", `at '/controlPlane/address'`},
		{"no identity", "proxy-chart", "identity.tokenAudience=", "identity: set tokenAudience or certificateSecret, as the control plane asks for it."},
		{"two identities", "proxy-chart", "identity.certificateSecret=edge", "identity: set either tokenAudience or certificateSecret."},
		{"no listener", "proxy-chart", "service.ports=null", `at '/service': missing property 'ports'`},
		{"a listener with the name of the probes' port", "proxy-chart", "service.ports[0].name=ready,service.ports[0].port=80", `at '/service/ports/0/name': 'not' failed`},
		{"too little time to drain", "proxy-chart", "drain.seconds=60", "terminationGracePeriodSeconds is 60: it must be above drain.seconds = 60"},
	} {
		t.Run(test.chart+"/"+test.name, func(t *testing.T) {
			_, err := helm(t, "template", test.chart, "--values", valuesFile(test.chart, "default"), "--set", test.set)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("--set %s: %v\nwant: %s", test.set, err, test.want)
			}
		})
	}
}

// A sidecar of Linkerd's must outlive the drain and end before it is killed.
func TestSidecarOutlivesTheDrain(t *testing.T) {
	const wait = `podAnnotations.config\.alpha\.linkerd\.io/proxy-wait-before-exit-seconds=`
	for seconds, want := range map[string]string{
		"20": "Linkerd's proxy waits 20 s before it exits: it must be more than the drain takes, 20 s, and less than terminationGracePeriodSeconds, 30.",
		"21": "",
		"29": "",
		"30": "Linkerd's proxy waits 30 s before it exits",
	} {
		_, err := helm(t, "template", "chart", "--set-string", wait+seconds)
		if refused := err != nil; refused != (want != "") || refused && !strings.Contains(err.Error(), want) {
			t.Errorf("it waits %s s: %v\nwant: %q", seconds, err, want)
		}
	}
}

// Hold with addresses of replicas that are not ready is for one replica, and
// several replicas may publish theirs as long as they refuse.
func TestHoldAndRefuseThatWork(t *testing.T) {
	for _, set := range []string{
		"admission=hold,service.publishNotReadyAddresses=true,replicas=1",
		"admission=hold,service.headless=true",
		"admission=refuse,service.publishNotReadyAddresses=true",
	} {
		if _, err := helm(t, "template", "chart", "--set", set); err != nil {
			t.Errorf("--set %s: %v", set, err)
		}
	}
}
