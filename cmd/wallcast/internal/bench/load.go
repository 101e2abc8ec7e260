package bench

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// window is the time in which events were published, and what happened in it.
type window struct {
	began, ended time.Time
	delivered    int64 // in the window, to all viewers
}

func (w window) length() time.Duration { return w.ended.Sub(w.began) }

func (r *run) enter(phase string) { r.phase.Store(&phase) }

// publish loads the wall for the wanted time.
func (r *run) publish(ctx context.Context) {
	for _, v := range r.viewers {
		switch {
		case v.pace != steady || !v.watching():
		case v.part:
			r.filtered++
		default:
			r.whole++
		}
	}
	r.enter("publishing")
	r.usage.load()
	r.window.began = time.Now()
	timed, cancel := context.WithTimeout(ctx, r.opts.Duration)
	defer cancel()
	var load sync.WaitGroup
	if r.publishing {
		r.startPublishers(timed, &load)
	}
	if r.opts.Storm > 0 {
		load.Go(func() { r.storm(timed) })
	}
	<-timed.Done()
	r.stopped = ctx.Err() != nil
	r.window.ended, r.window.delivered = time.Now(), r.delivered()
	r.usage.unload()
	load.Wait()
}

// startPublishers starts what publishes until ctx ends. What is under way then
// is finished: it would be known of nobody whether it was stored.
func (r *run) startPublishers(ctx context.Context, load *sync.WaitGroup) {
	s := &schedule{rate: r.opts.Rate, begun: r.window.began, most: maxEvents, all: r.all}
	if s.rate > 0 {
		s.most = max(1, int(s.rate*r.opts.Duration.Seconds()))
	}
	if r.opts.Filtered > 0 {
		s.part = r.part
	}
	r.schedule = s
	for n := range r.opts.Publishers {
		p := &publisher{run: r, number: n}
		load.Go(func() { p.publish(ctx) })
	}
}

// storm cuts a share of the viewers every so often. They come back at once.
func (r *run) storm(ctx context.Context) {
	for {
		pause(ctx, r.opts.StormEvery)
		if ctx.Err() != nil {
			return
		}
		for _, i := range members(len(r.viewers), r.opts.Storm) {
			r.viewers[i].interrupt()
		}
	}
}

// delivered is how many events the viewers have got.
func (r *run) delivered() int64 {
	sum := r.lazy.delivered.Load()
	for _, t := range r.tallies {
		sum += t.delivered.Load()
	}
	return sum
}

// backlog is how many events the viewers that keep up are behind, on average.
func (r *run) backlog() int {
	viewers := r.whole + r.filtered
	if viewers == 0 {
		return 0
	}
	due := r.all.posted.Load()*int64(r.whole) + r.part.posted.Load()*int64(r.filtered)
	for _, t := range r.tallies {
		due -= t.delivered.Load()
	}
	return int(due / int64(viewers))
}

// backlogPause is how long a publisher waits before it looks again whether the
// viewers have caught up.
const backlogPause = time.Millisecond

// awaitViewers keeps a publisher that has no rate from running away from the
// viewers: what would be measured then is the length of a queue.
func (r *run) awaitViewers(ctx context.Context) {
	if r.opts.Rate > 0 {
		return
	}
	began := time.Now()
	for ctx.Err() == nil && r.backlog() >= r.opts.Ahead {
		// Not all of them at the same instant.
		pause(ctx, backlogPause/2+rand.N(backlogPause))
		r.held.Add(int64(time.Since(began)))
		began = time.Now()
	}
}

// catchingUp reports whether all viewers are to read what they can.
func (r *run) catchingUp() bool {
	select {
	case <-r.catchUp:
		return true
	default:
		return false
	}
}

const (
	settleStep = 100 * time.Millisecond

	// settleQuiet is after how long without progress what is missing is given up. Who
	// was cut by the server comes back within it. Where all viewers have got
	// later events already, holesQuiet is enough.
	settleQuiet = 10 * time.Second
	holesQuiet  = 2 * time.Second
	settleMost  = 60 * time.Second
)

// settle waits until every viewer has what it is to get, or nothing more comes.
func (r *run) settle(ctx context.Context) {
	r.enter("settling")
	r.all.freeze()
	close(r.catchUp)
	began, heard := time.Now(), time.Now()
	quiet, lacking := r.patience()
	for quiet > 0 && !r.gone() {
		pause(ctx, settleStep)
		before := lacking
		if quiet, lacking = r.patience(); lacking < before {
			heard = time.Now()
		}
		if time.Since(heard) > quiet {
			break
		}
		if time.Since(began) > settleMost {
			r.late = true
			break
		}
	}
	pause(ctx, settleStep) // what comes twice may come the second time now
}

// patience is after how long without progress to give up, and how much is
// lacking; 0 when every viewer is there and has all that it is to get.
func (r *run) patience() (quiet time.Duration, lacking int) {
	for _, v := range r.viewers {
		m, away := v.missing()
		lacking += m.tail + m.lost
		if away {
			lacking++
		}
		switch {
		case m.tail > 0 || away:
			quiet = settleQuiet
		case m.lost > 0:
			quiet = max(quiet, holesQuiet)
		}
	}
	return quiet, lacking
}

// missing is what the viewer lacks, and whether it is away.
func (v *viewer) missing() (missing, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.account.missing(v.track), v.away()
}

// retract enters that an event was taken off the wall.
func (r *run) retract(id string) {
	if seq, ok := sequence([]byte(id)); ok && !r.publishing && seq > r.from {
		r.all.retract(int(seq - r.from - 1))
	}
}

// dropSilent cuts connections that have been dead for long.
func (r *run) dropSilent() {
	for _, v := range r.viewers {
		if v.silent() {
			v.interrupt()
			r.counts.enter(&r.counts.breaks, "silent for "+silence.String())
		}
	}
}

// silent reports whether a viewer has heard nothing for long, though it reads.
func (v *viewer) silent() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.link != nil && (v.pace == steady || v.greeted == 0) && time.Since(v.heard) > silence
}
