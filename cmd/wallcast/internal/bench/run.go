package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// run is one run of the load test.
type run struct {
	opts   Options
	target *connector
	own    *ownServer // nil when the wall is not ours
	began  time.Time  // what the times of markers count from
	marks  marking
	from   uint64 // the wall's head when the run began

	publishing bool
	why        string // not publishing
	schedule   *schedule
	all, part  *track

	viewers    []*viewer
	connecting *semaphore.Weighted
	pollers    pollers
	counts     counts
	tallies    []*tally // of viewers that keep up
	lazy       *tally   // of the others

	catchUp  chan struct{} // closed when all viewers are to read what they can
	watching sync.WaitGroup
	whole    int // viewers that keep up and get everything, when publishing began
	filtered int // the same of those that get one kind of two

	held    atomic.Int64 // nanoseconds that publishers waited for viewers that were too far behind
	phase   atomic.Pointer[string]
	window  window // in which events were published
	usage   usage
	late    bool // the run ended while viewers were still being sent events
	stopped bool // before its time

	connected time.Duration // how long it took until all viewers were there
}

// parallelConnects is how many connections are begun at a time: more would wait in
// the server's backlog, and their time would count as the server's.
const parallelConnects = 256

// tallyShards is how many tallies the viewers share.
const tallyShards = 8

