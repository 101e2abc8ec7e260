package plugins

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wallcast/wallcast/sources"
)

const (
	// streamGrace is how long a program that was kept running may take to end.
	streamGrace = 5 * time.Second

	// healthy is how long it runs for its end to count as the first.
	healthy = time.Minute
)

// stream keeps the program running.
func (r *run) stream(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		began := time.Now()
		swapped, err := r.keepRunning(ctx, attempt)
		var ended *endedError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case swapped:
			attempt = 0
			continue
		case !errors.As(err, &ended):
			return err
		case time.Since(began) >= healthy:
			attempt = 1
		}
		wait := retryAfter(attempt)
		r.report(ended.id, fmt.Errorf("%w; starting it again in %s", err, wait.Round(time.Second/10)))
		if !pause(ctx, wait) {
			return ctx.Err()
		}
	}
}

// endedError is why a program that is to run on ended.
type endedError struct {
	id    string
	cause error
}

func (e *endedError) Error() string {
	if e.cause == nil {
		return "it has ended, though it is to run on (stream: true)"
	}
	return e.cause.Error()
}

// keepRunning runs the program until it ends, or another takes its place. Each
// line is stored when it comes.
func (r *run) keepRunning(ctx context.Context, attempt int) (swapped bool, err error) {
	program, release, gone, err := r.Slot.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	w := Work{ID: newID(), Kind: Stream, Time: time.Now()}
	trigger, err := r.trigger(w, attempt, nil)
	if err != nil {
		return false, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{})
	r.group.Go(func() error {
		select {
		case <-gone:
			stop()
		case <-ended:
		}
		return nil
	})
	var broken error
	lines := r.reader(w.ID, func(l Line) error {
		broken = r.storeLine(ctx, w, l)
		return broken
	})
	err = r.runProgram(running, program, Call{
		Name: r.name, Input: trigger, Open: true, Grace: streamGrace, Limits: r.Limits(program.Memory), Allow: r.allow,
		Output: lines.output, TooLong: lines.tooLong,
		Log: func(line []byte) { r.Logs.add(w.ID, line, false) },
	})
	close(ended)
	switch {
	case broken != nil:
		return false, broken
	case running.Err() != nil:
		return true, nil
	}
	return false, &endedError{w.ID, err}
}

// storeLine stores a line of a program that runs on.
func (r *run) storeLine(ctx context.Context, w Work, l Line) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.Cursor != nil {
		r.state.Cursor = l.Cursor
		return r.saveState(ctx)
	}
	e := l.Event
	e.Hops = 1
	err := r.out.Emit(ctx, e)
	var refused *sources.EventError
	switch {
	case errors.As(err, &refused):
		r.report(w.ID, fmt.Errorf("an event was not stored: %w", err))
		return nil
	case err == nil:
		r.out.Warn(nil)
	}
	return err
}
