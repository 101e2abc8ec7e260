package sse

import (
	"context"
	"time"

	"github.com/wallcast/wallcast/stream"
)

const (
	// A stretch of history that is read from the store ends at these.
	maxFetchEntries = 1000
	maxFetchBytes   = 128 << 10

	// maxFetchSpan bounds the sequences of a stretch that viewers ask for, so that
	// it is the same one while the window moves on.
	maxFetchSpan = 8 * maxFetchEntries

	// askTimeout bounds one question to the store.
	askTimeout = 5 * time.Second
)

// stretch is a part of a feed's history that viewers ask for.
type stretch struct {
	feed           *feed
	after, through uint64
}

// reading is a stretch that somebody asks for at the moment.
type reading struct {
	*shared[past]
	users int // guarded by hub.mu
}

// past is what was read of a stretch. Those who asked for it share it.
type past struct {
	entries []*entry
	through uint64 // how far it goes
}

// history returns the entries after a sequence, up to through or until it is
// much, and how far it came. Viewers that ask for the same at the same time
// share the reading. The entries are not to be written to.
func (h *hub) history(ctx context.Context, f *feed, after, through uint64) ([]*entry, uint64, error) {
	s := stretch{f, after, through}
	h.mu.Lock()
	r := h.readings[s]
	if r == nil {
		r = &reading{shared: newShared(func(context.Context) (past, error) { return h.read(s) })}
		h.readings[s] = r
	}
	r.users++
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if r.users--; r.users == 0 {
			delete(h.readings, s)
		}
	}()
	p, err := r.get(ctx)
	return p.entries, p.through, err
}

// read reads a stretch from the store, when it is its turn.
func (h *hub) read(s stretch) (past, error) {
	select {
	case h.reads <- struct{}{}:
		defer func() { <-h.reads }()
	case <-h.serving.Done():
		return past{}, h.serving.Err()
	}
	ctx, cancel := context.WithTimeout(h.serving, askTimeout)
	defer cancel()
	p := past{through: s.through}
	size := 0
	for e, err := range h.cfg.Reader.Range(ctx, h.wall, s.after, s.through) {
		if err != nil {
			return past{}, err
		}
		if e.ID.Epoch != s.feed.epoch {
			return past{}, stream.ErrReset
		}
		p.entries = append(p.entries, s.feed.outside(e))
		size += len(e.Data)
		if len(p.entries) >= maxFetchEntries || size >= maxFetchBytes {
			p.through = e.ID.Seq
			break
		}
	}
	return p, nil
}
