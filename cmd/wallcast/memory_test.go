package main

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestGiveMemoryBack holds that memory is given back once after viewers have come
// in numbers, and once after they have gone, and not while they do.
func TestGiveMemoryBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var viewers, released atomic.Int64
		go giveMemoryBack(ctx, func() int { return int(viewers.Load()) }, func() { released.Add(1) })
		for _, step := range []struct {
			what    string
			viewers []int64 // one look each
			want    int64   // releases so far
		}{
			{"few come", []int64{10, 300, 300, 300}, 0},
			{"many come", []int64{1000, 2000, 5000, 9000}, 0},
			{"all have come", []int64{9010, 9010, 9015, 9012}, 1},
			{"some go", []int64{8900, 8700, 8700, 8700}, 1},
			{"many go", []int64{6000, 3000, 100}, 1},
			{"all have gone", []int64{60, 50, 50, 0, 0}, 2},
		} {
			for _, now := range step.viewers {
				viewers.Store(now)
				time.Sleep(memoryLook)
				synctest.Wait()
			}
			if got := released.Load(); got != step.want {
				t.Errorf("%s: memory was given back %d times, want %d", step.what, got, step.want)
			}
		}
	})
}
