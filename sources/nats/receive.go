package nats

import (
	"context"
	"errors"
	"fmt"
	"time"

	client "github.com/nats-io/nats.go"

	"github.com/wallcast/wallcast/sources"
)

// As many messages, and bytes of them, wait to be stored at most.
const (
	waitingMessages = 10_000
	waitingBytes    = 64 << 20
)

// receive takes messages as they are published, until the connection is lost.
func receive(ctx context.Context, nc *client.Conn, rule Rule, out sources.Output) error {
	wrong := func(err error) error { return fmt.Errorf("receiving %q: %w", rule.Subject, err) }
	sub, err := nc.SubscribeSync(rule.Subject)
	if err != nil {
		return wrong(err)
	}
	if err := sub.SetPendingLimits(waitingMessages, waitingBytes); err != nil {
		return wrong(err)
	}
	if err := nc.FlushTimeout(connectTime); err != nil {
		return wrong(err)
	}
	out.Warn(nil) // of what was before this connection
	for warned := false; ; {
		msg, err := sub.NextMsgWithContext(ctx)
		var one *sources.EventError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, client.ErrSlowConsumer):
			lost, _ := sub.Dropped() // an error means that the connection has gone, which the next call says
			out.Warn(wrong(fmt.Errorf("messages come faster than they can be stored; %d were lost", lost)))
			warned = true
			continue
		case err != nil:
			return wrong(err)
		}
		switch err := emitReceived(ctx, rule, msg, out); {
		case errors.As(err, &one):
			out.Warn(fmt.Errorf("a message on %q is skipped: %w", msg.Subject, err))
			warned = true
		case err != nil:
			return err
		case warned:
			out.Warn(nil)
			warned = false
		}
	}
}

// emitReceived stores the event that a message makes.
func emitReceived(ctx context.Context, rule Rule, msg *client.Msg, out sources.Output) error {
	e, err := rule.event(msg.Subject, msg.Header, msg.Data, time.Now())
	if err != nil {
		return &sources.EventError{Err: err}
	}
	return out.Emit(ctx, e)
}
