package sources_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/sourcetest"
	"github.com/wallcast/wallcast/stream"
)

// makes is a Transform made of a function.
type makes func(e sources.Event) ([]sources.Event, error)

func (m makes) Transform(_ context.Context, e sources.Event) ([]sources.Event, error) { return m(e) }

// copies makes as many events of each as its payload says behind the colon; a
// number below zero is an error.
var copies = makes(func(e sources.Event) ([]sources.Event, error) {
	name, times, _ := strings.Cut(string(e.Data), ":")
	n, err := strconv.Atoi(times)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("%s can't be made", name)
	}
	var made []sources.Event
	for i := range n {
		m := e
		m.Data = fmt.Appendf(nil, "%s.%d", name, i+1)
		made = append(made, m)
	}
	return made, nil
})

// list emits texts, going on from its cursor, and then waits.
func list(texts []string, event func(i int, text string) sources.Event) runs {
	return func(ctx context.Context, out sources.Output) error {
		next := 0
		if c := out.Cursor(); c != nil {
			var cursor struct{ Next int }
			if err := json.Unmarshal(c, &cursor); err != nil || cursor.Next == 0 {
				return fmt.Errorf("the cursor %s is not the source's own", c)
			}
			next = cursor.Next
		}
		for i := next; i < len(texts); i++ {
			e := event(i, texts[i])
			if e.Cursor == nil {
				e.Cursor = json.RawMessage(fmt.Sprintf(`{"Next": %d}`, i+1))
			}
			err := out.Emit(ctx, e)
			var one *sources.EventError
			if errors.As(err, &one) {
				out.Warn(fmt.Errorf("skipping number %d: %w", i, err))
			} else if err != nil {
				return err
			}
		}
		return idle(ctx, out)
	}
}

func plain(_ int, text string) sources.Event { return sources.Event{Data: []byte(text)} }

// mortal is a store whose process dies at a write: that one is done or not, and
// nothing after it.
type mortal struct {
	*sourcetest.Store
	done bool // the write at which it dies

	mu   sync.Mutex
	left int // writes until then
	dead chan struct{}
}

