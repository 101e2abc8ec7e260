package sources

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"golang.org/x/time/rate"
)

const (
	leastRestart = time.Second
	mostRestart  = time.Minute

	// healthy is how long a run lasts for its failure to count as the first.
	healthy = time.Minute
)

var errLeaseLost = errors.New("the lease was lost; another process may run the source")

// runner runs one instance, again and again.
type runner struct {
	Instance
	store    Store
	log      *slog.Logger
	progress *progress
	limiter  *rate.Limiter // of all runs together; nil for none

	stop    context.CancelFunc // nil before it was started
	retired bool               // guarded by the supervisor's mu
	former  <-chan struct{}    // closed once the runner that had the name has ended; nil for none
	ended   chan struct{}
}

func newRunner(i Instance, store Store, log *slog.Logger) *runner {
	status := Status{Name: i.Name, Type: i.Type, State: Waiting, Since: time.Now()}
	return &runner{
		Instance: i, store: store, log: log.With("source", i.Name),
		progress: &progress{status: status}, limiter: i.Rate.limiter(), ended: make(chan struct{}),
	}
}

func (r *runner) run(ctx context.Context) {
	defer close(r.ended)
	defer r.progress.enter(Stopped)
	if r.former != nil {
		<-r.former
	}
	wait := backoff{least: leastRestart, most: mostRestart}
	for ctx.Err() == nil {
		began := time.Now()
		err := r.attempt(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil { // done: there is nothing to run again
			<-ctx.Done()
			return
		}
		if time.Since(began) >= healthy {
			wait.reset()
		}
		r.progress.failed(err)
		r.log.Warn("source failed and will be run again", "error", err)
		r.progress.enter(BackingOff)
		if !wait.wait(ctx) {
			return
		}
		r.progress.restarted()
	}
}

// attempt takes the lease and runs the source once. The lease is given up in
// between, so that another process may have more luck.
func (r *runner) attempt(ctx context.Context) error {
	r.progress.enter(Waiting)
	held, release, err := r.store.Lease(ctx, r.Name)
	if err != nil {
		return fmt.Errorf("taking the lease: %w", err)
	}
	defer release()

	r.progress.enter(Starting)
	mark, err := r.store.LastMark(held, r.Name, r.walls())
	if err != nil {
		return fmt.Errorf("reading the cursor: %w", err)
	}
	r.progress.enter(Running)
	out := newOutput(held, r, mark)
	err = r.runSource(held, out)
	lost := held.Err() != nil && ctx.Err() == nil
	out.close(!lost)
	switch {
	case lost && err == nil, lost && errors.Is(err, held.Err()):
		return errLeaseLost
	case err != nil:
		return err
	case ctx.Err() == nil:
		r.progress.enter(Done)
		// The lease is kept: a process that gets it would run the source again.
		<-held.Done()
	}
	return nil
}

// runSource runs the Source and makes an error of a panic.
func (r *runner) runSource(ctx context.Context, out *output) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.log.Error("source panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("the source crashed: %v; the log has the stack", p)
		}
	}()
	return r.Source.Run(ctx, out)
}
