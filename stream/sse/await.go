package sse

import (
	"context"
	"fmt"

	"github.com/wallcast/wallcast/stream"
)

// News is what a wall has after a position.
type News struct {
	Through stream.ID      // everything up to here was considered
	Events  []stream.Event // those that pass the filter, and retractions, in order

	// Gap reports that it is not all: the position is unknown, or what followed it
	// is held no longer.
	Gap bool
}

// Since returns what a wall has after an id, without waiting for more. No kinds
// means all of them. The error is stream.ErrUnknownWall, ctx's, or says why the
// store can't be read.
func (s *Server) Since(ctx context.Context, wall string, after stream.ID, kinds []string) (News, error) {
	news, _, leave, err := s.since(ctx, wall, after, kinds)
	if err == nil {
		leave()
	}
	return news, err
}

// Await is Since, and where that has nothing waits until it has. It also returns
// when the wall or the server ends.
func (s *Server) Await(ctx context.Context, wall string, after stream.ID, kinds []string) (News, error) {
	news, v, leave, err := s.since(ctx, wall, after, kinds)
	if err != nil {
		return News{}, err
	}
	defer leave()
	for len(news.Events) == 0 && !news.Gap {
		more, err := news.take(ctx, v)
		if err != nil {
			return News{}, err
		}
		if more == nil || len(news.Events) > 0 {
			continue
		}
		select {
		case <-more:
		case <-v.feed.ended:
			return news, nil
		case <-v.hub.removed:
			return news, nil
		case <-s.stopping:
			return news, nil
		case <-ctx.Done():
			return News{}, ctx.Err()
		}
	}
	return news, nil
}

// since takes what there is. Leave is to be called when the viewer is not used
// any more; there is none with an error.
func (s *Server) since(ctx context.Context, wall string, after stream.ID, kinds []string) (news News, v *viewer, leave func(), err error) {
	if !s.cfg.Walls(wall) {
		return News{}, nil, nil, stream.ErrUnknownWall
	}
	h, leave, err := s.hub(wall)
	if err != nil {
		return News{}, nil, nil, fmt.Errorf("reading wall %q: %w: the server is being stopped", wall, stream.ErrUnavailable)
	}
	v, begin, err := h.join(ctx, query{id: after.String(), filter: filter(kinds)})
	if err != nil {
		leave()
		return News{}, nil, nil, err
	}
	news.Gap = begin.gap != nil
	for more := (<-chan struct{})(nil); more == nil && !news.Gap; {
		if more, err = news.take(ctx, v); err != nil {
			leave()
			return News{}, nil, nil, err
		}
	}
	news.Through = v.feed.id(v.cursor)
	return news, v, leave, nil
}

// take adds what follows the viewer's cursor. It returns a channel that is closed
// when there is more, nil when there is already.
func (n *News) take(ctx context.Context, v *viewer) (<-chan struct{}, error) {
	b := batches.Get().(*batch)
	defer b.free()
	if err := v.take(ctx, b); err != nil {
		return nil, err
	}
	n.Gap = n.Gap || b.gap != nil
	for _, e := range b.entries {
		n.Gap = n.Gap || v.lossBefore(e) != nil
		if v.filter.passes(e) {
			n.Events = append(n.Events, e.event)
		}
		v.cursor = e.seq
	}
	v.cursor, v.rough = b.through, false
	n.Through = v.feed.id(v.cursor)
	return b.news, nil
}
