package jetstream

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/wallcast/wallcast/stream"
)

// Publish implements stream.Publisher.
func (s *Store) Publish(ctx context.Context, d stream.Draft) (stream.Receipt, error) {
	w, msg, err := s.accept(d)
	if err != nil {
		return stream.Receipt{}, err
	}
	id, duplicate, err := s.store(ctx, w, msg)
	if err != nil {
		return stream.Receipt{}, fmt.Errorf("publishing to %s: %w", d.Subject, err)
	}
	return stream.Receipt{ID: id, Duplicate: duplicate}, nil
}

// accept returns a draft's wall and the message that it becomes.
func (s *Store) accept(d stream.Draft) (*wall, *nats.Msg, error) {
	w, err := s.wall(d.Subject.Wall)
	if err != nil {
		return nil, nil, err
	}
	if limit := w.cfg.Load().Payload; len(d.Data) > limit {
		return nil, nil, fmt.Errorf("%w: it has %d bytes, %d are allowed", stream.ErrTooLarge, len(d.Data), limit)
	}
	msg, err := s.encode(d)
	return w, msg, err
}

// store puts a message into the wall's stream. It states no expectation in the
// message's headers: NATS republishes them, too, and CARDS would then refuse the
// card.
func (s *Store) store(ctx context.Context, w *wall, msg *nats.Msg) (stream.ID, bool, error) {
	ack, err := s.js.PublishMsg(ctx, msg)
	if err != nil {
		return stream.ID{}, false, explain(err)
	}
	if ack.Stream != streamName(w.name) {
		return stream.ID{}, false, fmt.Errorf("%w: the stream %s took the event", stream.ErrUnavailable, ack.Stream)
	}
	w.sawHead(ack.Sequence)
	return w.id(ack.Sequence), ack.Duplicate, nil
}
