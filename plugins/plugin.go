package plugins

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

// Plugin is the source that a plugin is. What [Settings] make has yet to be given
// what it runs with. It is immutable.
type Plugin struct {
	name     string
	settings Settings
	schedule Schedule
	allow    Allow
	config   json.RawMessage
	client   *http.Client
	around   Around
}

var _ sources.Source = (*Plugin)(nil)

// Around is what a plugin runs with.
type Around struct {
	Store  Store
	Reader stream.Reader
	Walls  []string // all that there are; the setting on chooses among them
	Slot   *Slot
	Logs   *Journal

	// Mapped says that its instance has a Transform, which may make nothing of an
	// event.
	Mapped bool
}

// With returns the plugin with what it runs with. No field of around may be nil.
func (p *Plugin) With(around Around) *Plugin {
	bound := *p
	bound.around = around
	return &bound
}

// Name is the plugin's name.
func (p *Plugin) Name() string { return p.name }

// Settings are what the plugin was made of.
func (p *Plugin) Settings() Settings { return p.settings }

// Allow is what its runs may reach.
func (p *Plugin) Allow() Allow { return p.allow }

// Limits bound a run of the plugin in a program that has so much memory where the
// settings say nothing.
func (p *Plugin) Limits(memory int64) Limits {
	if p.settings.Memory != 0 {
		memory = int64(p.settings.Memory)
	}
	limits := Limits{Time: p.settings.Timeout, Memory: memory, Output: int64(p.settings.Output), Log: mostLogged, Line: longestOutput}
	if p.settings.Stream {
		limits.Time, limits.Output, limits.Log = 0, endless, endless
	}
	return limits
}

const (
	// mostLogged is how much one run may log, and longestOutput the longest line
	// that is read: a payload of 64 KiB may be much longer when it is escaped.
	mostLogged    = 1 << 20
	longestOutput = 512 << 10

	endless = 1 << 62
)

// Run implements sources.Source.
func (p *Plugin) Run(ctx context.Context, out sources.Output) error {
	if p.around.Store == nil {
		return errUnbound
	}
	s, err := parseState(out.Cursor())
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	r := &run{
		Plugin: p, Around: p.around, out: out, group: group, state: s,
		slots: make(chan struct{}, p.settings.Concurrency),
	}
	if err := r.begin(ctx); err != nil {
		return err
	}
	if p.settings.Stream {
		group.Go(func() error { return r.stream(ctx) })
		return group.Wait()
	}
	// Replayed dead letters are work, whatever the triggers are.
	group.Go(func() error { return r.works(ctx) })
	if p.schedule != (Schedule{}) {
		group.Go(func() error { return r.ticks(ctx) })
	}
	if p.settings.On != "" {
		for _, wall := range r.listensTo() {
			group.Go(func() error { return r.follow(ctx, wall) })
		}
		group.Go(func() error { return r.save(ctx) })
	}
	return group.Wait()
}

// run is one Run of a plugin.
type run struct {
	*Plugin
	Around
	out   sources.Output
	group *errgroup.Group
	slots chan struct{} // holds a token for each call that is being done

	// Owned by who does the ticks.
	seen     validators
	deadTick uint64 // the dead letter of the newest tick that failed; 0 for none

	mu    sync.Mutex // held while a call's events are stored, one after another
	state *state
	dirty bool // the state holds something that was not stored with an event
}

// begin does what an earlier run has left undone.
func (r *run) begin(ctx context.Context) error {
	for id, e := range r.state.Done {
		if err := r.drop(ctx, id, e); err != nil {
			return err
		}
		delete(r.state.Done, id)
	}
	return r.patiently(ctx, "setting the schedule", func() error { return r.Store.SetSchedule(ctx, r.name, r.schedule) })
}

// saveState stores the state without an event; the caller holds mu.
func (r *run) saveState(ctx context.Context) error {
	r.dirty = false
	return r.out.SaveCursor(ctx, r.state.json())
}
