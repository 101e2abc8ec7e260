package jetstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wallcast/wallcast/stream"
)

// Cards implements stream.Reader.
func (s *Store) Cards(ctx context.Context, name string) ([]stream.Event, error) {
	w, err := s.wall(name)
	if err != nil {
		return nil, err
	}
	cards, err := s.cards(ctx, w, false)
	if err != nil {
		return nil, fmt.Errorf("reading the cards of the wall %s: %w", name, err)
	}
	events := make([]stream.Event, len(cards))
	for i, c := range cards {
		events[i] = c.event
	}
	return events, nil
}

// card is the newest version of a keyed card.
type card struct {
	event stream.Event
	kept  uint64 // the version that CARDS has; 0 for none
}

// cards merges what the wall's stream holds with what CARDS keeps of evicted
// events. A card that CARDS alone has, though its event is not old enough to be
// evicted, was retracted.
func (s *Store) cards(ctx context.Context, w *wall, headersOnly bool) ([]card, error) {
	info, err := s.info(ctx, w)
	if err != nil {
		return nil, err
	}
	bySubject := map[stream.Subject]card{}
	kept := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, HeadersOnly: headersOnly, FilterSubject: cardPrefix + "." + w.name + ".>"}
	err = s.readAll(ctx, cardsStream, kept, func(m stored) {
		e, ok := w.decodeCard(m)
		if ok && e.ID.Seq < firstHeld(info.State) {
			bySubject[e.Subject] = card{e, e.ID.Seq}
		}
	})
	if err != nil {
		return nil, err
	}
	held := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, HeadersOnly: headersOnly,
		FilterSubject: stream.WallPrefix + "." + w.name + ".*.*"}
	err = s.readAll(ctx, streamName(w.name), held, func(m stored) {
		if e := w.decode(m); !e.Odd() && e.ID.Seq > bySubject[e.Subject].event.ID.Seq {
			bySubject[e.Subject] = card{e, bySubject[e.Subject].kept}
		}
	})
	if err != nil {
		return nil, err
	}
	all := make([]card, 0, len(bySubject))
	for _, c := range bySubject {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b card) int { return cmp.Compare(a.event.ID.Seq, b.event.ID.Seq) })
	return all, nil
}

// readAll reads what is held of a stream once. It begins anew where a consumer
// fails, so add may see a message twice.
func (s *Store) readAll(ctx context.Context, name string, cfg jetstream.ConsumerConfig, add func(stored)) error {
	var err error
	for attempt := 1; attempt <= readAttempts; attempt++ {
		from := cfg
		var more bool
		more, err = s.readPart(ctx, name, &from, false, func(m stored) bool { add(m); return true })
		if !more {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		pause(ctx, readBackoff<<attempt)
	}
	return explain(err)
}

// cardSubjects counts, by subject, what CARDS has of a wall.
func (s *Store) cardSubjects(ctx context.Context, wall string) (map[string]uint64, error) {
	handle, err := s.js.Stream(ctx, cardsStream)
	if err != nil {
		return nil, explain(err)
	}
	info, err := handle.Info(ctx, jetstream.WithSubjectFilter(cardPrefix+"."+wall+".>"))
	if err != nil {
		return nil, explain(err)
	}
	return info.State.Subjects, nil
}

// purgeCards removes cards from CARDS: those of a subject below "card." whose
// version is at most through, or all when through is 0.
func (s *Store) purgeCards(ctx context.Context, below string, through uint64) error {
	handle, err := s.js.Stream(ctx, cardsStream)
	if err != nil {
		return explain(err)
	}
	subject := cardPrefix + "." + below
	opts := []jetstream.StreamPurgeOpt{jetstream.WithPurgeSubject(subject)}
	if through > 0 {
		msg, err := handle.GetLastMsgForSubject(ctx, subject)
		if errors.Is(explain(err), stream.ErrNotFound) {
			return nil
		}
		if err != nil {
			return explain(err)
		}
		if cardVersion(msg.Header) > through {
			return nil
		}
		opts = append(opts, jetstream.WithPurgeSequence(msg.Sequence+1))
	}
	return explain(handle.Purge(ctx, opts...))
}

// reconcileCards gives CARDS what a crash between storing and republishing, or
// a replaced stream, has kept from it, and takes from it what is ahead of the
// wall.
func (s *Store) reconcileCards(ctx context.Context, w *wall) error {
	kept := map[stream.Subject]uint64{}
	all := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, HeadersOnly: true, FilterSubject: cardPrefix + "." + w.name + ".>"}
	if err := s.readAll(ctx, cardsStream, all, func(m stored) {
		if e, ok := w.decodeCard(m); ok {
			kept[e.Subject] = e.ID.Seq
		}
	}); err != nil {
		return err
	}
	info, err := s.info(ctx, w)
	if err != nil {
		return err
	}
	for subject, seq := range kept {
		if seq > info.State.LastSeq {
			if err := s.purgeCards(ctx, w.name+"."+subject.Kind+"."+subject.Key, seq); err != nil {
				return err
			}
			delete(kept, subject)
		}
	}
	held := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, FilterSubject: stream.WallPrefix + "." + w.name + ".*.*"}
	var missing []stored
	if err := s.readAll(ctx, streamName(w.name), held, func(m stored) {
		if e := w.decode(m); !e.Odd() && e.ID.Seq > kept[e.Subject] {
			missing = append(missing, m)
		}
	}); err != nil {
		return err
	}
	for _, m := range missing {
		if err := s.keepCard(ctx, w, m); err != nil {
			return err
		}
	}
	return nil
}

// keepCard stores in CARDS what NATS would have republished.
func (s *Store) keepCard(ctx context.Context, w *wall, m stored) error {
	e := w.decode(m)
	msg := nats.NewMsg(cardPrefix + "." + w.name + "." + e.Subject.Kind + "." + e.Subject.Key)
	msg.Data = m.data
	for name, values := range m.header {
		if name != nats.MsgIdHdr && !strings.HasPrefix(name, headerExpected) {
			msg.Header[name] = values
		}
	}
	msg.Header.Set(headerSequence, strconv.FormatUint(m.seq, 10))
	_, err := s.js.PublishMsg(ctx, msg)
	return explain(err)
}

// boundCards keeps a wall from collecting more cards than it holds events: who
// may publish can invent keys for ever. The oldest go first, a tenth at a time.
func (s *Store) boundCards(ctx context.Context, w *wall) error {
	limit := uint64(w.cfg.Load().Events)
	subjects, err := s.cardSubjects(ctx, w.name)
	if err != nil || uint64(len(subjects)) <= limit {
		return err
	}
	var kept []stream.Event
	all := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, HeadersOnly: true, FilterSubject: cardPrefix + "." + w.name + ".>"}
	if err := s.readAll(ctx, cardsStream, all, func(m stored) {
		if e, ok := w.decodeCard(m); ok {
			kept = append(kept, e)
		}
	}); err != nil {
		return err
	}
	slices.SortFunc(kept, func(a, b stream.Event) int { return cmp.Compare(a.ID.Seq, b.ID.Seq) })
	for _, e := range kept[:max(0, len(kept)-int(limit-limit/10))] {
		if err := s.purgeCards(ctx, w.name+"."+e.Subject.Kind+"."+e.Subject.Key, e.ID.Seq); err != nil {
			return err
		}
	}
	return nil
}
