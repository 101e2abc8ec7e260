package sse

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"
)

const (
	maxPollEvents = 1000
	maxPollBytes  = 4 << 20
)

// reply is the answer to a poll, as it grows.
type reply struct {
	events []byte // objects, separated by commas
	count  int
	gap    *gap
	begun  bool // the history has begun: what is missing now is missing behind events
	done   bool // nothing more goes into it
}

// add appends an entry if it is for the viewer.
func (p *reply) add(v *viewer, e *entry, rep representation) {
	if !v.filter.passes(e) {
		return
	}
	if p.count > 0 {
		p.events = append(p.events, ',')
	}
	if e.isRetract() {
		p.events = append(p.events, retractItem(e.event)...)
	} else {
		p.events = append(p.events, itemOf(v.feed.block(e, rep))...)
	}
	p.count++
}

// announce puts a gap before the history. An answer that holds some of it
// already ends, and the next poll is told of the gap.
func (p *reply) announce(g *gap) bool {
	switch {
	case p.begun:
		p.done = true
		return false
	case p.gap != nil: // there was one, and it has widened meanwhile
		p.gap.First = g.First
	default:
		p.gap = g
	}
	return true
}

func (p *reply) empty() bool { return p.count == 0 && p.gap == nil }

// encode makes the body. next is the id to go on from.
func (p *reply) encode(next string) []byte {
	body := append([]byte(`{"events":[`), p.events...)
	body = append(body, `],"next":`...)
	body = append(body, marshal(next)...)
	if p.gap != nil {
		body = append(body, `,"gap":`...)
		body = append(body, marshal(p.gap)...)
	}
	return append(body, '}')
}

// servePoll answers with JSON: at once, or as soon as there is news.
func (s *Server) servePoll(w http.ResponseWriter, r *http.Request, wall string, q query) {
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "application/json")
		return
	}
	release, err := s.seat(r, q.wait > 0)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer release()
	h, leave, err := s.hub(wall)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer leave()
	v, begin, err := h.join(r.Context(), q)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer s.stamp(v, r)()
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{}) // the server's may pass while we wait
	p := &reply{gap: begin.gap}
	for _, e := range begin.cards {
		p.add(v, e, q.rep)
	}
	if err := s.collect(r.Context(), v, q, p); err != nil {
		s.refuse(w, r, err)
		return
	}
	_ = control.SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout))
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(p.encode(v.feed.id(v.cursor).String())) // a client that is gone gets no answer
}

// seat is admit for a poll: one that is answered at once takes no place.
func (s *Server) seat(r *http.Request, waits bool) (release func(), err error) {
	if waits {
		return s.admit(r)
	}
	return func() {}, s.look(r)
}

// collect takes what the viewer is to get, and where that is nothing waits for
// news as long as the query says.
func (s *Server) collect(ctx context.Context, v *viewer, q query, p *reply) error {
	timeout := time.NewTimer(q.wait)
	defer timeout.Stop()
	for {
		news, err := p.take(ctx, v, q.rep)
		switch {
		case err != nil:
			return err
		case p.done:
			return nil
		case news == nil:
			continue
		case !p.empty() || q.wait == 0:
			return nil
		}
		select {
		case <-news:
		case <-timeout.C:
			return nil
		case <-ctx.Done():
			return nil
		case <-v.feed.ended:
			return nil
		case <-v.hub.removed:
			return nil
		case <-v.ticket.over():
			return nil
		case <-s.stopping:
			return nil
		}
	}
}

// take adds what follows the viewer's cursor. It returns a channel that is
// closed when there is more, nil when there is already.
func (p *reply) take(ctx context.Context, v *viewer, rep representation) (<-chan struct{}, error) {
	b := batches.Get().(*batch)
	defer b.free()
	if err := v.take(ctx, b); err != nil {
		return nil, err
	}
	if b.gap != nil && !p.announce(b.gap) {
		return nil, nil
	}
	for _, e := range b.entries {
		if g := v.lossBefore(e); g != nil && !p.announce(g) {
			return nil, nil
		}
		p.add(v, e, rep)
		v.cursor, v.rough, p.begun = e.seq, false, true
		if p.count >= maxPollEvents || len(p.events) >= maxPollBytes {
			p.done = true
			return nil, nil
		}
	}
	v.cursor = b.through
	return b.news, nil
}

// refuse answers a poll that can't be served.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	retry, detail := s.retry(), "the wall's store can't be reached at the moment; try again"
	switch {
	case errors.Is(err, errFull):
		retry, detail = s.later(), "the server has as many viewers as it may have; try again later"
		if r.ProtoMajor < 2 {
			w.Header().Set("Connection", "close") // it would take the place of others
		}
	case errors.Is(err, errShutdown):
		detail = "the server is being stopped; try again"
	default:
		s.cfg.Log.Debug("a poll can't be served", "error", err)
	}
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int(retry.Seconds()))))
	problem(w, http.StatusServiceUnavailable, detail)
}
