package sse

import (
	"context"
	"fmt"
	"slices"

	"github.com/wallcast/wallcast/stream"
)

// Snapshot is what a page is rendered from. A stream that resumes after Head
// goes on exactly where the snapshot ends.
type Snapshot struct {
	Head   stream.ID      // everything up to here was considered
	First  stream.ID      // the oldest that the history holds; past Head when it holds nothing
	Events []stream.Event // oldest first: the last that pass the filter and are held
	Cards  []stream.Event // the newest version of every keyed card that passes, in order of id, whether in Events or older
	Kinds  []string       // kinds that occur in what is held, sorted
}

// Snapshot returns the last events of a wall and its keyed cards. No kinds means
// all of them. What is held in memory is taken from there. The error is
// stream.ErrUnknownWall, or says why the store can't be read.
func (s *Server) Snapshot(ctx context.Context, wall string, last int, kinds []string) (Snapshot, error) {
	if !s.cfg.Walls(wall) {
		return Snapshot{}, stream.ErrUnknownWall
	}
	h, leave, err := s.hub(wall)
	if err != nil {
		return Snapshot{}, fmt.Errorf("reading wall %q: %w: the server is being stopped", wall, stream.ErrUnavailable)
	}
	defer leave()
	// Cards before the history: then no card is newer than the snapshot's head.
	cards, err := h.cards.get(ctx)
	if err != nil {
		return Snapshot{}, err
	}
	want := filter(kinds)
	v, begin, err := h.join(ctx, query{last: max(last, 1), filter: want, historyOnly: true})
	if err != nil {
		return Snapshot{}, err
	}
	snap := Snapshot{First: v.feed.id(begin.state.First), Kinds: begin.state.Kinds}
	for more := true; more; {
		if more, err = snap.take(ctx, v); err != nil {
			return Snapshot{}, err
		}
	}
	snap.Head = v.feed.id(v.cursor)
	snap.Events = snap.Events[max(0, len(snap.Events)-last):]
	snap.Cards = v.feed.newest(cards, v.cursor, want)
	return snap, nil
}

// take adds what follows the viewer's cursor and reports whether there is more.
func (snap *Snapshot) take(ctx context.Context, v *viewer) (more bool, err error) {
	b := batches.Get().(*batch)
	defer b.free()
	if err := v.take(ctx, b); err != nil {
		return false, err
	}
	for _, e := range b.entries {
		switch {
		case e.isRetract():
			snap.Events = retract(snap.Events, e.event.Target)
		case v.filter.passes(e):
			snap.Events = append(snap.Events, e.event)
		}
	}
	v.cursor, v.rough = b.through, false
	return b.news == nil, nil
}

// retract takes an event out, and when it is the newest version of a keyed card
// its older versions too.
func retract(events []stream.Event, target stream.ID) []stream.Event {
	i := slices.IndexFunc(events, func(e stream.Event) bool { return e.ID == target })
	if i < 0 {
		return events
	}
	gone := events[i].Subject
	newer := func(e stream.Event) bool { return e.Subject == gone }
	if !gone.Keyed() || slices.ContainsFunc(events[i+1:], newer) {
		return slices.Delete(events, i, i+1)
	}
	return slices.DeleteFunc(events, func(e stream.Event) bool { return e.Subject == gone })
}

// newest brings cards that were read from the store up to a position, with what
// the window holds: newer versions, and retractions.
func (f *feed) newest(cards []stream.Event, through uint64, want filter) []stream.Event {
	bySubject := map[stream.Subject]stream.Event{}
	for _, c := range cards {
		if c.ID.Epoch == f.epoch && c.ID.Seq <= through {
			bySubject[c.Subject] = c
		}
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, e := range f.window {
		if e.seq > through {
			break
		}
		if e.isRetract() {
			for subject, c := range bySubject {
				if c.ID == e.event.Target {
					delete(bySubject, subject)
				}
			}
		} else if e.isEvent() && e.event.Subject.Keyed() && bySubject[e.event.Subject].ID.Seq < e.seq && !e.gone.Load() {
			bySubject[e.event.Subject] = e.event
		}
	}
	newest := make([]stream.Event, 0, len(bySubject))
	for _, c := range bySubject {
		if len(want) == 0 || slices.Contains(want, c.Subject.Kind) {
			newest = append(newest, c)
		}
	}
	slices.SortFunc(newest, func(a, b stream.Event) int {
		if a.ID.Seq < b.ID.Seq {
			return -1
		}
		return 1
	})
	return newest
}
