package main

import (
	"context"
	"time"
)

const (
	// memoryLook is between two looks at how many viewers there are.
	memoryLook = 2 * time.Second

	// manyViewers must have come or gone for their memory to be worth a collection.
	manyViewers = 500
)

// giveMemoryBack calls release once many viewers have come or gone and no more
// do, until ctx ends. What the HTTP server needed to let them in is garbage by
// then, twice as much as what they hold, and Go would collect it two minutes
// later, or when as much again was needed.
func giveMemoryBack(ctx context.Context, viewers func() int, release func()) {
	tick := time.NewTicker(memoryLook)
	defer tick.Stop()
	released, before := 0, 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := viewers()
		if distance(now, released) >= manyViewers && distance(now, before) < manyViewers/10 {
			release()
			released = now
		}
		before = now
	}
}

func distance(a, b int) int { return max(a, b) - min(a, b) }
