package sse

import (
	"context"
	"slices"
	"sync"

	"github.com/wallcast/wallcast/stream"
)

const (
	// maxWrite is about where one write ends when more is pending, so that what
	// a stuck viewer holds is bounded.
	maxWrite = 64 << 10
)

// filter is which kinds a viewer wants; empty is all of them.
type filter []string

// passes reports whether an event is for the viewer. Retractions always are:
// what they take away may be on the viewer's screen.
func (f filter) passes(e *entry) bool {
	return !e.gone.Load() && (e.isRetract() || e.isEvent() && (len(f) == 0 || slices.Contains(f, e.event.Subject.Kind)))
}

// viewer is a cursor into a feed: one event stream, poll or snapshot. It is
// used by one goroutine.
type viewer struct {
	hub    *hub
	feed   *feed
	filter filter
	cursor uint64 // everything up to here has been considered

	// rough is set as long as a viewer that asked for the last events has got
	// none: what is evicted meanwhile was never promised.
	rough bool

	ticket *ticket // lets it read; nil where everybody may

	pinged uint64 // the newest ping that it got or that came before it
	named  int    // how many of the feed's kinds it was told
}

// batch is what a viewer gets next, in order.
type batch struct {
	moment
	gap     *gap // what is missing before the entries
	entries []*entry
	through uint64          // the position after the entries
	fetched bool            // read from the store
	news    <-chan struct{} // closed when there is more; nil when there is already
	room    []*entry
	out     []byte
}

// batches lends batches to viewers that have something to do, so that one that
// waits holds none.
var batches = sync.Pool{New: func() any {
	return &batch{room: make([]*entry, 0, 256), out: make([]byte, 0, 4<<10)}
}}

// free gives a batch back.
func (b *batch) free() {
	if cap(b.out) > 4*maxWrite {
		return
	}
	if !b.fetched { // then other viewers have them too
		clear(b.entries) // or the pool would keep old entries alive
	}
	*b = batch{room: b.room[:0], out: b.out[:0]}
	batches.Put(b)
}

// take fills b with what follows the cursor, which it leaves where it is.
func (v *viewer) take(ctx context.Context, b *batch) error {
	if low := v.look(b); v.cursor < low {
		return v.fetch(ctx, b, low)
	}
	return nil
}

// look fills b from the window, which is complete after the sequence that it
// returns. When that is after the cursor, there is nothing in b.
func (v *viewer) look(b *batch) (low uint64) {
	p := v.feed.after(v.cursor, b.room[:0])
	b.moment, b.gap, b.entries, b.through, b.news, b.fetched = p.moment, nil, p.entries, p.through, p.news, false
	return p.low
}

// fetch fills b from the store: the cursor is at what the window no longer
// holds. What was evicted there too becomes a gap.
func (v *viewer) fetch(ctx context.Context, b *batch, low uint64) error {
	entries, through, err := v.hub.history(ctx, v.feed, v.cursor, min(low, v.cursor+maxFetchSpan))
	if err != nil {
		return err
	}
	// Asked after reading: it covers what was evicted in between.
	st, err := v.hub.states.get(ctx)
	if err != nil {
		return err
	}
	if st.Epoch != v.feed.epoch {
		return stream.ErrReset
	}
	b.fetched = true
	if st.First > v.cursor+1 {
		cards, err := v.hub.survivors(ctx, v.feed, v.cursor, st.First)
		if err != nil {
			return err
		}
		if !v.rough {
			b.gap = &gap{v.feed.id(v.cursor).String(), v.feed.id(st.First).String(), gapExpired}
		}
		held := slices.IndexFunc(entries, func(e *entry) bool { return e.seq >= st.First })
		if held < 0 {
			held = len(entries)
		}
		entries = append(cards, entries[held:]...)
		through = max(through, st.First-1)
	}
	b.entries, b.through = entries, through
	return nil
}

// survivors returns the newest versions of keyed cards that lie between two
// sequences, in order.
func (h *hub) survivors(ctx context.Context, f *feed, after, before uint64) ([]*entry, error) {
	cards, err := h.cards.get(ctx)
	if err != nil {
		return nil, err
	}
	var entries []*entry
	for _, c := range cards {
		if c.ID.Epoch == f.epoch && after < c.ID.Seq && c.ID.Seq < before {
			entries = append(entries, f.outside(c))
		}
	}
	return entries, nil
}

// isOwed reports whether a ping is still to be sent to the viewer.
func (v *viewer) isOwed(p ping) bool { return p.number > v.pinged && p.seq >= v.cursor }

// encode appends to b.out what the batch means for the viewer, and moves the
// cursor behind it. Where that is much it stops early; the next take goes on.
func (v *viewer) encode(b *batch, rep representation) {
	if b.gap != nil {
		b.out = appendOurs(b.out, gapEvent, v.feed.id(v.cursor), b.gap)
	}
	ping := v.isOwed(b.ping) && !b.fetched
	for _, e := range b.entries {
		if ping && b.ping.seq < e.seq {
			b.out, ping, v.pinged = append(b.out, b.ping.block...), false, b.ping.number
		}
		b.out = v.appendEntry(b.out, e, rep)
		v.cursor, v.rough = e.seq, false
		if len(b.out) >= maxWrite && !b.fetched {
			b.news = nil
			return
		}
	}
	v.cursor = b.through
	if ping && b.ping.seq <= v.cursor {
		b.out = append(b.out, b.ping.block...)
		v.pinged = b.ping.number
	}
}

// appendEntry appends the blocks of an entry.
func (v *viewer) appendEntry(dst []byte, e *entry, rep representation) []byte {
	if g := v.lossBefore(e); g != nil {
		dst = appendOurs(dst, gapEvent, v.feed.id(v.cursor), g)
	}
	if !v.filter.passes(e) {
		return dst
	}
	if e.isEvent() && e.kind >= v.named {
		dst = v.appendKinds(dst, e)
	}
	return append(dst, v.feed.block(e, rep)...)
}

// lossBefore returns what the viewer has to be told before an entry: that
// others were evicted before this process read them.
func (v *viewer) lossBefore(e *entry) *gap {
	if e.lost == nil || v.cursor+1 >= e.lost.first || v.rough {
		return nil
	}
	return &gap{v.feed.id(v.cursor).String(), v.feed.id(e.lost.first).String(), gapExpired}
}

// appendKinds names the kinds that the viewer was not told yet. Their id is the
// position before the entry, for the entry itself is still to come.
func (v *viewer) appendKinds(dst []byte, e *entry) []byte {
	kinds := v.feed.nameKinds()
	for _, kind := range kinds[v.named:] {
		dst = appendOurs(dst, kindEvent, v.feed.id(e.seq-1), kindLabel{kind, v.hub.cfg.Label(v.feed.wall, kind)})
	}
	v.named = len(kinds)
	return dst
}
