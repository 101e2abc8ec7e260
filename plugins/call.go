package plugins

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

const (
	firstRetry = time.Second
	lastRetry  = time.Minute

	// allReported is how many lines of a run are reported, each, that are left out.
	allReported = 16
)

// call is a trigger that is being done.
type call struct {
	work  Work
	entry entry // where it lies, for work and ticks

	// Of an event of a wall, whose number is seq.
	position *position
	seq      uint64
}

// result is what one attempt has made.
type result struct {
	events []sources.Event
	cursor json.RawMessage // nil: as it was
}

// failure is why an attempt failed.
type failure struct {
	reason Reason
	err    error
	log    string
}

// do tries a call until it succeeds or has failed too often. Its error ends the
// run.
func (r *run) do(ctx context.Context, c call) error {
	for attempt := 1; ; attempt++ {
		made, failed := r.attempt(ctx, c, attempt)
		if ctx.Err() != nil {
			return ctx.Err() // it was stopped, which is no failure of its own
		}
		if failed == nil {
			if err := r.store(ctx, c, made); err != nil {
				return err
			}
			return r.settle(ctx, c)
		}
		if attempt > r.settings.Retries {
			if err := r.bury(ctx, c, attempt, *failed); err != nil {
				return err
			}
			return r.settle(ctx, c)
		}
		wait := retryAfter(attempt)
		r.report(c.work.ID, fmt.Errorf("attempt %d of %d: %w; trying again in %s", attempt, r.settings.Retries+1, failed.err, wait.Round(time.Second/10)))
		if !pause(ctx, wait) {
			return ctx.Err()
		}
	}
}

// retryAfter is how long to wait after an attempt that failed.
func retryAfter(attempt int) time.Duration {
	wait := lastRetry
	if attempt < 7 { // 64 times a second is more than a minute
		wait = min(firstRetry<<(attempt-1), lastRetry)
	}
	return wait + rand.N(wait/5)
}

// report says what is wrong with a call.
func (r *run) report(id string, err error) {
	r.Logs.add(id, []byte(err.Error()), true)
	r.out.Warn(err)
}

// attempt runs the program once.
func (r *run) attempt(ctx context.Context, c call, number int) (result, *failure) {
	program, release, _, err := r.Slot.acquire(ctx)
	if err != nil {
		return result{}, &failure{Stopped, err, ""}
	}
	defer release()
	input, seen, err := r.input(ctx, c)
	if err == errUnchanged {
		return result{}, nil
	}
	if err != nil {
		return result{}, &failure{Fetch, err, ""}
	}
	trigger, err := r.trigger(c.work, number, input)
	if err != nil {
		return result{}, &failure{Start, err, ""}
	}
	var made result
	var log tail
	lines := r.reader(c.work.ID, func(l Line) error {
		if l.Cursor != nil {
			made.cursor = l.Cursor
		} else {
			made.events = append(made.events, l.Event)
		}
		return nil
	})
	err = r.runProgram(ctx, program, Call{
		Name: r.name, Input: trigger, Limits: r.Limits(program.Memory), Allow: r.allow,
		Output: lines.output, TooLong: lines.tooLong,
		Log: func(line []byte) {
			log.add(line)
			r.Logs.add(c.work.ID, line, false)
		},
	})
	if err != nil {
		return result{}, &failure{cmp.Or(ReasonOf(err), Start), err, log.String()}
	}
	r.seen.keep(seen)
	if lines.complained == 0 {
		r.out.Warn(nil)
	}
	return made, nil
}

// runProgram runs the program and makes a failure of a panic of its host: that of one
// plugin must not end the others.
func (r *run) runProgram(ctx context.Context, program Program, c Call) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.out.Log().Error("running a plugin panicked", "panic", p, "stack", string(debug.Stack()))
			err = &CallError{Reason: Start, Code: -1, Err: fmt.Errorf("what runs it crashed: %v; Wallcast's log has the stack", p)}
		}
	}()
	return program.Call(ctx, c)
}

// trigger is what the program reads.
func (r *run) trigger(w Work, attempt int, input json.RawMessage) ([]byte, error) {
	r.mu.Lock()
	cursor := r.state.Cursor
	r.mu.Unlock()
	return marshal(Trigger{Trigger: w.Kind, Time: w.Time, Attempt: attempt, Cursor: cursor, Config: r.config, Input: input})
}

// lineReader takes a run's output apart.
type lineReader struct {
	r          *run
	call       string
	take       func(Line) error
	number     int
	complained int // how often
}

