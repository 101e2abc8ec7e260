package sse_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gosse "github.com/tmaxmax/go-sse"

	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/sse"
)

// A viewer that reads again after it fell out of the window gets everything.
func TestSlowViewerIsServedFromTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("main")
		s := started(t, sse.Config{Reader: m, WindowEntries: 10, Ping: time.Hour})
		conn, _, _ := request(t, s, "")
		defer conn.Close()
		synctest.Wait()
		for i := range 500 {
			m.publish("message", "", fmt.Sprint(i))
		}
		time.Sleep(time.Second)
		next := 0
		for e, err := range gosse.Read(conn, nil) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Type != "" {
				continue
			}
			if e.Data != fmt.Sprint(next) {
				t.Fatalf("got %q, want %d", e.Data, next)
			}
			if next++; next == 500 {
				break
			}
		}
		if m.ranges.Load() < 2 {
			t.Error("nothing was read from the store: the test tests nothing")
		}
	})
}

// What is evicted before a slow viewer could read it is said to be missing.
func TestSlowViewerLearnsOfALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("main")
		s := started(t, sse.Config{Reader: m, WindowEntries: 10, Ping: time.Hour})
		conn, _, _ := request(t, s, "")
		defer conn.Close()
		next, stop := iter.Pull2(gosse.Read(conn, nil))
		defer stop()
		read := func(n int) (got []gosse.Event) {
			for range n {
				e, err, ok := next()
				if err != nil || !ok {
					t.Fatalf("the stream has ended: %v", err)
				}
				got = append(got, e)
			}
			return got
		}
		read(1)
		m.publish("message", "", "0")
		read(2)
		stuck := m.publish("message", "", "1")
		time.Sleep(time.Second) // its write is stuck
		song := m.publish("song", "jazz", "on air")
		for i := range 500 {
			m.publish("message", "", fmt.Sprint(i+2))
		}
		synctest.Wait()
		m.evict(400)
		want := []string{"", "wall:gap", "wall:kind", "song", ""}
		got := read(len(want))
		for i, e := range got {
			if e.Type != want[i] {
				t.Fatalf("event %d is %+v, want %q", i, e, want[i])
			}
		}
		gap := fmt.Sprintf(`{"from":%q,"first":"e1-400","reason":"expired"}`, stuck)
		if e := got[1]; e.LastEventID != stuck.String() || e.Data != gap {
			t.Errorf("got %+v, want the id %s and %s", e, stuck, gap)
		}
		if e := got[3]; e.LastEventID != song.String() {
			t.Errorf("got %+v, want the surviving card %s", e, song)
		}
		if e := got[4]; e.LastEventID != "e1-400" {
			t.Errorf("the history goes on with %s, want e1-400", e.LastEventID)
		}
	})
}

// What is evicted before the process has read it is said to be missing, too.
func TestReaderLearnsOfALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("main")
		s := started(t, sse.Config{Reader: m, Ping: time.Hour})
		events, _ := attend(t, s, "")
		synctest.Wait()
		m.publish("message", "", "0")
		synctest.Wait()
		m.setAway(true)
		synctest.Wait()
		m.publish("song", "jazz", "on air")
		m.publish("message", "", "lost")
		last := m.publish("message", "", "held")
		m.evict(last.Seq)
		time.Sleep(time.Minute)
		m.setAway(false)
		time.Sleep(time.Minute)
		var got []string
		for _, e := range events()[3:] {
			got = append(got, e.Type+" "+e.LastEventID)
		}
		want := []string{"wall:gap e1-1", "wall:kind e1-1", "song e1-2", " e1-4"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		m.publish("message", "", "more")
		m.evict(5)
		if got := events(); got[len(got)-1].Data != "more" {
			t.Errorf("after the loss came %v", got[len(got)-1])
		}
	})
}

func TestReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("main")
		s := started(t, sse.Config{Reader: m})
		m.publish("message", "", "old")
		events, _ := attend(t, s, "?last=1")
		synctest.Wait()
		m.reset("e2")
		m.publish("message", "", "new")
		time.Sleep(time.Second)
		got := events()
		last := got[len(got)-1]
		if last.Type != "wall:bye" || !strings.Contains(last.Data, `"reset"`) || last.LastEventID != "e1-1" {
			t.Fatalf("the stream ends with %+v", last)
		}
		events, _ = attend(t, s, "?lastEventId="+last.LastEventID)
		got = events()
		if len(got) != 3 || got[1].Type != "wall:gap" || !strings.Contains(got[1].Data, "recreated") || got[2].LastEventID != "e2-1" {
			t.Errorf("who comes back gets %v", got)
		}
	})
}

func TestStoreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("main")
		m.setAway(true)
		s := started(t, sse.Config{Reader: m, Ping: time.Hour})
		events, _ := attend(t, s, "")
		time.Sleep(time.Second)
		if got := events(); len(got) != 1 || got[0].Type != "wall:bye" || got[0].LastEventID != "" || !strings.Contains(got[0].Data, "unavailable") {
			t.Fatalf("with the store away a viewer gets %v", got)
		}
		m.setAway(false)
		time.Sleep(10 * time.Second)
		events, _ = attend(t, s, "")
		synctest.Wait()

		// Away while somebody watches: the stream stays, and goes on without a seam.
		m.setAway(true)
		time.Sleep(20 * time.Second)
		late, _ := attend(t, s, "")
		time.Sleep(time.Second)
		if got := late(); len(got) != 1 || got[0].Type != "wall:bye" {
			t.Errorf("with the store away a viewer gets %v", got)
		}
		m.publish("message", "", "0")
		m.publish("message", "", "1")
		m.setAway(false)
		time.Sleep(10 * time.Second)
		m.publish("message", "", "2")
		got := named(events(), "")
		if len(got) != 3 || got[2].Data != "2" {
			t.Errorf("after the store's absence came %v", got)
		}
	})
}

func TestConnectsShareQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &counting{memory: newMemory("main")}
		s := started(t, sse.Config{Reader: m})
		first, _ := attend(t, s, "")
		time.Sleep(time.Second)
		first()
		asked := m.states.Load()
		for range 500 {
			attend(t, s, "")
		}
		time.Sleep(time.Second)
		if n := m.states.Load() - asked; n > 10 {
			t.Errorf("500 viewers asked the store %d times", n)
		}
	})
}

// A viewer that knows of an event must not be answered from what was asked before.
func TestAnswersAreNotOlderThanQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &counting{memory: newMemory("main")}
		s := started(t, sse.Config{Reader: m})
		attend(t, s, "")
		time.Sleep(time.Second)
		attend(t, s, "")
		time.Sleep(10 * time.Millisecond)
		id := m.publish("message", "", "0")
		events, _ := attend(t, s, "?lastEventId="+id.String())
		time.Sleep(time.Second)
		if got := named(events(), "wall:gap"); len(got) != 0 {
			t.Errorf("got %v, want no gap", got)
		}
	})
}

// What the store has acknowledged is there for who connects next, also when the
// reader has yet to get it.
func TestViewersWaitForTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &lagging{newMemory("main")}
		s := started(t, sse.Config{Reader: m})
		attend(t, s, "")
		time.Sleep(time.Second)
		m.publish("message", "", "0")
		m.publish("message", "", "1")
		events, _ := attend(t, s, "?last=1")
		snap, err := s.Snapshot(t.Context(), "main", 1, nil)
		if err != nil || len(snap.Events) != 1 || string(snap.Events[0].Data) != "1" || snap.Head.Seq != 2 {
			t.Errorf("the snapshot is %+v, %v", snap, err)
		}
		time.Sleep(time.Second)
		if got := named(events(), ""); len(got) != 1 || got[0].Data != "1" {
			t.Errorf("?last=1 gave %v", got)
		}
	})
}

// lagging is a memory whose Follow takes its time.
type lagging struct{ *memory }

func (l *lagging) Follow(ctx context.Context, wall string, after uint64) iter.Seq2[stream.Event, error] {
	return func(yield func(stream.Event, error) bool) {
		for e, err := range l.memory.Follow(ctx, wall, after) {
			time.Sleep(100 * time.Millisecond)
			if !yield(e, err) {
				return
			}
		}
	}
}

func TestWindowIsBoundedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("main")
		s := started(t, sse.Config{Reader: m, WindowBytes: 50_000})
		attend(t, s, "") // from here on each event counts twice, with its block
		synctest.Wait()
		for range 100 {
			m.publish("message", "", strings.Repeat("x", 1000))
			time.Sleep(10 * time.Millisecond)
		}
		ranges := m.ranges.Load()
		for asked, fromStore := range map[int]bool{85: false, 78: false, 70: true, 30: true} {
			events, leave := attend(t, s, fmt.Sprintf("?lastEventId=e1-%d", asked))
			time.Sleep(time.Second)
			if n := len(named(events(), "")); n != 100-asked {
				t.Errorf("after %d came %d events", asked, n)
			}
			if n := m.ranges.Load(); n > ranges != fromStore {
				t.Errorf("after %d: read from the store: %v, want %v", asked, n > ranges, fromStore)
			}
			ranges = m.ranges.Load()
			leave()
		}
	})
}

// counting is a memory whose State takes a while.
type counting struct {
	*memory
	states atomic.Int64
}

func (c *counting) State(ctx context.Context, wall string) (stream.State, error) {
	c.states.Add(1)
	st, err := c.memory.State(ctx, wall)
	time.Sleep(20 * time.Millisecond)
	return st, err
}

// Viewers that come back with the same id read the store together.
func TestViewersShareHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &slowReading{newMemory("main")}
		for i := range 1500 {
			m.publish("message", "", fmt.Sprint(i))
		}
		s := started(t, sse.Config{Reader: m, WindowEntries: 10, Ping: time.Hour})
		attend(t, s, "")
		time.Sleep(10 * time.Second)
		before := m.ranges.Load()
		var viewers []func() []timed
		for range 300 {
			events, _ := attend(t, s, "?lastEventId=e1-0")
			viewers = append(viewers, events)
		}
		time.Sleep(10 * time.Second)
		for _, events := range viewers {
			got := named(events(), "")
			if len(got) != 1500 || got[0].Data != "0" || got[1499].Data != "1499" {
				t.Fatalf("a viewer got %d events, want 1500", len(got))
			}
		}
		if n := m.ranges.Load() - before; n > 10 {
			t.Errorf("300 viewers read two stretches from the store in %d readings", n)
		}
	})
}

// slowReading is a memory whose Range takes a while.
type slowReading struct{ *memory }

func (r *slowReading) Range(ctx context.Context, wall string, after, through uint64) iter.Seq2[stream.Event, error] {
	return func(yield func(stream.Event, error) bool) {
		time.Sleep(20 * time.Millisecond)
		r.memory.Range(ctx, wall, after, through)(yield)
	}
}

// Viewers that come back with ids that lie near each other do so too.
func TestViewersShareOverlappingHistory(t *testing.T) {
	for _, test := range []struct {
		name            string
		events, viewers int
		payload         int
		readings        int64 // at most
	}{{"small events", 1500, 300, 10, 12}, {"a few events are much", 120, 30, 30_000, 300}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &slowReading{newMemory("main")}
				n := test.events
				for i := range n {
					m.publish("message", "", fmt.Sprintf("%d %0*d", i, test.payload, 0))
				}
				s := started(t, sse.Config{Reader: m, WindowEntries: 10, Ping: time.Hour})
				attend(t, s, "")
				time.Sleep(10 * time.Second)
				before := m.ranges.Load()
				var viewers []func() []timed
				for i := range test.viewers {
					events, _ := attend(t, s, fmt.Sprint("?lastEventId=e1-", i))
					viewers = append(viewers, events)
					if i%100 == 0 { // while others are being served
						time.Sleep(10 * time.Millisecond)
					}
				}
				time.Sleep(2 * time.Minute)
				for first, events := range viewers {
					got := named(events(), "")
					if len(got) != n-first {
						t.Fatalf("the viewer that had %d of %d events got %d", first, n, len(got))
					}
					for i, e := range got {
						if want := fmt.Sprint("e1-", first+i+1); e.LastEventID != want {
							t.Fatalf("the viewer that had %d events got %s, want %s", first, e.LastEventID, want)
						}
					}
				}
				if reads := m.ranges.Load() - before; reads > test.readings {
					t.Errorf("%d viewers caused %d readings of the store, want at most %d", test.viewers, reads, test.readings)
				}
			})
		})
	}
}
