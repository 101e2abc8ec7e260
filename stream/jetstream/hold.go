package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wallcast/wallcast/stream"
)

const (
	holdStream, holdPrefix = "HOLD", "hold"

	// An approval is a note under approvingKey, the event on the wall with
	// headerHeld, and the deletion of the held one, in that order.
	approvingKey  = "approving."
	headerHeld    = "Wallcast-Held"
	headerHeldMAC = "Wallcast-Held-Mac"

	maxHeld = 100_000
	holdAge = 90 * 24 * time.Hour
)

func (s *Store) openHold(ctx context.Context) error {
	hold := jetstream.StreamConfig{
		Name:        holdStream,
		Description: "Wallcast: events that wait for a moderator",
		Subjects:    []string{holdPrefix + ".*.*", holdPrefix + ".*.*.*"},
		Storage:     jetstream.FileStorage,
		Replicas:    s.cfg.Replicas,
		MaxMsgs:     maxHeld,
		MaxAge:      holdAge,
		Discard:     jetstream.DiscardNew, // what was accepted is not pushed out by what comes later
		Duplicates:  dedupeWindow,
	}
	if _, err := s.js.CreateOrUpdateStream(ctx, hold); err != nil {
		return fmt.Errorf("opening the stream %s: %w", holdStream, explain(err))
	}
	return nil
}

// Hold implements stream.Moderator.
func (s *Store) Hold(ctx context.Context, d stream.Draft) (stream.Receipt, error) {
	_, msg, err := s.accept(d)
	if err != nil {
		return stream.Receipt{}, err
	}
	msg.Subject = holdPrefix + strings.TrimPrefix(msg.Subject, stream.WallPrefix)
	ack, err := s.js.PublishMsg(ctx, msg)
	if err != nil {
		return stream.Receipt{}, fmt.Errorf("holding %s: %w", d.Subject, explain(err))
	}
	return stream.Receipt{Held: ack.Sequence, Duplicate: ack.Duplicate}, nil
}

// heldSubject is where a held event goes once it is approved.
func heldSubject(subject string) (stream.Subject, error) {
	return stream.ParseSubject(stream.WallPrefix + strings.TrimPrefix(subject, holdPrefix))
}

// readHeld yields what is held: of one wall, or of all when name is empty.
func (s *Store) readHeld(ctx context.Context, name string, headersOnly bool) iter.Seq2[stored, error] {
	return func(yield func(stored, error) bool) {
		cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, HeadersOnly: headersOnly}
		if name != "" {
			cfg.FilterSubject = holdPrefix + "." + name + ".>"
		}
		for attempt := 1; ; attempt++ {
			more, err := s.readPart(ctx, holdStream, &cfg, false, func(m stored) bool { return yield(m, nil) })
			if !more {
				return
			}
			if attempt == readAttempts || ctx.Err() != nil {
				yield(stored{}, explain(err))
				return
			}
			pause(ctx, readBackoff<<attempt)
		}
	}
}

// Held implements stream.Moderator.
func (s *Store) Held(ctx context.Context, name string) ([]stream.Held, error) {
	if name != "" {
		if _, err := s.wall(name); err != nil {
			return nil, err
		}
	}
	all := []stream.Held{}
	for m, err := range s.readHeld(ctx, name, false) {
		if err != nil {
			return nil, fmt.Errorf("reading what is held: %w", err)
		}
		if h, ok := s.held(m); ok {
			all = append(all, h)
		}
	}
	return all, nil
}

// held reads a held event; false for one of a wall that is not served, and for
// what is none of ours.
func (s *Store) held(m stored) (stream.Held, bool) {
	subject, err := heldSubject(m.subject)
	if err != nil || s.lookup(subject.Wall) == nil {
		return stream.Held{}, false
	}
	m.subject = subject.String()
	e := s.lookup(subject.Wall).decode(m)
	e.ID = stream.ID{}
	return stream.Held{Number: m.seq, Event: e}, true
}

// getHeld returns a held event of the wall.
func (s *Store) getHeld(ctx context.Context, name string, number uint64) (*jetstream.RawStreamMsg, jetstream.Stream, error) {
	hold, err := s.js.Stream(ctx, holdStream)
	if err != nil {
		return nil, nil, explain(err)
	}
	if number == 0 {
		return nil, nil, stream.ErrNotFound
	}
	msg, err := hold.GetMsg(ctx, number)
	if err != nil {
		return nil, nil, explain(err)
	}
	if subject, err := heldSubject(msg.Subject); err != nil || subject.Wall != name {
		return nil, nil, stream.ErrNotFound
	}
	return msg, hold, nil
}

// Drop implements stream.Moderator.
func (s *Store) Drop(ctx context.Context, name string, number uint64) error {
	w, err := s.wall(name)
	if err != nil {
		return err
	}
	msg, hold, err := s.getHeld(ctx, name, number)
	if err == nil {
		err = s.release(ctx, w, hold, msg)
	}
	if err != nil {
		return fmt.Errorf("dropping the held event %d of the wall %s: %w", number, name, err)
	}
	return nil
}