// Run makes the load test. Its error is about what kept it from being made; how the
// wall did is in the report. When ctx ends while events are published, the
// report is about what was done until then.
func Run(ctx context.Context, opts Options) (*Report, error) {
	if err := opts.Check(); err != nil {
		return nil, err
	}
	r := &run{
		opts: opts, began: time.Now(), marks: newMarking(), all: new(track), part: new(track),
		connecting: semaphore.NewWeighted(parallelConnects), lazy: new(tally), catchUp: make(chan struct{}),
	}
	for range tallyShards {
		r.tallies = append(r.tallies, new(tally))
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	err := r.reach(ctx)
	if err == nil {
		err = r.make(ctx, stop)
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	var report *Report
	if err == nil {
		report = r.report()
	}
	if r.own != nil {
		err = errors.Join(err, r.own.stop())
	}
	return report, err
}

// reach starts the wall where it is ours, and finds out what may be done.
func (r *run) reach(ctx context.Context) error {
	target := r.opts.Target
	if r.opts.Own != nil {
		var err error
		if r.own, target, err = r.opts.Own.start(ctx, r.opts.Payload); err != nil {
			return err
		}
		r.opts.PID = r.own.Observe().PID
	}
	var err error
	if r.target, err = newConnector(ctx, target); err != nil {
		return err
	}
	if r.from, err = r.target.head(ctx); err != nil {
		return err
	}
	if err := r.announce(ctx); err != nil {
		return err
	}
	if err := r.tryPublishing(ctx); err != nil {
		return err
	}
	if !r.publishing && r.opts.Notes != nil {
		fmt.Fprintf(r.opts.Notes, "It only watches: %s.\n", strings.TrimSuffix(r.why, "."))
	}
	return nil
}

// gone reports whether the wall is one of ours that has ended by itself.
func (r *run) gone() bool { return r.own != nil && r.own.gone() }

// tryPublishing finds out whether we have the right to publish, with an event.
func (r *run) tryPublishing(ctx context.Context) error {
	kinds := []string{r.opts.Kind}
	if r.opts.Filtered > 0 {
		kinds = append(kinds, r.opts.filteredKind())
	}
	for _, kind := range kinds {
		status, body, err := r.target.ask(ctx, http.MethodPost, r.target.events()+"/"+kind, "text/plain; charset=utf-8",
			[]byte("A load test of this wall begins."))
		switch {
		case err != nil:
			return err
		case status == http.StatusAccepted:
			r.why = "its posts wait for a moderator"
			return nil
		case status == http.StatusUnauthorized, status == http.StatusForbidden:
			r.why = reason(status, body)
			return nil
		case status != http.StatusCreated:
			return fmt.Errorf("the wall %s takes no events: %s", r.target, reason(status, body))
		}
	}
	r.publishing = true
	return nil
}

// grace is how long one has to think better of testing a wall elsewhere.
const grace = 5 * time.Second

// announce says what will be done to a wall that is not ours, before anything is.
func (r *run) announce(ctx context.Context) error {
	o := &r.opts
	if o.Own != nil || o.Notes == nil {
		return nil
	}
	events := "events as fast as they are acknowledged,"
	if o.Rate > 0 {
		events = number(int(o.Rate*o.Duration.Seconds())) + " events"
	}
	fmt.Fprintf(o.Notes, "This holds %s viewers open on %s for about %s and, with the right to, publishes %s of %s bytes and the kind %s, which stay on that wall.\n",
		number(o.Viewers), r.target, (o.Idle + o.Duration).Round(time.Second), events, number(o.Payload), o.Kind)
	if r.target.loopback {
		return nil
	}
	fmt.Fprintf(o.Notes, "It begins in %s; Ctrl-C stops it.\n", grace)
	pause(ctx, grace)
	if ctx.Err() != nil {
		return interrupted(ctx)
	}
	return nil
}

// make makes the test. It calls stop when the wall under test ends by itself.
func (r *run) make(ctx context.Context, stop context.CancelCauseFunc) error {
	r.enter("connecting")
	r.bring()
	background := context.WithoutCancel(ctx)
	watching, stopWatching := context.WithCancel(background)
	var observers sync.WaitGroup
	observing, stopObserving := context.WithCancel(background)
	r.usage.begin(Observed{r.opts.PID})
	observers.Go(func() { r.usage.sample(observing) })
	observers.Go(func() { r.showProgress(observing) })
	if r.own != nil {
		observers.Go(func() {
			select {
			case <-r.own.ended:
				stop(r.own.failure())
			case <-observing.Done():
			}
		})
	}
	defer func() {
		stopWatching()
		for _, v := range r.viewers {
			v.interrupt()
		}
		r.watching.Wait()
		r.pollers.stop()
		stopObserving()
		observers.Wait()
	}()
	if err := r.connect(ctx, watching); err != nil {
		return err
	}
	r.enter("idle")
	pause(ctx, r.opts.Idle)
	if ctx.Err() != nil {
		return interrupted(ctx)
	}
	r.usage.connected()
	observers.Go(func() { watchLag(observing, &r.counts.tickLag) })
	r.publish(ctx)
	r.settle(background)
	r.usage.end()
	return nil
}

// connect brings the viewers and waits until they are there, or as many as come.
func (r *run) connect(ctx, watching context.Context) error {
	if err := r.pollers.start(r.viewers); err != nil {
		return err
	}
	for _, v := range r.viewers {
		r.watching.Go(func() { v.watch(watching) })
	}
	began := time.Now()
	err := r.awaitViewersThere(ctx)
	r.connected = time.Since(began)
	return err
}

// Viewers may take connectTimeout and, each, connectEach to be let in.
const (
	connectTimeout = time.Minute
	connectEach    = 5 * time.Millisecond
)

func (r *run) awaitViewersThere(ctx context.Context) error {
	end := time.Now().Add(connectTimeout + time.Duration(r.opts.Viewers)*connectEach)
	for {
		there := int(r.counts.greeted.Load())
		switch {
		case ctx.Err() != nil:
			return interrupted(ctx)
		case there == r.opts.Viewers:
			return nil
		case there+r.counts.refused() == r.opts.Viewers, time.Now().After(end):
			if there == 0 {
				return fmt.Errorf("no viewer was let in: %s", r.counts.commonest())
			}
			return nil
		}
		pause(ctx, 5*time.Millisecond)
	}
}

// interrupted is the error of a run that ended before anything was measured.
func interrupted(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return errors.New("interrupted before an event was published")
}

// bring makes the viewers, each as the options want some of them.
func (r *run) bring() {
	o := &r.opts
	wants := make([]url.Values, o.Viewers)
	r.viewers = make([]*viewer, o.Viewers)
	for i := range r.viewers {
		r.viewers[i] = &viewer{run: r, index: i, number: o.Publishers + i, track: r.all, tally: r.tallies[i%tallyShards]}
		wants[i] = url.Values{}
		if len(o.As) > 0 && o.As[i%len(o.As)] != "raw" {
			wants[i].Set("as", o.As[i%len(o.As)])
		}
	}
	if r.publishing { // else nobody knows which kinds there will be
		for _, i := range members(o.Viewers, o.Filtered) {
			r.viewers[i].part, r.viewers[i].track = true, r.part
			wants[i].Set("kinds", o.filteredKind())
		}
	}
	halting := int(o.Stuck*float64(o.Viewers) + 0.5)
	for n, i := range members(o.Viewers, o.Slow+o.Stuck) {
		r.viewers[i].pace, r.viewers[i].tally = slow, r.lazy
		if n < halting {
			r.viewers[i].pace = stuck
		}
	}
	for i, v := range r.viewers {
		v.path = r.target.events()
		if query := wants[i].Encode(); query != "" {
			v.path += "?" + query
		}
	}
}
