package publish_test

import "testing"

// A cluster that is replaced before the proxy has asked for its endpoints would warm
// for 15 s, and hold up all others: Envoy ACKs no clusters while one warms.
func TestEndpointsOfAClusterThatWasReplacedMeanwhile(t *testing.T) {
	r := loaded(t, false)
	r.publish(swapConfig(t, "new", "new")...)
	r.want("CDS 5: new old")
	r.publish(swapConfig(t, "newest", "newest")...)
	r.want("CDS 6: newest new old")
	r.ack("EDS", "2", "new", "old")
	r.want("EDS 7: new")
	r.ack("EDS", "7", "new", "newest", "old")
	r.want("EDS 8: newest")
	r.ack("CDS", "6")
	r.want("RDS 9: routes")
}
