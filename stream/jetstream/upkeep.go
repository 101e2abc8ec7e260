package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wallcast/wallcast/stream"
)

const (
	// trimEvery bounds how long more versions of a card are held than wanted.
	trimEvery = 100 * time.Millisecond

	// headEvery bounds how much of a wall an older copy may lack unnoticed.
	headEvery = 5 * time.Second

	// completeAfter is how long the process that retracts has to delete by itself.
	completeAfter = 5 * time.Second

	// maxCounted bounds the memory for counts of versions.
	maxCounted = 100_000
)

// upkeep is what a Store does in the background: it trims the versions of
// cards, bounds their number, completes retractions of processes that died, and
// saves the heads. All processes may do it at the same time.
type upkeep struct {
	mu       sync.Mutex
	versions map[stream.Subject]int64 // held of each card, as far as known; an upper bound
	excess   map[stream.Subject]bool  // cards to be trimmed
	retract  []announced
	grown    map[string]bool   // walls with cards that were not seen before
	refused  map[string]bool   // walls with cards that CARDS has refused
	heads    map[string]uint64 // of the walls, as saved
}

// announced is a retraction that has to be completed by a time.
type announced struct {
	wall string
	r    retraction
	due  time.Time
}

func newUpkeep() upkeep {
	return upkeep{
		versions: map[stream.Subject]int64{}, excess: map[stream.Subject]bool{},
		grown: map[string]bool{}, refused: map[string]bool{}, heads: map[string]uint64{},
	}
}

// savedHeads notes what is saved already.
func (u *upkeep) savedHeads(heads map[string]head) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for wall, h := range heads {
		u.heads[wall] = h.Seq
	}
}

func (s *Store) startUpkeep(ctx context.Context) error {
	cards, err := s.nc.Subscribe(cardPrefix+".*.*.*", s.noteCard)
	if err != nil {
		return fmt.Errorf("watching the cards: %w", err)
	}
	retractions, err := s.nc.Subscribe(stream.ControlPrefix+".*."+stream.Retract, s.noteRetraction)
	if err != nil {
		return fmt.Errorf("watching retractions: %w", err)
	}
	s.tasks.Go(func() {
		defer cards.Unsubscribe()
		defer retractions.Unsubscribe()
		s.reconcileAll(ctx)
		s.runUpkeep(ctx)
	})
	return nil
}

// noteCard counts a version that was just stored.
func (s *Store) noteCard(msg *nats.Msg) {
	subject, err := stream.ParseSubject(stream.WallPrefix + strings.TrimPrefix(msg.Subject, cardPrefix))
	if err != nil {
		return
	}
	w := s.lookup(subject.Wall)
	if w == nil {
		return
	}
	s.upkeep.mu.Lock()
	defer s.upkeep.mu.Unlock()
	if len(s.upkeep.versions) >= maxCounted {
		clear(s.upkeep.versions)
	}
	for name := range msg.Header {
		if strings.HasPrefix(name, headerExpected) {
			s.upkeep.refused[subject.Wall] = true
		}
	}
	n, known := s.upkeep.versions[subject]
	s.upkeep.versions[subject] = n + 1
	if !known {
		s.upkeep.grown[subject.Wall] = true
	}
	if !known || n+1 > int64(w.cfg.Load().History) {
		s.upkeep.excess[subject] = true
	}
}

func (s *Store) noteRetraction(msg *nats.Msg) {
	wall := strings.Split(msg.Subject, ".")[1]
	var r retraction
	if json.Unmarshal(msg.Data, &r) != nil {
		return
	}
	s.upkeep.mu.Lock()
	defer s.upkeep.mu.Unlock()
	s.upkeep.retract = append(s.upkeep.retract, announced{wall, r, time.Now().Add(completeAfter)})
}

// reconcileAll compares CARDS with every wall once, at start.
func (s *Store) reconcileAll(ctx context.Context) {
	for _, w := range s.served() {
		s.reconcile(ctx, w)
	}
}

// keepRefused stores the cards whose producers had stated expectations of the
// wall's stream, which CARDS can't meet.
func (s *Store) keepRefused(ctx context.Context) {
	s.upkeep.mu.Lock()
	refused := s.upkeep.refused
	s.upkeep.refused = map[string]bool{}
	s.upkeep.mu.Unlock()
	for name := range refused {
		if w := s.lookup(name); w != nil {
			s.reconcile(ctx, w)
		}
	}
}

