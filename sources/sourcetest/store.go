package sourcetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

var _ sources.Store = (*Store)(nil)

// Store is a sources.Store in memory: for tests of what runs sources, where a
// test decides what fails and when. Its methods may be called concurrently.
type Store struct {
	// Before, when set, is asked before an event is stored or held; its error is
	// what Publish or Hold returns. After is asked once it is stored: its error is a lost
	// acknowledgement. Set both before the store is used.
	Before, After func(stream.Draft) error

	mu          sync.Mutex
	drafts      []stream.Draft
	held        []stream.Draft
	stored      map[string]stream.Receipt // by wall and DedupeID
	checkpoints []stream.Mark
	leases      map[string]*lease
	deliveries  queue
}

type lease struct {
	taken chan struct{} // holds a token while it is held
	lose  context.CancelFunc
}

// NewStore returns an empty store that knows every wall.
func NewStore() *Store {
	return &Store{stored: map[string]stream.Receipt{}, leases: map[string]*lease{}}
}

// Drafts returns what is stored, oldest first.
func (s *Store) Drafts() []stream.Draft {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]stream.Draft(nil), s.drafts...)
}

// Data returns the payloads of what is stored, oldest first.
func (s *Store) Data() []string {
	var all []string
	for _, d := range s.Drafts() {
		all = append(all, string(d.Data))
	}
	return all
}

// Checkpoints returns every checkpoint that was saved, oldest first.
func (s *Store) Checkpoints() []stream.Mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]stream.Mark(nil), s.checkpoints...)
}

// Held returns what is held for a moderator, oldest first.
func (s *Store) Held() []stream.Draft {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]stream.Draft(nil), s.held...)
}

// Publish implements stream.Publisher.
func (s *Store) Publish(ctx context.Context, d stream.Draft) (stream.Receipt, error) {
	return s.put(ctx, d, false)
}

// Hold implements sources.Store.
func (s *Store) Hold(ctx context.Context, d stream.Draft) (stream.Receipt, error) {
	return s.put(ctx, d, true)
}

func (s *Store) put(ctx context.Context, d stream.Draft, hold bool) (stream.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return stream.Receipt{}, err
	}
	if s.Before != nil {
		if err := s.Before(d); err != nil {
			return stream.Receipt{}, err
		}
	}
	receipt := s.keep(d, hold)
	if s.After != nil {
		if err := s.After(d); err != nil {
			return stream.Receipt{}, err
		}
	}
	return receipt, nil
}

func (s *Store) keep(d stream.Draft, hold bool) stream.Receipt {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, receipt := &s.drafts, stream.Receipt{}
	if hold {
		list = &s.held
		receipt.Held = uint64(len(s.held)) + 1
	} else {
		receipt.ID = stream.ID{Epoch: "test", Seq: uint64(len(s.drafts)) + 1}
	}
	key := fmt.Sprint(hold, " ", d.Subject.Wall, " ", d.DedupeID)
	if first, ok := s.stored[key]; ok && d.DedupeID != "" {
		first.Duplicate = true
		return first
	}
	if d.Mark != nil { // the caller goes on using its own
		mark := *d.Mark
		d.Mark = &mark
	}
	d.Data = append([]byte(nil), d.Data...)
	*list = append(*list, d)
	s.stored[key] = receipt
	return receipt
}

// LastMark implements sources.Store.
func (s *Store) LastMark(_ context.Context, source string, walls []string) (stream.Mark, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var newest stream.Mark
	raise := func(m stream.Mark) {
		if m.Source == source && m.Count > newest.Count {
			newest = m
		}
	}
	for _, m := range s.checkpoints {
		raise(m)
	}
	for _, d := range slices.Concat(s.drafts, s.held) {
		for _, wall := range walls {
			if d.Mark != nil && d.Subject.Wall == wall {
				raise(*d.Mark)
			}
		}
	}
	return newest, nil
}

// Checkpoint implements sources.Store.
func (s *Store) Checkpoint(_ context.Context, mark stream.Mark, _ map[string]stream.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	mark.Cursor = append(json.RawMessage(nil), mark.Cursor...)
	s.checkpoints = append(s.checkpoints, mark)
	return nil
}

// Lease implements sources.Store.
func (s *Store) Lease(ctx context.Context, name string) (context.Context, func(), error) {
	l := s.lease(name)
	select {
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case l.taken <- struct{}{}:
	}
	held, lose := context.WithCancel(ctx)
	s.mu.Lock()
	l.lose = lose
	s.mu.Unlock()
	return held, func() {
		lose()
		<-l.taken
	}, nil
}

// Lose makes whoever holds the lease lose it.
func (s *Store) Lose(name string) {
	l := s.lease(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.lose != nil {
		l.lose()
	}
}

func (s *Store) lease(name string) *lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leases[name] == nil {
		s.leases[name] = &lease{taken: make(chan struct{}, 1)}
	}
	return s.leases[name]
}

// Deliver queues a delivery to a source's hook and returns its number.
func (s *Store) Deliver(source string, d sources.Delivery) uint64 {
	return s.deliveries.put(source, d)
}

// NextDelivery implements sources.Store.
func (s *Store) NextDelivery(ctx context.Context, source string, after uint64) (sources.Delivery, error) {
	return s.deliveries.next(ctx, source, after)
}

// queue is the deliveries to hooks. The zero queue is empty.
type queue struct {
	mu   sync.Mutex
	all  []sources.Delivery // the number of each is its place, from 1
	to   []string
	news chan struct{} // closed and made anew when there is one more; nil for nobody waits
}

func (q *queue) put(source string, d sources.Delivery) uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	d.Number = uint64(len(q.all)) + 1
	q.all, q.to = append(q.all, d), append(q.to, source)
	if q.news != nil {
		close(q.news)
		q.news = nil
	}
	return d.Number
}

func (q *queue) next(ctx context.Context, source string, after uint64) (sources.Delivery, error) {
	for {
		q.mu.Lock()
		for i := min(after, uint64(len(q.all))); i < uint64(len(q.all)); i++ {
			if q.to[i] == source {
				defer q.mu.Unlock()
				return q.all[i], nil
			}
		}
		if q.news == nil {
			q.news = make(chan struct{})
		}
		news := q.news
		q.mu.Unlock()
		select {
		case <-ctx.Done():
			return sources.Delivery{}, ctx.Err()
		case <-news:
		}
	}
}
