package ready

import (
	"fmt"
	"time"
)

const (
	// loopInterval is how often the registry's own loop beats.
	loopInterval = 10 * time.Second
	// loopTimeout is how long a loop may be silent before /livez fails.
	loopTimeout = 30 * time.Second
)

// loop is a goroutine that must keep running for the process to publish.
// Guarded by the registry's mu.
type loop struct {
	name string
	last time.Time
}

// Loop adds a loop to what /livez watches: the process is alive while each loop
// has called beat within the last 30 s, counted from the call of Loop. Call
// beat at least every 10 s, also when there is nothing to do. Liveness never
// looks at tiers: restarting a replica does not bring its inputs back.
func (r *Registry) Loop(name string) (beat func()) {
	if r == nil {
		return func() {}
	}
	l := &loop{name: name, last: time.Now()}
	r.mu.Lock()
	r.loops = append(r.loops, l)
	r.mu.Unlock()
	return func() {
		r.mu.Lock()
		l.last = time.Now()
		r.mu.Unlock()
	}
}

// loopStatus is one line of /livez?verbose.
type loopStatus struct {
	Name    string `json:"name"`
	Alive   bool   `json:"alive"`
	Message string `json:"message,omitempty"`
}

// livez answers whether each loop ran.
func (r *Registry) livez() answer {
	type body struct {
		Alive bool         `json:"alive"`
		Loops []loopStatus `json:"loops"`
	}
	all, lines := body{Alive: true, Loops: []loopStatus{}}, ""
	if r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, l := range r.loops {
			s := loopStatus{Name: l.name, Alive: true}
			if silent := time.Since(l.last); silent > loopTimeout {
				s.Alive, s.Message = false, fmt.Sprintf("silent for %v, more than %v", silent.Round(time.Second), loopTimeout)
			}
			all.Loops, all.Alive = append(all.Loops, s), all.Alive && s.Alive
			lines += s.line()
		}
	}
	return answer{probe: "livez", ok: all.Alive, lines: lines, body: all}
}

func (s loopStatus) line() string {
	if s.Alive {
		return fmt.Sprintf("[+]%s ok\n", s.Name)
	}
	return fmt.Sprintf("[-]%s failed: %s\n", s.Name, s.Message)
}
