package jetstream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wallcast/wallcast/stream"
)

// Range implements stream.Reader.
func (s *Store) Range(ctx context.Context, name string, after, through uint64) iter.Seq2[stream.Event, error] {
	return func(yield func(stream.Event, error) bool) {
		if after >= through {
			return
		}
		w, err := s.wall(name)
		if err != nil {
			yield(stream.Event{}, err)
			return
		}
		from := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1}
		for m, err := range s.read(ctx, w, from, false) {
			if err != nil {
				yield(stream.Event{}, fmt.Errorf("reading the wall %s: %w", name, err))
				return
			}
			if m.seq > through || !yield(w.decode(m), nil) || m.seq == through {
				return
			}
		}
	}
}

// Follow implements stream.Reader.
func (s *Store) Follow(ctx context.Context, name string, after uint64) iter.Seq2[stream.Event, error] {
	return func(yield func(stream.Event, error) bool) {
		w, err := s.wall(name)
		if err != nil {
			yield(stream.Event{}, err)
			return
		}
		from := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1}
		for m, err := range s.read(ctx, w, from, true) {
			if err != nil {
				yield(stream.Event{}, fmt.Errorf("following the wall %s: %w", name, err))
				return
			}
			w.sawHead(m.seq)
			if !yield(w.decode(m), nil) {
				return
			}
		}
	}
}

const (
	// readAttempts is how often a reading is taken up again without progress.
	readAttempts = 4
	readBackoff  = 100 * time.Millisecond

	// pullExpiry bounds how long a consumer that has vanished goes unnoticed: the
	// client misses its heartbeats, sent twice as often.
	pullExpiry = 10 * time.Second

	// orphanAfter is when the server drops a consumer whose reader has gone.
	orphanAfter = time.Minute
)

// quiet is how long the next of the messages that are held may take.
const quiet = time.Second

// errQuiet says that none came in that time.
var errQuiet = errors.New("the messages that were pending do not come")

// errLost says that a consumer has skipped a message, as after a reconnect.
var errLost = errors.New("a message was lost on the way")

// read yields messages of the wall's stream from a starting sequence on, each
// once and in order: those that are held or, when live, also those to come. A
// consumer that fails is replaced by one that starts after the last message.
func (s *Store) read(ctx context.Context, w *wall, cfg jetstream.ConsumerConfig, live bool) iter.Seq2[stored, error] {
	return func(yield func(stored, error) bool) {
		epoch := *w.epoch.Load()
		for attempt := 1; ; attempt++ {
			before := cfg.OptStartSeq
			err := s.checkReadable(ctx, w, epoch, before, live)
			if err == nil {
				var more bool
				if more, err = s.readPart(ctx, streamName(w.name), &cfg, live, func(m stored) bool { return yield(m, nil) }); !more {
					return
				}
			}
			if ctx.Err() != nil {
				yield(stored{}, ctx.Err())
				return
			}
			if cfg.OptStartSeq != before {
				attempt = 0
			}
			if attempt == readAttempts || errors.Is(err, stream.ErrReset) {
				yield(stored{}, explain(err))
				return
			}
			pause(ctx, readBackoff<<attempt)
		}
	}
}

// checkReadable makes sure that start is a position on the stream as it is now.
func (s *Store) checkReadable(ctx context.Context, w *wall, epoch string, start uint64, live bool) error {
	if !live {
		return nil // a part is read at once, and its ids carry the epoch
	}
	info, err := s.info(ctx, w)
	if err != nil {
		return err
	}
	if info.Config.Metadata[metaEpoch] != epoch || start > info.State.LastSeq+1 {
		return fmt.Errorf("the wall %s: %w", w.name, stream.ErrReset)
	}
	return nil
}

// readPart reads with one consumer. It returns false when all has been read or
// yield wants no more, and else moves cfg to where another consumer should go on.
func (s *Store) readPart(ctx context.Context, name string, cfg *jetstream.ConsumerConfig, live bool, yield func(stored) bool) (more bool, err error) {
	cfg.AckPolicy = jetstream.AckNonePolicy
	cfg.MemoryStorage = true
	cfg.Replicas = 1
	cfg.InactiveThreshold = orphanAfter
	consumer, err := s.js.CreateConsumer(ctx, name, *cfg)
	if err != nil {
		return true, err
	}
	defer s.dropConsumer(ctx, name, consumer.CachedInfo().Name)
	if !live && consumer.CachedInfo().NumPending == 0 {
		return false, nil
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(1000), jetstream.PullExpiry(pullExpiry))
	if err != nil {
		return true, err
	}
	defer messages.Stop()
	for n := uint64(1); ; n++ {
		msg, err := s.next(ctx, messages, live)
		if errors.Is(err, errQuiet) {
			// What was pending may have been evicted meanwhile, and nothing tells.
			info, infoErr := consumer.Info(ctx)
			return infoErr != nil || info.NumPending > 0, errors.Join(err, infoErr)
		}
		if err != nil {
			return true, err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return true, err
		}
		if meta.Sequence.Consumer != n {
			return true, errLost
		}
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, meta.Sequence.Stream+1
		m := stored{msg.Subject(), msg.Headers(), msg.Data(), meta.Sequence.Stream, meta.Timestamp}
		if !yield(m) || !live && meta.NumPending == 0 {
			return false, nil
		}
	}
}

// next waits for the consumer's next message. What is held already comes at
// once, so that a reading which is not live must not wait for long.
func (s *Store) next(ctx context.Context, messages jetstream.MessagesContext, live bool) (jetstream.Msg, error) {
	if live {
		return messages.Next(jetstream.NextContext(ctx))
	}
	short, cancel := context.WithTimeoutCause(ctx, quiet, errQuiet)
	defer cancel()
	msg, err := messages.Next(jetstream.NextContext(short))
	if err != nil && context.Cause(short) == errQuiet {
		return nil, errQuiet
	}
	return msg, err
}

// dropConsumer frees a consumer early; the server would do it after a while.
func (s *Store) dropConsumer(ctx context.Context, stream, consumer string) {
	if !s.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := s.js.DeleteConsumer(ctx, stream, consumer); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		s.log.Debug("a reader's consumer was not deleted", "stream", stream, "error", err)
	}
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
