package sources

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is a wait that doubles from least to most.
type backoff struct {
	least, most time.Duration
	next        time.Duration // zero means least
}

func (b *backoff) reset() { b.next = 0 }

// wait waits between half of the due time and all of it, so that sources that
// failed together do not come back together. It reports whether ctx still lives.
func (b *backoff) wait(ctx context.Context) bool {
	due := max(b.next, b.least)
	b.next = min(2*due, b.most)
	return pause(ctx, due/2+rand.N(due/2+1))
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
