package jetstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

const (
	// hooksStream holds the deliveries that were accepted: the work of the sources
	// that they are for, and the log of what came. refusedStream is the log alone.
	hooksStream, hookPrefix      = "HOOKS", "hook"
	refusedStream, refusedPrefix = "HOOKS_REFUSED", "refused"

	// newsPrefix is where NATS tells of a delivery once it is stored.
	newsPrefix = "hooked"

	deliveryHeader = "Wallcast-Delivery"

	keptDeliveries = 10_000 // of a hook
	keptRefusals   = 100
	deliveryAge    = 7 * 24 * time.Hour

	// redeliveries is for how long a second delivery with an id is noticed. The
	// usual senders try for three days at most.
	redeliveries = 72 * time.Hour
)

func (s *Store) openDeliveries(ctx context.Context) error {
	for _, c := range []jetstream.StreamConfig{
		{
			Name: hooksStream, Subjects: []string{hookPrefix + ".*"}, Duplicates: redeliveries, MaxMsgsPerSubject: keptDeliveries,
			Description: "Wallcast: deliveries to hooks that were accepted",
			RePublish:   &jetstream.RePublish{Source: hookPrefix + ".*", Destination: newsPrefix + ".{{wildcard(1)}}", HeadersOnly: true},
		},
		{
			Name: refusedStream, Subjects: []string{refusedPrefix + ".*"}, Duplicates: time.Second, MaxMsgsPerSubject: keptRefusals,
			Description: "Wallcast: deliveries to hooks that were refused",
		},
	} {
		c.Storage, c.Replicas, c.MaxAge = jetstream.FileStorage, s.cfg.Replicas, deliveryAge
		c.Compression = jetstream.S2Compression
		if _, err := s.js.CreateOrUpdateStream(ctx, c); err != nil {
			return fmt.Errorf("making the stream %s: %w", c.Name, explain(err))
		}
	}
	return nil
}

// PutDelivery keeps a delivery to a source's hook: one that was accepted for
// NextDelivery and the log, another for the log alone. It returns its number,
// or that of the first delivery with the same ID, and whether it is a repeat.
func (s *Store) PutDelivery(ctx context.Context, source string, d sources.Delivery, accepted bool) (number uint64, repeat bool, err error) {
	msg := nats.NewMsg(hookPrefix + "." + source)
	if !accepted {
		msg.Subject = refusedPrefix + "." + source
	}
	if accepted && d.ID != "" {
		// The ids of two hooks have nothing to do with each other, and one may hold anything.
		sum := sha256.Sum256([]byte(d.ID))
		msg.Header.Set(nats.MsgIdHdr, source+"."+hex.EncodeToString(sum[:]))
	}
	msg.Data, d.Body = d.Body, nil
	about, err := json.Marshal(d)
	if err != nil {
		return 0, false, fmt.Errorf("keeping a delivery: %w", err)
	}
	msg.Header.Set(deliveryHeader, string(about))
	ack, err := s.js.PublishMsg(ctx, msg)
	if errors.Is(err, nats.ErrMaxPayload) {
		return 0, false, fmt.Errorf("keeping a delivery: %w", stream.ErrTooLarge)
	}
	if err != nil {
		return 0, false, fmt.Errorf("keeping a delivery: %w", explain(err))
	}
	return ack.Sequence, ack.Duplicate, nil
}

// NextDelivery implements sources.Store.
func (s *Store) NextDelivery(ctx context.Context, source string, after uint64) (sources.Delivery, error) {
	hooks, err := s.js.Stream(ctx, hooksStream)
	if err != nil {
		return sources.Delivery{}, fmt.Errorf("waiting for a delivery: %w", explain(err))
	}
	if last := hooks.CachedInfo().State.LastSeq; after > last {
		s.log.Warn("the store of deliveries is older than what was done of it; going on with what comes now", "source", source)
		after = last
	}
	return await(ctx, s.nc, newsPrefix+"."+source, func() (sources.Delivery, error) {
		return nextDelivery(ctx, hooks, source, after)
	})
}