func (m *mortal) write(ctx context.Context, f func() error) error {
	m.mu.Lock()
	m.left--
	left := m.left
	var err error
	if left > 0 || left == 0 && m.done {
		err = f()
	}
	if left == 0 {
		close(m.dead)
	}
	m.mu.Unlock()
	if left > 0 {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (m *mortal) Publish(ctx context.Context, d stream.Draft) (r stream.Receipt, err error) {
	err = m.write(ctx, func() error { r, err = m.Store.Publish(ctx, d); return err })
	return r, err
}

func (m *mortal) Hold(ctx context.Context, d stream.Draft) (r stream.Receipt, err error) {
	err = m.write(ctx, func() error { r, err = m.Store.Hold(ctx, d); return err })
	return r, err
}

func (m *mortal) Checkpoint(ctx context.Context, mark stream.Mark, at map[string]stream.ID) error {
	return m.write(ctx, func() error { return m.Store.Checkpoint(ctx, mark, at) })
}

// A process that is killed at any write, again and again, stores what is made of
// each event once and in order.
func TestMadeOfEachIsStoredOnceWhateverIsCut(t *testing.T) {
	var looks atomic.Int64
	for seed := range uint64(6) {
		random := rand.New(rand.NewPCG(seed, 1))
		var texts, want []string
		for i := range 9 {
			n := random.IntN(5)
			texts = append(texts, fmt.Sprintf("%d:%d", i, n))
			for k := range n {
				want = append(want, fmt.Sprintf("%d.%d", i, k+1))
			}
		}
		for _, variant := range []struct {
			name  string
			event func(int, string) sources.Event
			hold  bool
		}{
			{"cursors", plain, false},
			{"ids and cursors", func(i int, text string) sources.Event {
				return sources.Event{Data: []byte(text), ID: fmt.Sprint("delivery-", i)}
			}, false},
			{"held", plain, true},
			{"cursors that are never the same", func(i int, text string) sources.Event {
				looks.Add(1)
				return sources.Event{Data: []byte(text), Cursor: json.RawMessage(fmt.Sprintf(`{"Next": %d, "Look": %d}`, i+1, looks.Load()))}
			}, false},
		} {
			for cut := 1; cut <= len(want)+2; cut++ {
				for _, done := range []bool{true, false} {
					if cut == 1 && !done {
						continue // it would never get further
					}
					name := fmt.Sprintf("%s, seed %d, cut at %d, done %v", variant.name, seed, cut, done)
					synctest.Test(t, func(t *testing.T) {
						store := sourcetest.NewStore()
						i := sources.Instance{
							Name: "a", To: main, Source: list(texts, variant.event), Transform: copies, Hold: variant.hold,
						}
						for lives, killed := 0, true; killed; lives++ {
							if lives > 3*len(texts)+3*len(want) {
								t.Fatalf("%s: it gets nowhere: %q", name, store.Data())
							}
							m := &mortal{Store: store, done: done, left: cut, dead: make(chan struct{})}
							_, stop := supervise(t, m, quiet(), i)
							select {
							case <-m.dead:
							case <-time.After(time.Minute):
								killed = false
							}
							stop()
						}
						drafts := store.Drafts()
						if variant.hold {
							drafts = store.Held()
						}
						var got []string
						for _, d := range drafts {
							got = append(got, string(d.Data))
						}
						if !slices.Equal(got, want) {
							t.Fatalf("%s: stored\n\t%q\nwant\n\t%q", name, got, want)
						}
					})
				}
			}
		}
	}
}

func TestNothingMadeMovesTheCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sourcetest.NewStore()
		var texts []string
		for i := range 50 {
			texts = append(texts, fmt.Sprint(i, ":0"))
		}
		source := list(texts, plain)
		i := sources.Instance{Name: "a", To: main, Source: source, Transform: copies}
		s, stop := supervise(t, store, quiet(), i)
		time.Sleep(5 * time.Second)
		if got := status(t, s, "a"); got.Dropped != 50 || got.Events != 0 || got.Warning != "" {
			t.Errorf("status %+v", got)
		}
		saved := store.Checkpoints()
		if len(saved) == 0 || len(saved) > 3 || string(saved[len(saved)-1].Cursor) != `{"Next":50}` {
			t.Errorf("checkpoints %+v", saved)
		}
		stop()
		if len(store.Data()) != 0 {
			t.Errorf("stored %q", store.Data())
		}
	})
}

func TestTransformErrorConcernsOneEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sourcetest.NewStore()
		store.Before = func(d stream.Draft) error {
			if string(d.Data) == "d.2" {
				return stream.ErrTooLarge
			}
			return nil
		}
		i := sources.Instance{Transform: copies}
		texts := []string{"a:2", "b:-1", "c:1", "d:3"}
		st := emit(t, store, i, list(texts, plain))
		if got := strings.Join(store.Data(), " "); got != "a.1 a.2 c.1 d.1 d.3" {
			t.Errorf("stored %s", got)
		}
		if st.Unmade != 1 || !strings.Contains(st.Warning, "skipping number 3") || st.Restarts != 0 {
			t.Errorf("status %+v", st)
		}
		drafts := store.Drafts()
		if last := drafts[len(drafts)-1]; string(last.Mark.Cursor) != `{"Next":4}` {
			t.Errorf("the last mark is %+v", last.Mark)
		}
	})
}

// A transform that is cut short by the end of the program has not failed.
func TestStopDuringTransformSkipsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sourcetest.NewStore()
		slow := transformFunc(func(ctx context.Context, e sources.Event) ([]sources.Event, error) {
			if !sleep(ctx, time.Second) {
				return nil, ctx.Err()
			}
			return []sources.Event{e}, nil
		})
		i := sources.Instance{Name: "a", To: main, Source: list([]string{"one", "two", "three"}, plain), Transform: slow}
		for range 3 {
			_, stop := supervise(t, store, quiet(), i)
			time.Sleep(1500 * time.Millisecond)
			stop()
		}
		if got := strings.Join(store.Data(), " "); got != "one two three" {
			t.Errorf("stored %s", got)
		}
	})
}

