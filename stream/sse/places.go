package sse

import (
	"net/http"
	"sync"
	"time"
)

// places are the viewers that a Server may have at a time. An open event stream
// and a waiting poll take one.
type places struct {
	mu         sync.Mutex
	most       int // 0 is no limit
	perAddress int // the same
	taken      int
	crowd      int // as many were there when the end began
	byAddress  map[string]int

	refused uint64
	warned  time.Time
}

// warnEvery is the shortest time between two warnings that the server is full.
const warnEvery = time.Minute

// SetLimits replaces Config.Viewers and Config.PerAddress. Viewers who are there
// stay, also where they are more than the new limits allow.
func (s *Server) SetLimits(viewers, perAddress int) {
	s.places.mu.Lock()
	defer s.places.mu.Unlock()
	s.places.most, s.places.perAddress = viewers, perAddress
}

// Refused returns how many event streams and polls were turned away because the
// server was full.
func (s *Server) Refused() uint64 {
	s.places.mu.Lock()
	defer s.places.mu.Unlock()
	return s.places.refused
}

// admit counts a stream or a waiting poll, unless the server is full. The
// caller calls release when it ends.
func (s *Server) admit(r *http.Request) (release func(), err error) {
	room, address := s.cfg.Room(), s.cfg.Address(r)
	p := &s.places
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := s.lookLocked(room, address); err != nil {
		return nil, err
	}
	p.taken++
	if address == "" {
		return func() { p.leave("") }, nil
	}
	p.byAddress[address]++
	return func() { p.leave(address) }, nil
}

// look reports whether the server is full, for a request that takes no place.
func (s *Server) look(r *http.Request) error {
	room, address := s.cfg.Room(), s.cfg.Address(r)
	s.places.mu.Lock()
	defer s.places.mu.Unlock()
	return s.lookLocked(room, address)
}

func (s *Server) lookLocked(room error, address string) error {
	p := &s.places
	limit := ""
	switch {
	case room != nil:
		limit = room.Error()
	case p.most > 0 && p.taken >= p.most:
		limit = "there are as many as there may be"
	case p.perAddress > 0 && address != "" && p.byAddress[address] >= p.perAddress:
		limit = "there are as many as there may be from " + address
	default:
		return nil
	}
	p.refused++
	if now := time.Now(); now.Sub(p.warned) >= warnEvery {
		p.warned = now
		s.cfg.Log.Warn("viewers are told to come back later: "+limit, "viewers", p.taken, "refused", p.refused)
	}
	return errFull
}

// comebacks is how many viewers a second are told to come back: what a process
// that has just started can cope with, over TLS too.
const comebacks = 3000

// window is how long the viewers who are there need to come back.
func (p *places) window() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration(max(p.taken, p.crowd)) * time.Second / comebacks
}

// close remembers how many viewers are there when they begin to be sent away.
func (p *places) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.crowd = p.taken
}

// leave gives a place back.
func (p *places) leave(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if address == "" {
		return
	}
	if p.byAddress[address]--; p.byAddress[address] == 0 {
		delete(p.byAddress, address)
	}
}
