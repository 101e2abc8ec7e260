package sse_test

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wallcast/wallcast/stream"
)

// memory is a stream.Reader that lives in memory, for tests in which time
// stands still: a real store would need the network. It holds one wall.
type memory struct {
	wall string

	mu      sync.Mutex
	state   stream.State
	held    []stream.Event // ascending
	cards   map[stream.Subject]stream.Event
	away    bool
	changed chan struct{}
	follows int          // calls of Follow under way
	ranges  atomic.Int64 // calls of Range so far
}

var _ stream.Reader = (*memory)(nil)

func newMemory(wall string) *memory {
	return &memory{wall: wall, state: stream.State{Epoch: "e1", First: 1}, cards: map[stream.Subject]stream.Event{}, changed: make(chan struct{})}
}

// change applies f and wakes those who follow.
func (m *memory) change(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memory) add(e stream.Event) stream.ID {
	m.change(func() {
		m.state.Last++
		e.ID = m.state.Head()
		e.Time = time.Now()
		m.held = append(m.held, e)
		if e.Subject.Keyed() {
			m.cards[e.Subject] = e
		}
	})
	return e.ID
}

func (m *memory) publish(kind, key, data string) stream.ID {
	return m.add(stream.Event{Subject: stream.Subject{Wall: m.wall, Kind: kind, Key: key}, Data: []byte(data)})
}

// evict forgets everything before seq, as a limit of the wall does.
func (m *memory) evict(seq uint64) {
	m.change(func() {
		m.held = slices.DeleteFunc(m.held, func(e stream.Event) bool { return e.ID.Seq < seq })
		m.state.First = seq
	})
}

// reset replaces the store by an empty one.
func (m *memory) reset(epoch string) {
	m.change(func() {
		m.state = stream.State{Epoch: epoch, First: 1}
		m.held, m.cards = nil, map[stream.Subject]stream.Event{}
	})
}

func (m *memory) setAway(away bool) { m.change(func() { m.away = away }) }

func (m *memory) State(ctx context.Context, wall string) (stream.State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return stream.State{}, stream.ErrUnavailable
	}
	st := m.state
	for _, e := range m.held {
		if e.Subject.Kind != "" && !slices.Contains(st.Kinds, e.Subject.Kind) {
			st.Kinds = append(st.Kinds, e.Subject.Kind)
		}
	}
	slices.Sort(st.Kinds)
	return st, ctx.Err()
}

func (m *memory) Range(ctx context.Context, wall string, after, through uint64) iter.Seq2[stream.Event, error] {
	return func(yield func(stream.Event, error) bool) {
		m.mu.Lock()
		held, away := slices.Clone(m.held), m.away
		m.ranges.Add(1)
		m.mu.Unlock()
		if away {
			yield(stream.Event{}, stream.ErrUnavailable)
			return
		}
		for _, e := range held {
			if after < e.ID.Seq && e.ID.Seq <= through && !yield(e, nil) {
				return
			}
		}
	}
}

func (m *memory) Follow(ctx context.Context, wall string, after uint64) iter.Seq2[stream.Event, error] {
	return func(yield func(stream.Event, error) bool) {
		m.mu.Lock()
		epoch := m.state.Epoch
		m.follows++
		m.mu.Unlock()
		defer func() {
			m.mu.Lock()
			m.follows--
			m.mu.Unlock()
		}()
		for {
			m.mu.Lock()
			i := slices.IndexFunc(m.held, func(e stream.Event) bool { return e.ID.Seq > after })
			var next stream.Event
			if i >= 0 {
				next = m.held[i]
			}
			reset, away, changed := m.state.Epoch != epoch, m.away, m.changed
			m.mu.Unlock()
			switch {
			case reset:
				yield(stream.Event{}, stream.ErrReset)
				return
			case away:
				yield(stream.Event{}, stream.ErrUnavailable)
				return
			case i >= 0:
				if after = next.ID.Seq; !yield(next, nil) {
					return
				}
				continue
			}
			select {
			case <-ctx.Done():
				yield(stream.Event{}, ctx.Err())
				return
			case <-changed:
			}
		}
	}
}

func (m *memory) Cards(ctx context.Context, wall string) ([]stream.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return nil, stream.ErrUnavailable
	}
	return slices.SortedFunc(maps.Values(m.cards), func(a, b stream.Event) int { return int(a.ID.Seq) - int(b.ID.Seq) }), nil
}

// following returns how many calls of Follow are under way.
func (m *memory) following() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.follows
}
