package sse

import (
	"net/http"
	"time"
)

// Pass is what lets a viewer read a wall that not everybody may read.
type Pass struct {
	// Until is when it ends by itself. The zero Time is never.
	Until time.Time

	// Holds reports whether it is still good. It is asked once when the stream
	// begins, and at each Review.
	Holds func() bool
}

// ticket is the pass of an open stream. A nil ticket never ends.
type ticket struct {
	holds func() bool
	feed  *feed
	ended chan struct{} // closed when it is over
	timer *time.Timer   // ends it; nil if it does not expire
}

// isOver reports whether the viewer is to go.
func (t *ticket) isOver() bool {
	if t == nil {
		return false
	}
	select {
	case <-t.ended:
		return true
	default:
		return false
	}
}

// over is closed when the viewer is to go.
func (t *ticket) over() <-chan struct{} {
	if t == nil {
		return nil
	}
	return t.ended
}

// stamp gives a viewer its ticket, if it needs one. The caller calls giveBack
// when the stream has ended.
func (s *Server) stamp(v *viewer, r *http.Request) (giveBack func()) {
	pass := s.cfg.Pass(r, v.feed.wall)
	if pass == nil {
		return func() {}
	}
	t := &ticket{holds: pass.Holds, feed: v.feed, ended: make(chan struct{})}
	v.ticket = t
	s.mu.Lock()
	s.tickets[t] = struct{}{}
	if !pass.Until.IsZero() {
		t.timer = time.AfterFunc(time.Until(pass.Until), func() { s.end(t) })
	}
	s.mu.Unlock()
	if !t.holds() { // any more: a Review may have come before the ticket was known
		s.end(t)
	}
	return func() { s.forget(t) }
}

// end has a ticket's viewer leave.
func (s *Server) end(t *ticket) {
	if s.forget(t) {
		close(t.ended)
		t.feed.notify()
	}
}

// forget reports whether the ticket was known.
func (s *Server) forget(t *ticket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
	}
	_, known := s.tickets[t]
	delete(s.tickets, t)
	return known
}

// Review ends the streams whose Pass does not hold any more, each with
// wall:bye {reason: "access"}. It does not wait for them.
func (s *Server) Review() {
	s.mu.Lock()
	tickets := make([]*ticket, 0, len(s.tickets))
	for t := range s.tickets {
		tickets = append(tickets, t)
	}
	s.mu.Unlock()
	for _, t := range tickets {
		if !t.holds() {
			s.end(t)
		}
	}
}
