package peers

import (
	"math"
	"time"
)

const (
	// tolerated is how many times its fair share a replica keeps without more ado.
	tolerated = 1.1
	// pace is the part of its connections that a replica sheds in a second. Envoy
	// tries the addresses of a bootstrap in turn, the same for all, so that what
	// the first replica sheds comes to the second, which has to pass it on to the
	// third: at half the pace three replicas take more than two minutes.
	pace = 0.02
	// freshness is how old the peers' numbers may be.
	freshness = 15 * time.Second
	// patience is for how long replicas shed although none that lacks connections
	// gets any: the proxies know no other address, or a balancer sends them back.
	// They are then left alone for the time of rest.
	patience = time.Minute
	rest     = 10 * time.Minute
)

// balancer decides how many connections to shed. It has no clock.
type balancer struct {
	share    float64   // the fair share; 0: nobody is there to take more
	at       time.Time // when share was found
	active   bool      // this replica has too many, and the proxies are not left alone
	lacking  float64   // the least that replicas have lacked while active
	improved time.Time // when that was
	again    time.Time // the proxies are left alone until then
}

// observe takes note of how many connections this replica and the others have.
// willing is false while some other could not take more: it then sheds none.
func (b *balancer) observe(now time.Time, own int, others []int, willing bool) {
	b.share, b.at = 0, now
	if !willing || len(others) == 0 {
		return
	}
	total := own
	for _, n := range others {
		total += n
	}
	b.share = float64(total) / float64(1+len(others))
	lacking := 0.0
	for _, n := range others {
		lacking += max(0, b.share-float64(n))
	}
	switch wasActive := b.active; {
	case !b.tooMany(own) || now.Before(b.again):
		b.active = false
	case !wasActive || lacking < b.lacking:
		b.active, b.lacking, b.improved = true, lacking, now
	case now.Sub(b.improved) > patience:
		b.active, b.again = false, now.Add(rest)
	}
}

func (b *balancer) tooMany(own int) bool { return float64(own) > tolerated*b.share }

// next returns how many connections to shed now, if it is called once a second,
// and never so many that fewer than the fair share remain. Those that were asked
// to leave already are not among own.
func (b *balancer) next(now time.Time, own int) int {
	if !b.active || b.share == 0 || now.Sub(b.at) > freshness || !b.tooMany(own) {
		return 0
	}
	return min(max(1, int(pace*float64(own))), own-int(math.Ceil(b.share)))
}
