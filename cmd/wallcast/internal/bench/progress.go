package bench

import (
	"context"
	"fmt"
	"time"
)

// Progress is how far a run has come.
type Progress struct {
	Phase     string // connecting, idle, publishing, settling
	Elapsed   time.Duration
	Viewers   int // that were let in
	Published int // and acknowledged
	Delivered int64
	Rate      float64 // deliveries a second since the last time
	Backlog   int     // events that viewers are behind, on average
}

// String is one line.
func (p Progress) String() string {
	line := fmt.Sprintf("%4.0fs  %-10s  %s viewers", p.Elapsed.Seconds(), p.Phase, number(p.Viewers))
	if p.Published > 0 || p.Delivered > 0 {
		line += fmt.Sprintf("  %s published  %s delivered  %s/s  %s behind",
			number(p.Published), number(int(p.Delivered)), number(int(p.Rate)), number(p.Backlog))
	}
	return line
}

const progressTime = time.Second

// showProgress reports every second until ctx ends, and looks after connections
// that have died.
func (r *run) showProgress(ctx context.Context) {
	last, delivered := time.Now(), int64(0)
	for {
		pause(ctx, progressTime)
		if ctx.Err() != nil {
			return
		}
		r.dropSilent()
		p := r.progress()
		now := time.Now()
		p.Rate = float64(p.Delivered-delivered) / now.Sub(last).Seconds()
		last, delivered = now, p.Delivered
		if r.opts.Progress != nil {
			r.opts.Progress(p)
		}
	}
}

func (r *run) progress() Progress {
	p := Progress{
		Elapsed: time.Since(r.began), Viewers: int(r.counts.greeted.Load()),
		Published: int(r.counts.acknowledged.Load()), Delivered: r.delivered(),
	}
	if phase := r.phase.Load(); phase != nil {
		p.Phase = *phase
	}
	if p.Phase == "publishing" || p.Phase == "settling" {
		p.Backlog = max(0, r.backlog())
	}
	return p
}