func (r *run) reader(call string, take func(Line) error) *lineReader {
	return &lineReader{r: r, call: call, take: take}
}

func (l *lineReader) output(line []byte) error {
	l.number++
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	parsed, err := ParseLine(line)
	if err != nil {
		l.complain(err)
		return nil
	}
	return l.take(parsed)
}

func (l *lineReader) tooLong(number int) {
	l.number = number
	l.complain(fmt.Errorf("it is longer than %d bytes", longestOutput))
}

// complain reports a line that is left out. Of many only ever fewer are reported:
// noise would fill the log.
func (l *lineReader) complain(err error) {
	l.complained++
	if l.complained > allReported && l.complained&(l.complained-1) != 0 {
		return
	}
	err = fmt.Errorf("line %d of its output was left out: %w", l.number, err)
	if l.complained > allReported {
		err = fmt.Errorf("%w; it is the %d. of this run, of which only some are reported", err, l.complained)
	}
	l.r.report(l.call, err)
}

// store stores what a call has made, in its order, and with the last event that
// the call is done. What an earlier attempt has stored is left out.
func (r *run) store(ctx context.Context, c call, made result) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := c.work.ID
	carried := false // by an event: that the call is done
	for n := max(r.state.Part[id], c.work.Stored); n < len(made.events); n++ {
		last := n == len(made.events)-1
		if last {
			r.done(c, made.cursor)
		} else {
			r.state.Part[id] = n + 1
		}
		e := made.events[n]
		e.Hops, e.Cursor = c.work.Hops+1, r.state.json()
		err := r.out.Emit(ctx, e)
		var refused *sources.EventError
		if errors.As(err, &refused) {
			r.report(id, fmt.Errorf("event %d of the call was not stored: %w", n+1, err))
		} else if err != nil {
			return err
		}
		carried = last && err == nil && !r.Mapped
	}
	if carried {
		return nil
	}
	r.done(c, made.cursor)
	if made.cursor != nil {
		return r.saveState(ctx)
	}
	r.dirty = true
	return nil
}

// done notes that a call is done; the caller holds mu.
func (r *run) done(c call, cursor json.RawMessage) {
	delete(r.state.Part, c.work.ID)
	if cursor != nil {
		r.state.Cursor = cursor
	}
	if c.position != nil {
		c.position.finish(c.seq)
	} else {
		r.state.Done[c.work.ID] = c.entry
	}
}

// settle deletes the trigger of a call that is done.
func (r *run) settle(ctx context.Context, c call) error {
	if c.position != nil {
		return nil
	}
	if err := r.drop(ctx, c.work.ID, c.entry); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.state.Done, c.work.ID)
	return nil
}

func (r *run) drop(ctx context.Context, id string, e entry) error {
	return r.patiently(ctx, "deleting a trigger that is done", func() error {
		if e.Tick != 0 {
			return r.Store.DropTick(ctx, r.name, Tick{Number: e.Tick, Time: time.Unix(0, e.Time)})
		}
		return r.Store.DropWork(ctx, r.name, Work{ID: id, Number: e.Work})
	})
}

// bury makes a dead letter of a call.
func (r *run) bury(ctx context.Context, c call, attempts int, failed failure) error {
	r.mu.Lock()
	c.work.Stored = max(c.work.Stored, r.state.Part[c.work.ID])
	r.mu.Unlock()
	d := Dead{
		Work: c.work, Time: time.Now(), Attempts: attempts,
		Reason: failed.reason, Error: failed.err.Error(), Stderr: failed.log,
	}
	var number uint64
	err := r.patiently(ctx, "keeping a dead letter", func() (err error) {
		number, err = r.Store.PutDead(ctx, r.name, d)
		return err
	})
	if err != nil {
		return err
	}
	r.report(c.work.ID, fmt.Errorf("it failed %d times, the last time: %w; the trigger is kept as dead letter %d", attempts, failed.err, number))
	if c.entry.Tick != 0 {
		if err := r.replaceDeadTick(ctx, number); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done(c, nil)
	if c.position != nil {
		return r.saveState(ctx)
	}
	return nil
}

// replaceDeadTick leaves one dead letter of all ticks that failed one after
// another: they would push the others out.
func (r *run) replaceDeadTick(ctx context.Context, number uint64) error {
	former := r.deadTick
	r.deadTick = number
	if former == 0 || former == number {
		return nil
	}
	return r.patiently(ctx, "deleting the dead letter of an older tick", func() error {
		err := r.Store.DropDead(ctx, r.name, former)
		if errors.Is(err, stream.ErrNotFound) {
			return nil
		}
		return err
	})
}
