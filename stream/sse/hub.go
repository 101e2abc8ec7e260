package sse

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wallcast/wallcast/stream"
)

const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 5 * time.Second

	// patience is how long a viewer waits for what the store says it holds
	// before the reader is told to look again.
	patience = 500 * time.Millisecond

	openTimeout = 8 * time.Second // for all that a viewer needs of the store at connect
)

var errLookAgain = errors.New("the reader is to look again")

// hub is the one reader of a wall in this process: it fills the wall's feed.
type hub struct {
	cfg     *Config
	wall    string
	states  *shared[stream.State]
	cards   *shared[[]stream.Event]
	serving context.Context // ends with the Server
	reads   chan struct{}   // tokens, shared by all walls: bounds concurrent reads of history
	viewers atomic.Int64    // open event streams
	removed chan struct{}   // closed when the wall is no more

	refs int         // viewers, polls and snapshots; guarded by Server.mu
	idle *time.Timer // stops the hub; guarded by Server.mu
	stop context.CancelFunc

	mu      sync.Mutex
	feed    *feed // nil until the window is loaded
	err     error // why it is not
	changed chan struct{}
	again   context.CancelCauseFunc // ends the session

	readings []*reading // that have not ended
}

func newHub(serving context.Context, cfg *Config, wall string, reads chan struct{}) *hub {
	return &hub{
		cfg: cfg, wall: wall, serving: serving, reads: reads,
		states: newShared(func(ctx context.Context) (stream.State, error) {
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			st, err := cfg.Reader.State(ctx, wall)
			st.First = max(st.First, 1)
			return st, err
		}),
		cards: newShared(func(ctx context.Context) ([]stream.Event, error) {
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			return cfg.Reader.Cards(ctx, wall)
		}),
		removed: make(chan struct{}),
		changed: make(chan struct{}),
		again:   func(error) {},
	}
}

// run reads the wall until ctx ends.
func (h *hub) run(ctx context.Context) {
	var pinging sync.WaitGroup
	pinging.Go(func() { h.pings(ctx) })
	defer pinging.Wait()

	for failures := 0; ctx.Err() == nil; {
		session, cancel := context.WithCancelCause(ctx)
		h.mu.Lock()
		h.again = cancel
		h.mu.Unlock()
		began := time.Now()
		err := h.session(session)
		again := context.Cause(session) == errLookAgain
		cancel(nil)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > lastBackoff {
			failures = 0
		}
		if errors.Is(err, stream.ErrReset) {
			h.reset(h.current())
		}
		if again || failures == 0 && errors.Is(err, stream.ErrReset) {
			failures++
			continue
		}
		h.fail(err, failures)
		failures++
		pause(ctx, failures)
	}
}

