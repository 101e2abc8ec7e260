package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wallcast/wallcast/stream"
)

// Retract implements stream.Retractor.
func (s *Store) Retract(ctx context.Context, name string, id stream.ID) (stream.ID, error) {
	w, err := s.wall(name)
	if err != nil {
		return stream.ID{}, err
	}
	fail := func(err error) (stream.ID, error) {
		return stream.ID{}, fmt.Errorf("retracting %s from the wall %s: %w", id, name, err)
	}
	r, err := s.planRetraction(ctx, w, id)
	if err != nil {
		return fail(err)
	}
	data, err := json.Marshal(r)
	if err != nil {
		return fail(err)
	}
	msg := nats.NewMsg(stream.ControlPrefix + "." + name + "." + stream.Retract)
	msg.Data = data
	msg.Header.Set(headerTime, time.Now().UTC().Format(time.RFC3339Nano))
	msg.Header.Set(nats.MsgIdHdr, s.dedupeID(name, "retract "+r.ID))
	control, _, err := s.store(ctx, w, msg)
	if err != nil {
		return fail(err)
	}
	if err := s.complete(ctx, w, r); err != nil {
		return fail(err)
	}
	return control, nil
}

// planRetraction finds the event and says what has to go with it.
func (s *Store) planRetraction(ctx context.Context, w *wall, id stream.ID) (retraction, error) {
	handle, err := s.streamOf(ctx, w)
	if err != nil {
		return retraction{}, err
	}
	if info, err := handle.Info(ctx); err != nil {
		return retraction{}, explain(err)
	} else if info.Config.Metadata[metaEpoch] != id.Epoch || id.Seq == 0 {
		return retraction{}, stream.ErrNotFound
	}
	msg, err := handle.GetMsg(ctx, id.Seq)
	if errors.Is(explain(err), stream.ErrNotFound) {
		return s.planCardRetraction(ctx, w, id)
	}
	if err != nil {
		return retraction{}, explain(err)
	}
	e := w.decode(stored{subject: msg.Subject, header: msg.Header, data: msg.Data, seq: msg.Sequence})
	if e.Control != "" {
		return retraction{}, fmt.Errorf("it is a control event: %w", stream.ErrNotFound)
	}
	r := retraction{ID: id.String(), Subject: msg.Subject}
	if e.Subject.Keyed() {
		newest, err := handle.GetLastMsgForSubject(ctx, msg.Subject)
		if err != nil && !errors.Is(explain(err), stream.ErrNotFound) {
			return retraction{}, explain(err)
		}
		r.Card = err == nil && newest.Sequence == id.Seq
	}
	return r, nil
}

// planCardRetraction is for a card whose event has been evicted.
func (s *Store) planCardRetraction(ctx context.Context, w *wall, id stream.ID) (retraction, error) {
	cards, err := s.Cards(ctx, w.name)
	if err != nil {
		return retraction{}, err
	}
	for _, card := range cards {
		if card.ID == id {
			return retraction{ID: id.String(), Subject: card.Subject.String(), Card: true}, nil
		}
	}
	return retraction{}, stream.ErrNotFound
}

// complete deletes what a retraction announced. It may be done again at any
// time, by any process.
func (s *Store) complete(ctx context.Context, w *wall, r retraction) error {
	target, err := stream.ParseID(r.ID)
	if err != nil || target.Epoch != *w.epoch.Load() {
		return nil // of an earlier store: nothing of it is left
	}
	w.deleting.Lock()
	defer w.deleting.Unlock()
	handle, err := s.streamOf(ctx, w)
	if err != nil {
		return err
	}
	msg, err := handle.GetMsg(ctx, target.Seq)
	if err != nil && !errors.Is(explain(err), stream.ErrNotFound) {
		return explain(err)
	}
	if err == nil && msg.Subject == r.Subject {
		if err := s.keepMark(ctx, w, msg.Header); err != nil {
			return err
		}
		if err := s.withFloor(ctx, w, func() (uint64, error) { return deleteHeld(ctx, handle, target.Seq) }); err != nil {
			return err
		}
	}
	if !r.Card {
		return nil
	}
	older := jetstream.StreamPurgeRequest{Subject: r.Subject, Sequence: target.Seq + 1}
	if err := s.withFloor(ctx, w, func() (uint64, error) { return s.purge(ctx, w, older) }); err != nil {
		return err
	}
	subject, err := stream.ParseSubject(r.Subject)
	if err != nil {
		return nil
	}
	return s.purgeCards(ctx, w.name+"."+subject.Kind+"."+subject.Key, target.Seq)
}

// deleteHeld deletes a message and returns 1, or 0 where eviction or another
// process was quicker.
func deleteHeld(ctx context.Context, handle jetstream.Stream, seq uint64) (uint64, error) {
	err := handle.SecureDeleteMsg(ctx, seq)
	if err == nil {
		return 1, nil
	}
	if _, getErr := handle.GetMsg(ctx, seq); errors.Is(explain(getErr), stream.ErrNotFound) {
		return 0, nil
	}
	return 0, explain(err)
}

// completeRetractions finishes those that a crash has left half done.
func (s *Store) completeRetractions(ctx context.Context, w *wall) error {
	handle, err := s.streamOf(ctx, w)
	if err != nil {
		return err
	}
	subject := stream.ControlPrefix + "." + w.name + "." + stream.Retract
	if _, err := handle.GetLastMsgForSubject(ctx, subject); err != nil {
		if errors.Is(explain(err), stream.ErrNotFound) {
			return nil // the usual case, at the price of one request
		}
		return explain(err)
	}
	all := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, FilterSubject: subject}
	for m, err := range s.read(ctx, w, all, false) {
		if err != nil {
			return err
		}
		var r retraction
		if json.Unmarshal(m.data, &r) != nil {
			continue
		}
		if err := s.complete(ctx, w, r); err != nil {
			return err
		}
	}
	return nil
}
