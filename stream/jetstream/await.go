package jetstream

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wallcast/wallcast/stream"
)

// newsWait is how long await trusts that it is told of news.
const newsWait = 30 * time.Second

// await returns what look finds, and waits as long as that is ErrNotFound. News is
// a subject on which NATS tells of a message once it is stored.
func await[T any](ctx context.Context, nc *nats.Conn, news string, look func() (T, error)) (T, error) {
	found, err := look()
	if !errors.Is(err, stream.ErrNotFound) {
		return found, err
	}
	told := make(chan struct{}, 1)
	sub, err := nc.Subscribe(news, func(*nats.Msg) {
		select {
		case told <- struct{}{}:
		default: // it is told already
		}
	})
	if err != nil {
		return found, explain(err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only where the connection has ended
	for {
		if found, err = look(); !errors.Is(err, stream.ErrNotFound) {
			return found, err
		}
		wait := time.NewTimer(newsWait)
		select {
		case <-ctx.Done():
		case <-told:
		case <-wait.C:
		}
		wait.Stop()
		if ctx.Err() != nil {
			return found, ctx.Err()
		}
	}
}