// pause waits before the next try: longer from time to time, and not in step
// with other processes.
func pause(ctx context.Context, failures int) {
	wait := min(firstBackoff<<min(failures-1, 10), lastBackoff)
	timer := time.NewTimer(wait/2 + rand.N(wait))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// session loads what is missing and follows the wall, until an error.
func (h *hub) session(ctx context.Context) error {
	st, err := h.states.get(ctx)
	if err != nil {
		return err
	}
	f := h.current()
	if f != nil && !f.continues(st) {
		h.reset(f)
		f = nil
	}
	if f == nil {
		if f, err = h.load(ctx, st); err != nil {
			return err
		}
	}
	pos, _ := f.position()
	for e, err := range h.cfg.Reader.Range(ctx, h.wall, pos, st.Last) {
		if err == nil {
			err = h.add(ctx, f, e)
		}
		if err != nil {
			return err
		}
	}
	if err := h.reach(ctx, f, st.Last); err != nil {
		return err
	}
	h.ready(f)

	pos, _ = f.position()
	for e, err := range h.cfg.Reader.Follow(ctx, h.wall, pos) {
		if err == nil {
			err = h.add(ctx, f, e)
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("following wall %q: %w", h.wall, stream.ErrUnavailable)
}

// load makes a feed with the newest of what is held. It reads backwards, a
// stretch at a time, so that of a wall with large events it reads little more
// than the window keeps.
func (h *hub) load(ctx context.Context, st stream.State) (*feed, error) {
	const stretch = 1000
	var read [][]stream.Event
	low, count, size := st.Last, 0, 0
	for low >= st.First && count < h.cfg.WindowEntries && size < h.cfg.WindowBytes {
		bottom := max(st.First-1, low-min(low, stretch))
		var events []stream.Event
		for e, err := range h.cfg.Reader.Range(ctx, h.wall, bottom, low) {
			if err != nil {
				return nil, err
			}
			if e.ID.Epoch != st.Epoch {
				return nil, stream.ErrReset
			}
			events = append(events, e)
			size += len(e.Data)
		}
		read, count, low = append(read, events), count+len(events), bottom
	}
	f := newFeed(h.cfg, h.wall, st.Epoch, low)
	f.nameKinds(st.Kinds...)
	for _, events := range slices.Backward(read) {
		for _, e := range events {
			f.add(e)
		}
	}
	f.advance(st.Last)
	return f, nil
}

// add appends an entry that was read to the feed.
func (h *hub) add(ctx context.Context, f *feed, e stream.Event) error {
	if e.ID.Epoch != f.epoch {
		return stream.ErrReset
	}
	if err := h.reach(ctx, f, e.ID.Seq-1); err != nil {
		return err
	}
	f.add(e)
	return nil
}

// reach moves the feed on to seq when there was nothing to read up to there. It
// was retracted, or evicted before it could be read: the store knows.
func (h *hub) reach(ctx context.Context, f *feed, seq uint64) error {
	pos, _ := f.position()
	if pos >= seq {
		return nil
	}
	st, err := h.states.get(ctx)
	switch {
	case err != nil:
		return err
	case st.Epoch != f.epoch:
		return stream.ErrReset
	case st.First <= pos+1:
		f.advance(seq)
		return nil
	}
	cards, err := h.cards.get(ctx)
	if err != nil {
		return err
	}
	h.cfg.Log.Warn("events were evicted before they could be sent; the wall's limits are too narrow for its bursts",
		"wall", h.wall, "first", st.First)
	f.lose(st.First, seq+1, cards)
	return nil
}

// continues reports whether st is a later state of what the feed has read.
func (f *feed) continues(st stream.State) bool {
	pos, _ := f.position()
	return st.Epoch == f.epoch && st.Last >= pos
}

// current returns the feed, or nil.
func (h *hub) current() *feed {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.feed
}

// ready makes f the feed.
func (h *hub) ready(f *feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		h.cfg.Log.Info("the wall can be read again", "wall", h.wall)
	}
	h.feed, h.err = f, nil
	h.announceLocked()
}

// fail keeps the reason why there is no reading.
func (h *hub) fail(err error, failures int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if failures == 0 {
		h.cfg.Log.Warn("the wall can't be read; trying again", "wall", h.wall, "error", err)
	}
	h.err = err
	h.announceLocked()
}

// reset throws the window away: f's viewers come back with their ids.
func (h *hub) reset(f *feed) {
	if f == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	f.end(byeReset)
	if h.feed == f {
		h.cfg.Log.Warn("the wall's store was replaced; its viewers connect again", "wall", h.wall)
		h.feed, h.err = nil, nil
		h.announceLocked()
	}
}

// lookAgain makes the reader start over from the store's state.
func (h *hub) lookAgain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.again(errLookAgain)
}

func (h *hub) announceLocked() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// wait returns the feed as soon as there is one, or why there is none.
func (h *hub) wait(ctx context.Context) (*feed, error) {
	for {
		h.mu.Lock()
		f, err, changed := h.feed, h.err, h.changed
		h.mu.Unlock()
		switch {
		case f != nil:
			return f, nil
		case err != nil:
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

// open returns the feed and a state of the store asked for since the call, all
// of which the feed has read.
func (h *hub) open(ctx context.Context) (*feed, stream.State, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	for {
		f, err := h.wait(ctx)
		if err != nil {
			return nil, stream.State{}, err
		}
		before, _ := f.position()
		st, err := h.states.get(ctx)
		if err != nil {
			return nil, stream.State{}, err
		}
		if st.Epoch != f.epoch || st.Last < before {
			h.reset(f)
			h.lookAgain()
			continue
		}
		if err := h.await(ctx, f, st.Last); err != nil {
			return nil, stream.State{}, err
		}
		if f == h.current() {
			return f, st, nil
		}
	}
}

// await waits until the feed has read up to seq, or has ended.
func (h *hub) await(ctx context.Context, f *feed, seq uint64) error {
	var slow <-chan time.Time
	for {
		pos, news := f.position()
		if pos >= seq {
			return nil
		}
		if slow == nil {
			slow = time.After(patience)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.ended:
			return nil
		case <-news:
		case <-slow:
			h.lookAgain()
			slow = nil
		}
	}
}

// pings sends a ping to the wall's viewers every so often.
func (h *hub) pings(ctx context.Context) {
	ticker := time.NewTicker(h.cfg.Ping)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			n := int(h.viewers.Load())
			if f := h.current(); f != nil && n > 0 {
				f.sendPing(n)
			}
		}
	}
}