// nextDelivery returns the next that is held, or ErrNotFound.
func nextDelivery(ctx context.Context, hooks jetstream.Stream, source string, after uint64) (sources.Delivery, error) {
	msg, err := hooks.GetMsg(ctx, after+1, jetstream.WithGetMsgSubject(hookPrefix+"."+source))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return sources.Delivery{}, stream.ErrNotFound
	}
	if err != nil {
		return sources.Delivery{}, fmt.Errorf("reading a delivery: %w", explain(err))
	}
	return deliveryOf(msg)
}

func deliveryOf(msg *jetstream.RawStreamMsg) (sources.Delivery, error) {
	var d sources.Delivery
	if err := json.Unmarshal([]byte(msg.Header.Get(deliveryHeader)), &d); err != nil {
		return d, fmt.Errorf("the delivery %d is not one of ours: %w", msg.Sequence, err)
	}
	d.Number, d.Body = msg.Sequence, msg.Data
	return d, nil
}

// Logged is a delivery in the log.
type Logged struct {
	sources.Delivery
	Accepted bool `json:"accepted"`
}

// Deliveries returns the last deliveries to a source's hook, accepted or not,
// at most n of them, oldest first.
func (s *Store) Deliveries(ctx context.Context, source string, n int) ([]Logged, error) {
	var all []Logged
	for _, from := range []struct {
		stream, subject string
		accepted        bool
	}{{hooksStream, hookPrefix + "." + source, true}, {refusedStream, refusedPrefix + "." + source, false}} {
		some, err := s.lastDeliveries(ctx, from.stream, from.subject, n)
		if err != nil {
			return nil, fmt.Errorf("reading the deliveries to %s: %w", source, err)
		}
		for _, d := range some {
			all = append(all, Logged{d, from.accepted})
		}
	}
	slices.SortStableFunc(all, func(a, b Logged) int { return a.Time.Compare(b.Time) })
	return all[max(0, len(all)-n):], nil
}

// lastDeliveries reads a stream from its end. Streams can't be read backwards,
// so the start is guessed, and moved back as long as it was too late.
func (s *Store) lastDeliveries(ctx context.Context, name, subject string, n int) ([]sources.Delivery, error) {
	handle, err := s.js.Stream(ctx, name)
	if err != nil {
		return nil, explain(err)
	}
	state := handle.CachedInfo().State
	for span := uint64(2 * n); ; span *= 8 {
		start := state.FirstSeq
		if state.LastSeq >= span {
			start = max(start, state.LastSeq-span+1)
		}
		var found []sources.Delivery
		for seq := start; ; {
			msg, err := handle.GetMsg(ctx, max(seq, 1), jetstream.WithGetMsgSubject(subject))
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				break
			}
			if err != nil {
				return nil, explain(err)
			}
			seq = msg.Sequence + 1
			if d, err := deliveryOf(msg); err == nil {
				found = append(found, d)
			}
		}
		if len(found) >= n || start <= state.FirstSeq {
			return found[max(0, len(found)-n):], nil
		}
	}
}

// Delivery returns a delivery to a source's hook, of those that were accepted or
// of those that were refused; ErrNotFound when it is not, or no longer, held.
func (s *Store) Delivery(ctx context.Context, source string, number uint64, accepted bool) (sources.Delivery, error) {
	name, subject := hooksStream, hookPrefix+"."+source
	if !accepted {
		name, subject = refusedStream, refusedPrefix+"."+source
	}
	handle, err := s.js.Stream(ctx, name)
	if err != nil {
		return sources.Delivery{}, explain(err)
	}
	if number == 0 {
		return sources.Delivery{}, stream.ErrNotFound
	}
	msg, err := handle.GetMsg(ctx, number)
	if err != nil {
		return sources.Delivery{}, explain(err)
	}
	if msg.Subject != subject {
		return sources.Delivery{}, stream.ErrNotFound
	}
	return deliveryOf(msg)
}
