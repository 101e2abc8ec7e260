package sse_test

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/sse"
)

// memories are several walls.
type memories map[string]*memory

func (m memories) State(ctx context.Context, wall string) (stream.State, error) {
	return m[wall].State(ctx, wall)
}

func (m memories) Cards(ctx context.Context, wall string) ([]stream.Event, error) {
	return m[wall].Cards(ctx, wall)
}

func (m memories) Range(ctx context.Context, wall string, after, through uint64) iter.Seq2[stream.Event, error] {
	return m[wall].Range(ctx, wall, after, through)
}

func (m memories) Follow(ctx context.Context, wall string, after uint64) iter.Seq2[stream.Event, error] {
	return m[wall].Follow(ctx, wall, after)
}

// on is the site with another wall.
func (s *site) on(wall string) *site {
	other := *s
	other.url = s.http.URL + "/walls/" + wall + "/events"
	return &other
}

// A wall whose cards take long to render holds up no other wall: neither with
// what happens, nor with what it replays.
func TestSlowCardsHoldUpNoOtherWall(t *testing.T) { inAllWays(t, checkSlowCards) }

func checkSlowCards(t *testing.T) {
	walls := memories{"main": newMemory("main"), "slow": newMemory("slow")}
	release := make(chan struct{})
	var rendering, rendered atomic.Int64
	s := serve(t, sse.Config{Reader: walls, Render: func(e stream.Event) ([]byte, error) {
		rendering.Add(1)
		<-release
		rendered.Add(1)
		return e.Data, nil
	}})
	goOn := sync.OnceFunc(func() { close(release) })
	t.Cleanup(goOn)
	slow := s.on("slow")
	var quick, live []*reader
	for range 4 { // more than there are writers
		r, _ := s.watch("", "")
		quick = append(quick, r)
		r, _ = slow.watch("?as=html", "")
		live = append(live, r)
	}
	first := walls["slow"].publish("message", "", "slow")
	eventually(t, "nothing is rendered", func() bool { return rendering.Load() > 0 })
	replayed := make(chan *reader)
	go func() {
		r := slow.watchRaw("?as=html&last=1", "")
		r.next()
		replayed <- r
	}()
	for _, data := range []string{"1", "2", "3"} {
		id := walls["main"].publish("message", "", data)
		began := time.Now()
		for _, r := range quick {
			for e := r.next(); e.LastEventID != id.String() || e.Type != ""; e = r.next() {
			}
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("beside a wall whose cards take long an event took %s", took)
		}
	}
	goOn()
	for _, r := range append(live, <-replayed) {
		if e := r.next(); e.Type == "wall:kind" {
			r.want("", first, "slow")
		} else if e.LastEventID != first.String() || e.Data != "slow" {
			t.Errorf("got %+v, want the card of %s", e, first)
		}
	}
	if n := rendered.Load(); n != 1 {
		t.Errorf("one card was rendered %d times", n)
	}
}