type transformFunc func(ctx context.Context, e sources.Event) ([]sources.Event, error)

func (f transformFunc) Transform(ctx context.Context, e sources.Event) ([]sources.Event, error) {
	return f(ctx, e)
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func TestIdsOfWhatIsMade(t *testing.T) {
	i := sources.Instance{To: main, Transform: makes(func(e sources.Event) ([]sources.Event, error) {
		own := e
		own.ID = "own"
		return []sources.Event{e, e, own, e}, nil
	})}
	made, err := i.Made(t.Context(), sources.Event{ID: "x", Data: []byte("x"), Cursor: json.RawMessage("1"), About: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range made {
		ids = append(ids, m.ID)
		if m.Cursor != nil || m.About != nil {
			t.Errorf("made %+v", m)
		}
	}
	if got := strings.Join(ids, " "); got != "x x#2 own x#4" {
		t.Errorf("ids %s", got)
	}
}

// The configuration may lose its map between a crash and the next start.
func TestTransformTakenAwayAfterACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sourcetest.NewStore()
		i := sources.Instance{Name: "a", To: main, Source: list([]string{"a:3", "b:1"}, plain), Transform: copies}
		m := &mortal{Store: store, done: true, left: 2, dead: make(chan struct{})}
		_, stop := supervise(t, m, quiet(), i)
		<-m.dead
		stop()
		i.Transform = nil
		_, stop = supervise(t, store, quiet(), i)
		time.Sleep(time.Minute)
		stop()
		if got := strings.Join(store.Data(), " "); !strings.HasPrefix(got, "a.1 ") || !strings.HasSuffix(got, " b:1") {
			t.Errorf("stored %s", got)
		}
	})
}

func TestRateLetsEventsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sourcetest.NewStore()
		var texts []string
		for i := range 20 {
			texts = append(texts, fmt.Sprint(i))
		}
		i := sources.Instance{Name: "a", To: main, Source: list(texts, plain), Rate: sources.Rate{Events: 5, Per: time.Minute}}
		_, stop := supervise(t, store, quiet(), i)
		for _, step := range []struct {
			wait time.Duration
			want int
		}{{time.Second, 5}, {10 * time.Second, 5}, {2 * time.Second, 6}, {time.Minute, 11}, {time.Hour, 20}} {
			time.Sleep(step.wait)
			if got := len(store.Data()); got != step.want {
				t.Errorf("%v later %d events are stored, want %d", step.wait, got, step.want)
			}
		}
		stop()
		if !slices.Equal(store.Data(), texts) {
			t.Errorf("stored %q", store.Data())
		}
	})
}

func TestStopWhileWaitingForTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sourcetest.NewStore()
		i := sources.Instance{Name: "a", To: main, Source: list([]string{"1", "2"}, plain), Rate: sources.Rate{Events: 1, Per: time.Hour}}
		_, stop := supervise(t, store, quiet(), i)
		time.Sleep(time.Minute)
		began := time.Now()
		stop()
		if took := time.Since(began); took > time.Second {
			t.Errorf("stopping took %v", took)
		}
		if got := store.Data(); len(got) != 1 {
			t.Errorf("stored %q", got)
		}
	})
}

func TestHoldPublishesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sourcetest.NewStore()
		emit(t, store, sources.Instance{Hold: true}, list([]string{"1", "2"}, plain))
		if got := store.Data(); len(got) != 0 {
			t.Errorf("published %q", got)
		}
		held := store.Held()
		if len(held) != 2 || string(held[1].Data) != "2" || held[1].Subject.String() != "wall.main.message" {
			t.Errorf("held %+v", held)
		}
		saved := store.Checkpoints()
		if len(saved) == 0 || saved[len(saved)-1].Count != 2 {
			t.Errorf("checkpoints %+v", saved)
		}
	})
}
