package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

const (
	// recheck is how often the stream is looked at, which tells no consumer that
	// it holds a subject no more.
	recheck = 5 * time.Second

	// saveEvery bounds how often a position is stored without an event. It is
	// stored to know later whether what the stream has deleted had been read.
	saveEvery = time.Minute

	// fetch is how many messages are on their way at most.
	fetch = 500

	// pullExpiry bounds how long a consumer that has vanished goes unnoticed.
	pullExpiry = 10 * time.Second

	// orphanAfter is when the server drops a consumer whose reader has gone.
	orphanAfter = time.Minute
)

// errUpstream marks what went wrong with reading, as opposed to storing.
var errUpstream = errors.New("reading the foreign subject")

// consumption is the reading of one stream by one consumer.
type consumption struct {
	*reading
	consumer jetstream.Consumer
	taken    uint64 // messages
	gapless  bool   // the stream is ours alone, so a missing sequence was evicted
}

// follow reads the stream that the position is on, until the run has to settle
// again: with nil because another stream is next, else with the error.
func (r *reading) follow(ctx context.Context) error {
	consumer, err := r.js.CreateConsumer(ctx, r.at.Stream, r.consumerConfig())
	if err != nil {
		return fmt.Errorf("%w %q in the stream %s: %w", errUpstream, r.rule.Subject, r.at.Stream, err)
	}
	c := &consumption{reading: r, consumer: consumer}
	defer c.drop(ctx)
	if r.former && consumer.CachedInfo().NumPending == 0 {
		r.move()
		return nil
	}
	c.gapless = !r.former && own(r.holder) && slices.Equal(r.holder.Config.Subjects, []string{r.rule.Subject})
	messages, err := consumer.Messages(jetstream.PullMaxMessages(fetch), jetstream.PullExpiry(pullExpiry))
	if err != nil {
		return fmt.Errorf("%w %q in the stream %s: %w", errUpstream, r.rule.Subject, r.at.Stream, err)
	}
	defer messages.Stop()
	for look := time.Now().Add(r.source.recheck); ; {
		msg, err := next(ctx, messages, look)
		if err == nil {
			err = c.take(ctx, msg)
		}
		switch {
		case errors.Is(err, errMoved):
			return nil
		case err != nil && !errors.Is(err, errIdle):
			return err
		}
		if time.Now().Before(look) {
			continue
		}
		look = time.Now().Add(r.source.recheck)
		if same, err := c.look(ctx, errors.Is(err, errIdle)); err != nil || !same {
			return err
		}
	}
}

func (r *reading) consumerConfig() jetstream.ConsumerConfig {
	cfg := jetstream.ConsumerConfig{
		FilterSubject:     r.rule.Subject,
		AckPolicy:         jetstream.AckNonePolicy,
		DeliverPolicy:     jetstream.DeliverAllPolicy,
		InactiveThreshold: orphanAfter,
		MemoryStorage:     true,
		Replicas:          1,
	}
	switch {
	case r.at.Seq > 0:
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, r.at.Seq+1
	case !r.at.Time.IsZero():
		after := r.at.Time.Add(1)
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &after
	}
	return cfg
}

var (
	errIdle  = errors.New("no message for now")
	errMoved = errors.New("the stream has been read to its end")
)

// next waits for a message until then; errIdle when there is none.
func next(ctx context.Context, messages jetstream.MessagesContext, until time.Time) (jetstream.Msg, error) {
	wait, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	msg, err := messages.Next(jetstream.NextContext(wait))
	switch {
	case err == nil:
		return msg, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case wait.Err() != nil:
		return nil, errIdle
	}
	return nil, fmt.Errorf("%w: %w", errUpstream, err)
}

// take stores the event that a message makes.
func (c *consumption) take(ctx context.Context, msg jetstream.Msg) error {
	meta, err := msg.Metadata()
	if err != nil {
		return fmt.Errorf("%w: %w", errUpstream, err)
	}
	if c.taken++; meta.Sequence.Consumer != c.taken {
		return fmt.Errorf("%w: a message was lost on the way", errUpstream)
	}
	seq := meta.Sequence.Stream
	if missing := seq - c.at.Seq - 1; c.gapless && c.at.Seq > 0 && missing > 0 {
		c.warn(fmt.Errorf("the stream %s has deleted %d messages before they could be read (%d to %d)", c.at.Stream, missing, c.at.Seq+1, seq-1))
	}
	at := position{c.at.Stream, c.at.Created, seq, meta.Timestamp.UTC()}
	if err := c.emit(ctx, msg, at); err != nil {
		return err
	}
	c.at = at
	if c.former && meta.NumPending == 0 {
		c.move()
		return errMoved
	}
	return nil
}

// emit stores an event. What is wrong with it alone is a warning.
func (c *consumption) emit(ctx context.Context, msg jetstream.Msg, at position) error {
	e, err := c.event(msg, at, at.Time)
	if err != nil {
		err = &sources.EventError{Err: err}
	} else {
		err = c.out.Emit(ctx, e)
	}
	if one := (*sources.EventError)(nil); errors.As(err, &one) {
		c.warn(fmt.Errorf("the message %d of the stream %s on %q is skipped: %w", at.Seq, at.Stream, msg.Subject(), err))
		return nil
	}
	if err == nil {
		c.well()
	}
	return err
}

// look sees whether the stream still is what it was. Where nothing is left to
// read, the position moves on past what the rule doesn't match.
func (c *consumption) look(ctx context.Context, idle bool) (same bool, err error) {
	s, err := c.js.Stream(ctx, c.at.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%w: the stream %s: %w", errUpstream, c.at.Stream, err)
	}
	info := s.CachedInfo()
	if !c.at.on(info) || !c.former && !stream.Covers(info.Config.Subjects, c.rule.Subject) {
		return false, nil
	}
	if !idle {
		return true, nil
	}
	state, err := c.consumer.Info(ctx)
	switch {
	case err != nil:
		return false, fmt.Errorf("%w: the consumer on %s: %w", errUpstream, c.at.Stream, err)
	case state.NumPending > 0 || state.Delivered.Consumer != c.taken:
		return true, nil
	case c.former: // what was left of it was evicted meanwhile
		c.move()
		return false, nil
	case info.State.LastSeq <= c.at.Seq:
		return true, nil
	}
	c.at.Seq, c.at.Time = info.State.LastSeq, info.TimeStamp.UTC()
	if time.Now().Before(c.saveAt) {
		return true, nil
	}
	return true, c.save(ctx)
}

// drop frees the consumer early; the server would do it after a while.
func (c *consumption) drop(ctx context.Context) {
	if !c.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	err := c.js.DeleteConsumer(ctx, c.consumer.CachedInfo().Stream, c.consumer.CachedInfo().Name)
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) && !errors.Is(err, jetstream.ErrStreamNotFound) {
		c.out.Log().Debug("a consumer was not deleted", "stream", c.consumer.CachedInfo().Stream, "error", err)
	}
}
