package sse

import (
	"context"
	"slices"
	"sort"
	"time"

	"github.com/wallcast/wallcast/stream"
)

const (
	// A stretch of history that is read from the store ends at these.
	maxFetchEntries = 1000
	maxFetchBytes   = 128 << 10

	// maxFetchSpan bounds the sequences of a stretch that a viewer asks for.
	maxFetchSpan = 8 * maxFetchEntries

	// maxApart is how far apart viewers may begin that share a reading: each of
	// them still gets at least half of what a stretch may hold.
	maxApart = maxFetchEntries / 2

	// askTimeout bounds one question to the store.
	askTimeout = 5 * time.Second
)

// reading is a stretch of a feed's history that is read for all who have asked
// for about the same before it began. What was asked for later is read later: it
// must not hold what was retracted in between.
type reading struct {
	feed           *feed
	after, through uint64
	latest         uint64 // the last of the places after which somebody wants to go on
	firm           bool   // nobody may join who wants to go on after less
	begun          bool   // nobody can join any more
	previous       []*reading
	done           chan struct{}

	// The result, once done is closed. Nobody writes to it.
	entries []*entry
	end     uint64 // how far it goes
	err     error
}

// history returns the entries after a sequence, up to through or until it is
// much, and how far it came. Viewers that ask for about the same at the same time
// share the reading. The entries are not to be written to.
func (h *hub) history(ctx context.Context, f *feed, after, through uint64) ([]*entry, uint64, error) {
	for firm := false; ; firm = true {
		r, mine := h.board(f, after, through, firm)
		if mine {
			h.read(r) // for others too, so that the caller's leaving does not end it
		}
		select {
		case <-r.done:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
		if r.err != nil {
			return nil, 0, r.err
		}
		if entries, end := r.part(after, through); end > after {
			return entries, end, nil
		}
		// Others began before it, and what they got was much already.
	}
}

// board joins a reading that is about to begin, or makes one, which is then the
// caller's to read.
func (h *hub) board(f *feed, after, through uint64, firm bool) (r *reading, mine bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r = &reading{feed: f, after: after, through: through, latest: after, firm: firm, done: make(chan struct{})}
	for _, other := range h.readings {
		switch {
		case !other.suits(r):
		case other.begun:
			r.previous = append(r.previous, other)
		default:
			other.after, other.latest = min(other.after, after), max(other.latest, after)
			other.through = max(other.through, through)
			return other, false
		}
	}
	h.readings = append(h.readings, r)
	return r, true
}

// suits reports whether r can be made such that it serves who has made other too.
func (r *reading) suits(other *reading) bool {
	switch {
	case r.feed != other.feed, r.firm && other.after < r.after, other.firm && other.after != r.after:
		return false
	}
	return max(r.latest, other.latest)-min(r.after, other.after) <= maxApart
}

// read reads a stretch from the store when it is its turn: others that are read
// for the same part of the history come first, so that more can join.
func (h *hub) read(r *reading) {
	defer close(r.done)
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.readings = slices.DeleteFunc(h.readings, func(other *reading) bool { return other == r })
	}()
	for _, p := range r.previous {
		<-p.done
	}
	select {
	case h.reads <- struct{}{}:
		defer func() { <-h.reads }()
	case <-h.serving.Done():
		r.err = h.serving.Err()
		return
	}
	h.mu.Lock()
	r.begun, r.previous = true, nil
	h.mu.Unlock()

	ctx, cancel := context.WithTimeout(h.serving, askTimeout)
	defer cancel()
	r.end = r.through
	size := 0
	for e, err := range h.cfg.Reader.Range(ctx, h.wall, r.after, r.through) {
		if err == nil && e.ID.Epoch != r.feed.epoch {
			err = stream.ErrReset
		}
		if err != nil {
			r.err = err
			return
		}
		r.entries = append(r.entries, r.feed.outside(e))
		size += len(e.Data)
		if len(r.entries) >= maxFetchEntries || size >= maxFetchBytes {
			r.end = e.ID.Seq
			break
		}
	}
}

// part returns what of the result lies between two sequences, and how far it goes.
func (r *reading) part(after, through uint64) ([]*entry, uint64) {
	from := sort.Search(len(r.entries), func(i int) bool { return r.entries[i].seq > after })
	to := sort.Search(len(r.entries), func(i int) bool { return r.entries[i].seq > through })
	return r.entries[min(from, to):to], min(r.end, through)
}
