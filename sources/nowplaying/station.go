package nowplaying

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

const (
	// backlog is how long the next of several posts may take to be read, that came
	// while nothing ran.
	backlog = 100 * time.Millisecond

	// The pauses before an upstream that has failed is asked again. The longest is how
	// long a card may say that nobody answers when the station is long back.
	leastPause = 2 * time.Second
	mostPause  = 15 * time.Second
)

// station is a configured station; see [post] for one with a hook.
type station struct {
	name     string
	settings Settings
	reader   reader // copied for each run
	lines    []line
	covers   string
	pictures sources.Pictures
	lookup   finder // nil for none
}

var _ sources.Source = (*station)(nil)

func (s *station) engine() *engine {
	e := &engine{
		name: s.name, logo: s.remote(s.settings.Logo), listen: s.settings.Listen, debounce: s.settings.Debounce, delay: s.settings.Delay,
		reader: s.reader, order: order{patience: s.settings.Patience, stale: s.settings.Stale, active: -1},
	}
	for _, l := range s.lines {
		e.order.ranks = append(e.order.ranks, &rank{label: l.label, pushed: l.push != nil, every: l.every})
	}
	return e
}

// run is one Run of a station.
type run struct {
	*station
	*engine
	out     sources.Output
	inbox   inbox
	posts   chan posted
	workers sync.WaitGroup
	stops   []context.CancelFunc // nil where nobody watches

	problems  []string // why an upstream can't be used; "" where it can
	remarks   []string // what is in the way of one that can
	refused   string   // why the newest card isn't stored
	warned    string
	following int
	sought    string // the play whose cover was looked for last
}

// Run implements [sources.Source].
func (s *station) Run(ctx context.Context, out sources.Output) error {
	ctx, cancel := context.WithCancel(ctx)
	r := &run{
		station: s, engine: s.engine(), out: out, following: -1,
		inbox: inbox{news: make(chan struct{}, 1)}, posts: make(chan posted),
		stops: make([]context.CancelFunc, len(s.lines)), problems: make([]string, len(s.lines)), remarks: make([]string, len(s.lines)),
	}
	r.cover = func(song song) string { return s.localCover(ctx, song) }
	defer r.workers.Wait()
	defer cancel()

	r.restore(time.Now(), out.Cursor())
	for _, l := range s.lines {
		if l.push != nil {
			after := r.done
			r.workers.Go(func() { r.receive(ctx, after) })
			if err := r.catchUp(ctx); err != nil {
				return err
			}
		}
	}
	for {
		now := time.Now()
		r.advance(now)
		if err := r.act(ctx, now); err != nil {
			return err
		}
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
}

// catchUp takes the posts that came while nothing ran, each at its own time.
func (r *run) catchUp(ctx context.Context) error {
	var at time.Time
	for {
		timer := time.NewTimer(backlog)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
			return nil
		case p := <-r.posts:
			timer.Stop()
			if now := time.Now(); p.d.Time.After(now) {
				at = now
			} else if p.d.Time.After(at) {
				at = p.d.Time
			}
			if err := r.take(p, at); err != nil {
				return err
			}
			if err := r.emit(ctx, at); err != nil {
				return err
			}
		}
	}
}

// act does what the engine asks for.
func (r *run) act(ctx context.Context, now time.Time) error {
	if err := r.emit(ctx, now); err != nil {
		return err
	}
	for i, wanted := range r.order.watched() {
		switch {
		case r.lines[i].push != nil:
		case wanted && r.stops[i] == nil:
			watch, stop := context.WithCancel(ctx)
			r.stops[i] = stop
			r.workers.Go(func() { r.watch(watch, i) })
		case !wanted && r.stops[i] != nil:
			r.stops[i]()
			r.stops[i], r.problems[i], r.remarks[i] = nil, "", ""
		}
	}
	r.tell()
	r.seek(ctx)
	return nil
}

// emit stores the cards that are due.
func (r *run) emit(ctx context.Context, now time.Time) error {
	for {
		c, at, ok := r.due(now)
		if !ok {
			break
		}
		r.shown()
		err := r.out.Emit(ctx, sources.Event{Kind: kind, Data: c.json(), Time: at, Cursor: r.cursor()})
		r.refused = ""
		if one := (*sources.EventError)(nil); errors.As(err, &one) {
			r.refused = fmt.Sprintf("the card of %.100q can't be stored: %v", c.Text, err)
		} else if err != nil {
			return err
		}
	}
	if r.stir && len(r.queue) > 0 { // cards wait, which a restart must not lose
		if err := r.out.SaveCursor(ctx, r.cursor()); err != nil {
			return err
		}
	}
	r.stir = false
	return nil
}

