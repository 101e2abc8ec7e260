package sse

import (
	"context"
	"slices"

	"github.com/wallcast/wallcast/stream"
)

// start is where a viewer begins.
type start struct {
	state stream.State
	after uint64   // everything up to here is left out
	gap   *gap     // why it is not where the viewer asked to be
	cards []*entry // keyed cards older than the history, given before it; unfiltered
}

// before is the position before all that the viewer gets.
func (s start) before() uint64 {
	if len(s.cards) > 0 {
		return s.cards[0].seq - 1
	}
	return s.after
}

// join makes a viewer and finds out where it begins.
func (h *hub) join(ctx context.Context, q query) (*viewer, start, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	f, st, err := h.open(ctx)
	if err != nil {
		return nil, start{}, err
	}
	s := start{state: st, after: st.Last}
	switch {
	case q.id != "":
		s.after, s.gap = resume(q.id, st)
		if s.gap != nil {
			s.cards, err = h.survivors(ctx, f, 0, st.First)
		}
	case q.last > 0:
		var missing int
		s.after, missing, err = h.last(ctx, f, st, q.last, q.filter)
		if missing > 0 && err == nil && !q.historyOnly {
			s.cards, err = h.survivors(ctx, f, 0, st.First)
			s.cards = lastPassing(s.cards, missing, q.filter)
		}
	}
	if err != nil {
		return nil, start{}, err
	}
	s.cards = slices.DeleteFunc(s.cards, func(e *entry) bool { return !q.filter.passes(e) })
	v := &viewer{hub: h, feed: f, filter: q.filter, cursor: s.after, rough: q.last > 0 && q.id == ""}
	f.mu.RLock()
	v.pinged = f.ping.number
	f.mu.RUnlock()
	return v, s, nil
}

// resume finds the position that an id asks for, and what is wrong with it.
// After a gap a stream begins with the oldest that is held.
func resume(asked string, st stream.State) (after uint64, g *gap) {
	id, err := stream.ParseID(asked)
	reason := ""
	switch {
	case err != nil:
		reason = gapUnknown
	case id.Epoch != st.Epoch:
		reason = gapRecreated
	case id.Seq > st.Last:
		reason = gapFuture
	case id.Seq+1 < st.First:
		reason = gapExpired
	default:
		return id.Seq, nil
	}
	const longest = 100 // an id of ours is shorter
	from := stream.Text([]byte(asked[:min(len(asked), longest)]))
	return st.First - 1, &gap{from, stream.ID{Epoch: st.Epoch, Seq: st.First}.String(), reason}
}

// last finds the position after which the last n events lie that are held and
// pass the filter, and how many of them are missing because fewer are held.
func (h *hub) last(ctx context.Context, f *feed, st stream.State, n int, want filter) (after uint64, missing int, err error) {
	after, n, low := f.last(st.First, n, want)
	for step := uint64(2 * maxFetchEntries); n > 0 && low >= st.First; step *= 2 {
		bottom := max(st.First-1, low-min(low, step))
		seqs, err := h.passing(ctx, f, bottom, low, want)
		if err != nil {
			return 0, 0, err
		}
		if len(seqs) >= n {
			return seqs[len(seqs)-n] - 1, 0, nil
		}
		n -= len(seqs)
		after, low = bottom, bottom
	}
	return after, n, nil
}

// lastPassing returns the last n cards that pass.
func lastPassing(cards []*entry, n int, want filter) []*entry {
	cards = slices.DeleteFunc(cards, func(e *entry) bool { return !want.passes(e) })
	return cards[max(0, len(cards)-n):]
}

// last counts back in the window. It returns how many events are still to be
// found, and the sequence from which downwards; with none to be found, the
// position before the oldest counted.
func (f *feed) last(first uint64, n int, want filter) (after uint64, missing int, low uint64) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for i := len(f.window) - 1; i >= 0 && f.window[i].seq >= first; i-- {
		if e := f.window[i]; e.isEvent() && want.passes(e) {
			if n--; n == 0 {
				return e.seq - 1, 0, f.low
			}
		}
	}
	return max(f.low, first-1), n, f.low
}

// passing returns the sequences of the events in a stretch of history that pass.
func (h *hub) passing(ctx context.Context, f *feed, after, through uint64, want filter) ([]uint64, error) {
	var seqs []uint64
	for after < through {
		entries, came, err := h.history(ctx, f, after, through)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.isEvent() && want.passes(e) {
				seqs = append(seqs, e.seq)
			}
		}
		after = came
	}
	return seqs, nil
}