func (s *Store) reconcile(ctx context.Context, w *wall) {
	if err := s.reconcileCards(ctx, w); err != nil && ctx.Err() == nil {
		s.log.Warn("the cards of a wall were not compared with it", "wall", w.name, "error", err)
	}
}

func (s *Store) runUpkeep(ctx context.Context) {
	trim, slow := time.NewTicker(trimEvery), time.NewTicker(headEvery)
	defer trim.Stop()
	defer slow.Stop()
	for {
		select {
		case <-trim.C:
			s.trimCards(ctx)
			s.completeDue(ctx)
		case <-slow.C:
			s.saveHeads(ctx)
			s.keepRefused(ctx)
			s.boundAll(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			s.saveHeads(last)
			return
		}
	}
}

func (s *Store) trimCards(ctx context.Context) {
	s.upkeep.mu.Lock()
	excess := s.upkeep.excess
	s.upkeep.excess = map[stream.Subject]bool{}
	s.upkeep.mu.Unlock()
	for subject := range excess {
		if ctx.Err() != nil {
			return
		}
		held, err := s.trimCard(ctx, subject)
		if err != nil {
			s.log.Warn("the older versions of a card were not removed", "subject", subject, "error", err)
			continue
		}
		s.upkeep.mu.Lock()
		s.upkeep.versions[subject] = held
		s.upkeep.mu.Unlock()
	}
}

// trimCard removes versions beyond the wall's history and returns how many are
// held at most.
func (s *Store) trimCard(ctx context.Context, subject stream.Subject) (int64, error) {
	w := s.lookup(subject.Wall)
	if w == nil {
		return 0, nil
	}
	w.deleting.Lock()
	defer w.deleting.Unlock()
	info, err := s.info(ctx, w, jetstream.WithSubjectFilter(subject.String()))
	if err != nil {
		return 0, err
	}
	held, keep := info.State.Subjects[subject.String()], uint64(w.cfg.Load().History)
	if held <= keep {
		return int64(held), nil
	}
	excess := jetstream.StreamPurgeRequest{Subject: subject.String(), Keep: keep}
	return int64(keep), s.withFloor(ctx, w, func() (uint64, error) { return s.purge(ctx, w, excess) })
}

// completeDue does what another process has announced and not done.
func (s *Store) completeDue(ctx context.Context) {
	now := time.Now()
	s.upkeep.mu.Lock()
	var due []announced
	for len(s.upkeep.retract) > 0 && !s.upkeep.retract[0].due.After(now) {
		due = append(due, s.upkeep.retract[0])
		s.upkeep.retract = s.upkeep.retract[1:]
	}
	s.upkeep.mu.Unlock()
	for _, a := range due {
		w := s.lookup(a.wall)
		if w == nil {
			continue
		}
		if err := s.complete(ctx, w, a.r); err != nil && ctx.Err() == nil {
			s.log.Warn("a retraction is not complete; the next start tries again", "wall", a.wall, "event", a.r.ID, "error", err)
		}
	}
}

func (s *Store) saveHeads(ctx context.Context) {
	for _, w := range s.served() {
		s.upkeep.mu.Lock()
		saved := s.upkeep.heads[w.name]
		s.upkeep.mu.Unlock()
		at := w.head.Load()
		if saved == at {
			continue
		}
		if err := s.saveHead(ctx, w); err != nil {
			s.log.Debug("a wall's head was not saved", "wall", w.name, "error", err)
			continue
		}
		s.upkeep.mu.Lock()
		s.upkeep.heads[w.name] = at
		s.upkeep.mu.Unlock()
	}
}

// boundAll bounds the number of cards of the walls that have new ones.
func (s *Store) boundAll(ctx context.Context) {
	s.upkeep.mu.Lock()
	grown := s.upkeep.grown
	s.upkeep.grown = map[string]bool{}
	s.upkeep.mu.Unlock()
	for name := range grown {
		if w := s.lookup(name); w != nil {
			if err := s.boundCards(ctx, w); err != nil && ctx.Err() == nil {
				s.log.Warn("the number of cards was not bounded", "wall", name, "error", err)
			}
		}
	}
}
