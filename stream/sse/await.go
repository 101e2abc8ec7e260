package sse

import (
	"context"
	"fmt"

	"github.com/wallcast/wallcast/stream"
)

// Await waits until a wall has an event of those kinds (none means all), or a
// retraction, after an id, and returns the position up to which it has looked.
// An id that the wall doesn't know ends the waiting at once, as do the end of the
// wall and of the server. The error is ctx's, stream.ErrUnknownWall, or says why
// the store can't be read.
func (s *Server) Await(ctx context.Context, wall string, after stream.ID, kinds []string) (stream.ID, error) {
	if !s.cfg.Walls(wall) {
		return stream.ID{}, stream.ErrUnknownWall
	}
	h, leave, err := s.hub(wall)
	if err != nil {
		return stream.ID{}, fmt.Errorf("reading wall %q: %w: the server is being stopped", wall, stream.ErrUnavailable)
	}
	defer leave()
	v, begin, err := h.join(ctx, query{id: after.String(), filter: filter(kinds)})
	if err != nil {
		return stream.ID{}, err
	}
	for p := (&reply{gap: begin.gap}); p.empty(); {
		news, err := p.take(ctx, v, query{}.rep)
		if err != nil {
			return stream.ID{}, err
		}
		if news == nil || !p.empty() {
			continue
		}
		select {
		case <-news:
		case <-v.feed.ended:
			return v.feed.id(v.cursor), nil
		case <-h.removed:
			return v.feed.id(v.cursor), nil
		case <-s.stopping:
			return v.feed.id(v.cursor), nil
		case <-ctx.Done():
			return stream.ID{}, ctx.Err()
		}
	}
	return v.feed.id(v.cursor), nil
}
