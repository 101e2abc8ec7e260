package sources

import (
	"sync"
	"time"
)

// State is what an instance is doing.
type State string

// The states of an instance.
const (
	Waiting    State = "waiting"     // for the lease, which another process holds
	Starting   State = "starting"    // it has the lease and reads its cursor
	Running    State = "running"     // its Source runs
	BackingOff State = "backing off" // it failed and will be run again
	Done       State = "done"        // it has nothing more to emit
	Stopped    State = "stopped"     // it was told to stop
)

// Status is how an instance is doing. Its texts are for people; they hold no
// stack.
type Status struct {
	Name      string    `json:"name"`
	Type      string    `json:"type"`
	State     State     `json:"state"`
	Since     time.Time `json:"since"`                // when State was entered
	LastEvent time.Time `json:"last_event,omitzero"`  // when its newest event was stored; zero before the first
	Events    uint64    `json:"events"`               // stored since this process runs the instance
	Dropped   uint64    `json:"dropped,omitempty"`    // of which the configuration's only or map made none
	Unmade    uint64    `json:"unmade,omitempty"`     // on which these failed
	Restarts  uint64    `json:"restarts"`             // runs after the first
	LastError string    `json:"last_error,omitempty"` // why it was restarted last; stays after it has recovered
	Warning   string    `json:"warning,omitempty"`    // what is wrong now; empty when nothing is
}

// progress is a Status that changes.
type progress struct {
	mu     sync.Mutex
	status Status

	// trouble is the store's share of the warning. It goes before the source's
	// own, for nothing can be stored meanwhile.
	trouble string
}

func (p *progress) snapshot() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.status
	if p.trouble != "" {
		s.Warning = p.trouble
	}
	return s
}

func (p *progress) enter(state State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status.State != state {
		p.status.State, p.status.Since = state, time.Now()
	}
	if state == Done || state == Stopped {
		p.status.Warning, p.trouble = "", ""
	}
}

func (p *progress) stored() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.Events++
	p.status.LastEvent = time.Now()
}

// dropped counts an event of which nothing was made.
func (p *progress) dropped() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.Dropped++
}

// unmade counts an event on which the transform failed.
func (p *progress) unmade() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.Unmade++
}

func (p *progress) failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.LastError = err.Error()
	p.status.Warning, p.trouble = "", ""
}

func (p *progress) restarted() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.Restarts++
}

// warn sets the source's warning and reports whether it is another than before.
func (p *progress) warn(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := p.status.Warning != text
	p.status.Warning = text
	return changed
}

// storeTrouble does the same for what is wrong with the store.
func (p *progress) storeTrouble(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := p.trouble != text
	p.trouble = text
	return changed
}
