package sse

import (
	"context"
	"sync"
)

// shared lets callers that come at the same time share one call of ask, which
// has to end by itself. A
// caller never gets the answer to a question that was asked before it came: it
// waits for the next one, with all who came meanwhile.
type shared[T any] struct {
	ask    func(context.Context) (T, error)
	asking chan struct{} // holds a token while a question is under way

	mu   sync.Mutex
	next *answer[T] // to the question that is asked next
}

type answer[T any] struct {
	done  chan struct{}
	value T
	err   error
}

func newShared[T any](ask func(context.Context) (T, error)) *shared[T] {
	return &shared[T]{ask: ask, asking: make(chan struct{}, 1)}
}

func (s *shared[T]) get(ctx context.Context) (T, error) {
	s.mu.Lock()
	if s.next == nil {
		s.next = &answer[T]{done: make(chan struct{})}
	}
	a := s.next
	s.mu.Unlock()

	select {
	case s.asking <- struct{}{}:
		s.answer(ctx, a)
		<-s.asking
	case <-a.done:
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
	return a.value, a.err
}

// answer asks, unless somebody did while the caller waited for the token. Who
// asks does so for others too, so its own leaving does not end the question.
func (s *shared[T]) answer(ctx context.Context, a *answer[T]) {
	s.mu.Lock()
	mine := s.next == a
	if mine {
		s.next = nil
	}
	s.mu.Unlock()
	if !mine {
		return
	}
	defer close(a.done)
	a.value, a.err = s.ask(context.WithoutCancel(ctx))
}
