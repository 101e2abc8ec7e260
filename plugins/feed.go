package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/wallcast/wallcast/stream"
)

const (
	// maxHops is how many plugins may answer each other in a chain.
	maxHops = 8

	// maxListened bounds how many positions the cursor holds.
	maxListened = 32

	// saveEvery bounds how often positions are saved that no event carries.
	saveEvery = time.Second

	// savedSkips is how many entries of a wall that are no triggers may have to be
	// read again.
	savedSkips = 1000

	leastRetry = 200 * time.Millisecond
	mostRetry  = 10 * time.Second

	tickPrefix = "tick-"
)

// works does the plugin's work, oldest first.
func (r *run) works(ctx context.Context) error {
	for after := uint64(0); ; {
		var w Work
		err := r.patiently(ctx, "reading what waits for the plugin", func() (err error) {
			w, err = r.Store.NextWork(ctx, r.name, after)
			return err
		})
		if err != nil {
			return err
		}
		after = w.Number
		if err := r.inSlot(ctx, call{work: w, entry: entry{Work: w.Number}}); err != nil {
			return err
		}
	}
}

// ticks does what the plugin's schedule sets off, one tick at a time: those that
// come meanwhile are one.
func (r *run) ticks(ctx context.Context) error {
	kind := Every
	if r.settings.Cron != "" {
		kind = Cron
	}
	for after := uint64(0); ; {
		var t Tick
		err := r.patiently(ctx, "waiting for the schedule", func() (err error) {
			t, err = r.Store.NextTick(ctx, r.name, after)
			return err
		})
		if err != nil {
			return err
		}
		after = t.Number
		w := Work{ID: fmt.Sprint(tickPrefix, t.Time.UnixNano()), Kind: kind, Time: t.Time}
		r.forgetTicks(w.ID)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r.slots <- struct{}{}:
		}
		err = r.do(ctx, call{work: w, entry: entry{Tick: t.Number, Time: t.Time.UnixNano()}})
		<-r.slots
		if err != nil {
			return err
		}
	}
}

// forgetTicks forgets ticks that were begun and that a newer one has replaced.
func (r *run) forgetTicks(but string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.state.Part {
		if strings.HasPrefix(id, tickPrefix) && id != but {
			delete(r.state.Part, id)
		}
	}
}

// inSlot does a call as soon as one may be done, and does not wait for its end.
func (r *run) inSlot(ctx context.Context, c call) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case r.slots <- struct{}{}:
	}
	r.group.Go(func() error {
		defer func() { <-r.slots }()
		return r.do(ctx, c)
	})
	return nil
}

// listensTo are the walls that can have triggers.
func (r *run) listensTo() []string {
	var walls []string
	for _, wall := range r.Walls {
		if stream.Overlap(r.settings.On, stream.WallPrefix+"."+wall+".>") {
			walls = append(walls, wall)
		}
	}
	if len(walls) > maxListened {
		r.out.Warn(fmt.Errorf("on matches %d walls; the plugin listens to the first %d of them", len(walls), maxListened))
		walls = walls[:maxListened]
	}
	return walls
}

// follow does what the events of a wall set off.
func (r *run) follow(ctx context.Context, wall string) error {
	for failed := false; ; failed = true {
		p, err := r.positionOn(ctx, wall)
		if err != nil {
			return err
		}
		if failed {
			r.out.Warn(nil)
		}
		err = r.followFrom(ctx, wall, p)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var stopped *stoppedError
		if errors.As(err, &stopped) {
			return stopped.err
		}
		r.out.Warn(fmt.Errorf("reading the wall %s: %w; trying again", wall, err))
		if !pause(ctx, time.Second) {
			return ctx.Err()
		}
	}
}

// stoppedError is why the whole run ends.
type stoppedError struct{ err error }

func (e *stoppedError) Error() string { return e.err.Error() }

