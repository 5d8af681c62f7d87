package peers

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAddresses(t *testing.T) {
	lookup := func(_ context.Context, host string) ([]string, error) {
		switch host {
		case "peers.infra":
			return []string{"10.0.0.2", "fd00::1", "10.0.0.1"}, nil
		case "nobody":
			return nil, &net.DNSError{IsNotFound: true}
		}
		return nil, errors.New("server misbehaving")
	}
	for name, test := range map[string]struct {
		list []string
		want []string
		err  string
	}{
		"addresses":                    {[]string{"b:2", "[fd00::1]:1", "b:2"}, []string{"[fd00::1]:1", "b:2"}, ""},
		"all addresses of a name":      {[]string{"dns:///peers.infra:18000"}, []string{"10.0.0.1:18000", "10.0.0.2:18000", "[fd00::1]:18000"}, ""},
		"a name that does not exist":   {[]string{"dns:///nobody:1", "a:1"}, []string{"a:1"}, ""},
		"a name that nobody can tell":  {[]string{"dns:///broken:1"}, nil, "looking up the peers: server misbehaving"},
		"no port":                      {[]string{"a"}, nil, `"a" is neither HOST:PORT nor dns:///NAME:PORT: address a: missing port in address`},
		"a port that is none":          {[]string{"a:http"}, nil, `"a:http" is neither HOST:PORT nor dns:///NAME:PORT`},
		"another resolver's authority": {[]string{"dns://8.8.8.8/a:1"}, nil, `"dns://8.8.8.8/a:1" is neither HOST:PORT nor dns:///NAME:PORT: address dns://8.8.8.8/a:1: too many colons in address`},
	} {
		t.Run(name, func(t *testing.T) {
			targets, err := parseList(test.list)
			var got []string
			if err == nil {
				got, err = addresses(t.Context(), targets, lookup)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
			text := ""
			if err != nil {
				text = err.Error()
			}
			if text != test.err {
				t.Errorf("err = %q, want %q", text, test.err)
			}
		})
	}
}