// release deletes a held event. Its mark is kept: the source that emitted it
// must not do so again.
func (s *Store) release(ctx context.Context, w *wall, hold jetstream.Stream, msg *jetstream.RawStreamMsg) error {
	if err := s.keepMark(ctx, w, msg.Header); err != nil {
		return err
	}
	_, err := deleteHeld(ctx, hold, msg.Sequence)
	return err
}

// approval is the note that an approval has begun.
type approval struct {
	Wall  string `json:"wall"`
	Epoch string `json:"epoch"`
	After uint64 `json:"after"` // the event is not on the wall up to here
}

// Approve implements stream.Moderator.
func (s *Store) Approve(ctx context.Context, name string, number uint64) (stream.ID, error) {
	fail := func(err error) (stream.ID, error) {
		return stream.ID{}, fmt.Errorf("approving the held event %d of the wall %s: %w", number, name, err)
	}
	w, err := s.wall(name)
	if err != nil {
		return stream.ID{}, err
	}
	msg, hold, err := s.getHeld(ctx, name, number)
	if err != nil {
		return fail(err)
	}
	id, err := s.noteApproval(ctx, w, number)
	if err == nil && id.IsZero() {
		id, err = s.publishHeld(ctx, w, msg)
	}
	if err != nil {
		return fail(err)
	}
	err = s.release(ctx, w, hold, msg)
	if err == nil {
		err = s.state.Delete(ctx, approvingKey+strconv.FormatUint(number, 10))
	}
	if err != nil {
		return fail(explain(err))
	}
	return id, nil
}

// noteApproval makes the note, or finds that of an approval that was not
// completed; then it returns the id of the event if that is on the wall already.
func (s *Store) noteApproval(ctx context.Context, w *wall, number uint64) (stream.ID, error) {
	key := approvingKey + strconv.FormatUint(number, 10)
	info, err := s.info(ctx, w)
	if err != nil {
		return stream.ID{}, err
	}
	note, err := json.Marshal(approval{w.name, *w.epoch.Load(), info.State.LastSeq})
	if err != nil {
		return stream.ID{}, err
	}
	_, err = s.state.Create(ctx, key, note)
	if !errors.Is(err, jetstream.ErrKeyExists) {
		return stream.ID{}, explain(err)
	}
	entry, err := s.state.Get(ctx, key)
	if err != nil {
		return stream.ID{}, explain(err)
	}
	var begun approval
	if err := json.Unmarshal(entry.Value(), &begun); err != nil {
		return stream.ID{}, fmt.Errorf("the key %s of the bucket %s is damaged; delete it: %w", key, stateBucket, err)
	}
	return s.findApproved(ctx, w, number, begun)
}

// findApproved looks on the wall for the event that an approval has put there.
func (s *Store) findApproved(ctx context.Context, w *wall, number uint64, begun approval) (stream.ID, error) {
	cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, HeadersOnly: true}
	if begun.Epoch == *w.epoch.Load() {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, begun.After+1
	}
	text := strconv.FormatUint(number, 10)
	for m, err := range s.read(ctx, w, cfg, false) {
		if err != nil {
			return stream.ID{}, err
		}
		if m.header.Get(headerHeld) == text && m.header.Get(headerHeldMAC) == s.mac("held", w.name, text) {
			return w.id(m.seq), nil
		}
	}
	return stream.ID{}, nil
}

// publishHeld puts a held event on its wall, as it is but for its mark: that is
// kept when the held one is deleted.
func (s *Store) publishHeld(ctx context.Context, w *wall, held *jetstream.RawStreamMsg) (stream.ID, error) {
	subject, err := heldSubject(held.Subject)
	if err != nil {
		return stream.ID{}, err
	}
	msg := nats.NewMsg(subject.String())
	msg.Data = held.Data
	for _, name := range []string{headerID, headerSource, headerType, headerTime, headerSubject, headerHops, headerHopsMAC} {
		if value := held.Header.Get(name); value != "" {
			msg.Header.Set(name, value)
		}
	}
	number := strconv.FormatUint(held.Sequence, 10)
	msg.Header.Set(headerHeld, number)
	msg.Header.Set(headerHeldMAC, s.mac("held", w.name, number))
	msg.Header.Set(nats.MsgIdHdr, s.dedupeID(w.name, "held "+number))
	id, _, err := s.store(ctx, w, msg)
	return id, err
}

// completeApprovals finishes those that a crash has left half done. One whose
// wall is not served any more waits for it.
func (s *Store) completeApprovals(ctx context.Context) error {
	lister, err := s.state.ListKeysFiltered(ctx, approvingKey+"*")
	if err != nil {
		return explain(err)
	}
	defer lister.Stop()
	var keys []string
	for key := range lister.Keys() {
		keys = append(keys, key)
	}
	for _, key := range keys {
		entry, err := s.state.Get(ctx, key)
		if err != nil {
			return explain(err)
		}
		var begun approval
		number, parseErr := strconv.ParseUint(strings.TrimPrefix(key, approvingKey), 10, 64)
		if json.Unmarshal(entry.Value(), &begun) != nil || parseErr != nil || s.lookup(begun.Wall) == nil {
			continue
		}
		_, err = s.Approve(ctx, begun.Wall, number)
		if errors.Is(err, stream.ErrNotFound) { // all but the note was done
			err = explain(s.state.Delete(ctx, key))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