// positionOn is where to go on with a wall: at its end, where the plugin is new to
// it or its store was replaced.
func (r *run) positionOn(ctx context.Context, wall string) (*position, error) {
	var now stream.State
	err := r.patiently(ctx, "reading the wall "+wall, func() (err error) {
		now, err = r.Reader.State(ctx, wall)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.state.On[wall]
	if p != nil && p.Epoch == now.Epoch && p.At <= now.Last {
		if p.At+1 < now.First {
			r.out.Log().Warn("events that the plugin was to see are not held any more", "wall", wall, "after", p.id(), "oldest", now.First)
		}
		return p, nil
	}
	if p != nil {
		r.out.Log().Warn("the wall's store was replaced; the plugin goes on with what comes now", "wall", wall)
	}
	p = &position{Epoch: now.Epoch, At: now.Last, read: now.Last}
	r.state.On[wall] = p
	return p, r.saveState(ctx) // what comes while the program is away is to be seen
}

func (r *run) followFrom(ctx context.Context, wall string, p *position) error {
	skipped := 0
	for e, err := range r.Reader.Follow(ctx, wall, p.read) {
		if err != nil {
			return err
		}
		r.mu.Lock()
		wanted := r.triggers(e)
		if wanted {
			wanted = p.begin(e.ID.Seq)
		} else {
			p.skip(e.ID.Seq)
			skipped++
			r.dirty = r.dirty || skipped%savedSkips == 0
		}
		r.mu.Unlock()
		if !wanted {
			continue
		}
		w, err := workOf(e)
		if err == nil {
			err = r.inSlot(ctx, call{work: w, position: p, seq: e.ID.Seq})
		}
		if err != nil {
			return &stoppedError{err}
		}
	}
	return ctx.Err()
}

// triggers reports whether an event sets the plugin off: what it has made itself
// doesn't, and neither does the end of a chain.
func (r *run) triggers(e stream.Event) bool {
	if e.Control != "" || e.Odd() || !stream.Overlap(r.settings.On, e.Subject.String()) {
		return false
	}
	if e.Hops > 0 && e.Source == r.name {
		return false
	}
	if e.Hops >= maxHops {
		r.report(e.Subject.Wall+"/"+e.ID.String(), fmt.Errorf("the event %s of the wall %s stands at the end of %d plugins that answer each other, so this one does not; mend their settings on and to", e.ID, e.Subject.Wall, e.Hops))
		return false
	}
	return true
}

func workOf(e stream.Event) (Work, error) {
	seen := Occurrence{
		ID: e.ID.String(), Wall: e.Subject.Wall, Kind: e.Subject.Kind, Key: e.Subject.Key,
		Time: e.Time, Source: e.Source, Data: e.Data,
	}
	text := stream.Text(e.Data)
	if seen.Data = json.RawMessage(text); !stream.IsObject(seen.Data) {
		quoted, err := marshal(text)
		if err != nil {
			return Work{}, err
		}
		seen.Data = quoted
	}
	input, err := marshal(seen)
	if err != nil {
		return Work{}, fmt.Errorf("handing on the event %s: %w", e.ID, err)
	}
	return Work{ID: e.Subject.Wall + "/" + e.ID.String(), Kind: On, Time: time.Now(), Hops: e.Hops, Data: input}, nil
}

// save saves positions that no event carries.
func (r *run) save(ctx context.Context) error {
	for pause(ctx, saveEvery) {
		r.mu.Lock()
		var err error
		if r.dirty {
			err = r.saveState(ctx)
		}
		r.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// patiently calls f until it succeeds: calls that run are not given up because
// the store is away for a while.
func (r *run) patiently(ctx context.Context, doing string, f func() error) error {
	failed := false
	for wait := leastRetry; ; wait = min(2*wait, mostRetry) {
		err := f()
		switch {
		case err == nil:
			if failed {
				r.out.Warn(nil)
			}
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		failed = true
		r.out.Warn(fmt.Errorf("%s: %w; trying again", doing, err))
		if !pause(ctx, wait/2+rand.N(wait/2)) {
			return ctx.Err()
		}
	}
}

// pause waits for d and reports whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