// wait waits for something to do, and takes in what was reported.
func (r *run) wait(ctx context.Context) error {
	var alarm <-chan time.Time
	if at := r.deadline(time.Now()); !at.IsZero() {
		timer := time.NewTimer(max(0, time.Until(at)))
		defer timer.Stop()
		alarm = timer.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-alarm:
	case p := <-r.posts:
		return r.take(p, time.Now())
	case <-r.inbox.news:
		for _, n := range r.inbox.empty() {
			r.notice(n)
		}
	}
	return nil
}

// notice takes in what a worker has to say.
func (r *run) notice(n notice) {
	now := time.Now()
	switch {
	case n.cover != "":
		r.found(now, n.play, n.cover)
	case r.stops[n.line] == nil || n.watch.Err() != nil: // it was stopped meanwhile
	case n.warns:
		if r.remarks[n.line] = ""; n.err != nil {
			r.remarks[n.line] = fmt.Sprintf("%s: %v", r.lines[n.line].label, n.err)
		}
	case n.err != nil:
		r.problems[n.line] = fmt.Sprintf("%s: %v", r.lines[n.line].label, n.err)
		r.fail(now, n.line)
	default:
		r.problems[n.line] = ""
		r.report(now, n.line, n.at, 0, n.report)
	}
}

// take takes in a post.
func (r *run) take(p posted, now time.Time) error {
	if p.err != nil {
		return p.err
	}
	i := slices.IndexFunc(r.lines, func(l line) bool { return l.push != nil })
	report, err := r.lines[i].push.Parse(p.d)
	if err != nil {
		r.out.Log().Warn("a post was skipped", "delivery", p.d.Number, "error", err)
		r.newest = max(r.newest, p.d.Number)
		return nil
	}
	report.Song.Art = r.remote(report.Song.Art)
	at := p.d.Time
	if at.After(now) { // the clock was put back
		at = now
	}
	r.report(now, i, at, p.d.Number, report)
	return nil
}

// tell says which upstream is followed and what is wrong with the others.
func (r *run) tell() {
	following := ""
	if a := r.order.active; a >= 0 {
		following = r.lines[a].label
	}
	if r.following != r.order.active {
		r.following = r.order.active
		if following != "" {
			r.out.Log().Info("following an upstream", "upstream", following)
		} else {
			r.out.Log().Info("no upstream answers")
		}
	}
	problem := strings.Join(slices.DeleteFunc(slices.Concat([]string{r.refused}, r.problems, r.remarks), func(p string) bool { return p == "" }), "; ")
	if following != "" && problem != "" && problem != r.refused {
		problem += "; following " + following
	}
	if problem == r.warned {
		return
	}
	if r.warned = problem; problem == "" {
		r.out.Warn(nil)
		return
	}
	r.out.Warn(errors.New(strings.Join(strings.Fields(problem), " ")))
}

// watch watches an upstream, again and again.
func (r *run) watch(ctx context.Context, i int) {
	pause := leastPause
	pictures := portfolio{station: r.station}
	for {
		began := time.Now()
		u, err := r.lines[i].open(func(err error) { r.inbox.put(notice{line: i, watch: ctx, warns: true, err: err}) })
		if err == nil {
			err = u.Watch(ctx, func(report upstream.Report) {
				pictures.settle(ctx, &report)
				r.inbox.put(notice{line: i, watch: ctx, at: time.Now(), report: report})
			})
		}
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("it has ended")
		}
		r.inbox.put(notice{line: i, watch: ctx, err: err})
		if time.Since(began) > mostPause {
			pause = leastPause
		}
		timer := time.NewTimer(pause + rand.N(pause/2))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		pause = min(2*pause, mostPause)
	}
}

// posted is a delivery, or why there are no more.
type posted struct {
	d   sources.Delivery
	err error
}

// receive hands on the posts after the one with a number.
func (r *run) receive(ctx context.Context, after uint64) {
	for {
		d, err := r.out.Delivery(ctx, after)
		select {
		case <-ctx.Done():
			return
		case r.posts <- posted{d, err}:
		}
		if err != nil {
			return
		}
		after = d.Number
	}
}

// notice is what a worker has to say: a report, a failure or a cover.
type notice struct {
	line   int
	watch  context.Context // of who says it: it may have been stopped meanwhile
	at     time.Time
	report upstream.Report
	err    error
	warns  bool // it goes on all the same

	play, cover string
}

// maxNotices is how many notices are kept while the store is away: the newest.
const maxNotices = 256

// inbox is what the workers have to say. They do not wait.
type inbox struct {
	news chan struct{}

	mu  sync.Mutex
	all []notice
}

func (b *inbox) put(n notice) {
	b.mu.Lock()
	b.all = append(b.all, n)
	b.all = b.all[max(0, len(b.all)-maxNotices):]
	b.mu.Unlock()
	select {
	case b.news <- struct{}{}:
	default: // it has been told already
	}
}

func (b *inbox) empty() []notice {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.all
	b.all = nil
	return all
}
