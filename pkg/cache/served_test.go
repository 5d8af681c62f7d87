package cache

import (
	"testing"

	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
)

// What another replica has served is taken as it is: a cluster without its secret
// and its endpoints stays, and nothing stands for these.
func TestServedIsExactlyThat(t *testing.T) {
	given := resources(t, tlsEDSCluster(t, "c", "", "absent"), tlsEDSCluster(t, "d", "", ""))
	beside := build(t, Options{AfterInputs: true}, tlsEDSCluster(t, "d", "", ""), routeTable("r"))
	s, err := Served(given, beside)
	if err != nil {
		t.Fatal(err)
	}
	if want := ContentVersion(given); s.ContentVersion() != want || s.Version(resourcev3.ClusterType) != want {
		t.Errorf("versions %v and %v, want %v", s.ContentVersion(), s.Version(resourcev3.ClusterType), want)
	}
	if n := len(s.Withheld()) + len(s.Placeholders()); n > 0 || len(s.Types()) != 1 || s.AfterInputs() {
		t.Errorf("withheld %v, placeholders %v, types %v, after its inputs: %t", s.Withheld(), s.Placeholders(), s.Types(), s.AfterInputs())
	}
	if _, err := Served(resources(t, routeTable("r"), routeTable("r")), nil); err == nil {
		t.Error("two resources of one name: no error")
	}
}
