package plugins

import (
	"context"
	"log/slog"
	"sync"
)

// Loaded is a program that may run.
type Loaded struct {
	Program
	Memory int64 // bytes that a run may have where the settings say nothing
}

// Slot holds what a plugin runs at present: the newest of its files that could be
// loaded. It outlives the plugin's settings. Its methods may be called
// concurrently.
type Slot struct {
	log *slog.Logger

	mu      sync.Mutex
	now     *tenant       // nil while there is nothing to run
	arrived chan struct{} // closed when there is
}

// tenant is a program and the calls that use it.
type tenant struct {
	Loaded
	calls int
	gone  chan struct{} // closed when another has taken the place
}

// NewSlot returns an empty slot. What goes wrong when a program is closed goes to
// log.
func NewSlot(log *slog.Logger) *Slot { return &Slot{log: log, arrived: make(chan struct{})} }

// Swap makes next what further calls run; nil empties the slot, and calls wait
// until there is a program again. Those that run go on with what they have: it is
// closed when the last of them has ended, or else before Swap returns.
func (s *Slot) Swap(next *Loaded) {
	s.mu.Lock()
	former := s.now
	s.now = nil
	if next != nil {
		s.now = &tenant{Loaded: *next, gone: make(chan struct{})}
	}
	switch {
	case former == nil && next != nil:
		close(s.arrived)
	case former != nil && next == nil:
		s.arrived = make(chan struct{})
	}
	idle := former != nil && former.calls == 0
	if former != nil {
		close(former.gone)
	}
	s.mu.Unlock()
	if idle {
		s.close(former)
	}
}

// Loaded reports whether there is something to run.
func (s *Slot) Loaded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now != nil
}

// acquire waits until there is something to run. release is called when the call
// has ended. gone is closed when there is something else to run.
func (s *Slot) acquire(ctx context.Context) (program Loaded, release func(), gone <-chan struct{}, err error) {
	for {
		s.mu.Lock()
		now, arrived := s.now, s.arrived
		if now != nil {
			now.calls++
			s.mu.Unlock()
			return now.Loaded, func() { s.release(now) }, now.gone, nil
		}
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return Loaded{}, nil, nil, ctx.Err()
		case <-arrived:
		}
	}
}

func (s *Slot) release(t *tenant) {
	s.mu.Lock()
	t.calls--
	last := t.calls == 0 && s.now != t
	s.mu.Unlock()
	if last {
		s.close(t)
	}
}

func (s *Slot) close(t *tenant) {
	if err := t.Close(); err != nil {
		s.log.Warn("a plugin's former program was not closed", "error", err)
	}
}
