package plugins_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

var errCut = errors.New("the process has been killed")

// cut is a store as it is for a process that is killed at its n-th write: just
// before it, or just after it.
type cut struct {
	bothStores
	after bool

	mu   sync.Mutex
	left int
	dead chan struct{}
}

func newCut(s bothStores, n int, after bool) *cut {
	return &cut{bothStores: s, after: after, left: n, dead: make(chan struct{})}
}

// write does one write unless the process is dead.
func (c *cut) write(do func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == 0 {
		return errCut
	}
	if c.left--; c.left > 0 {
		return do()
	}
	if c.after {
		_ = do()
	}
	close(c.dead)
	return errCut
}

func (c *cut) Publish(ctx context.Context, d stream.Draft) (r stream.Receipt, err error) {
	err = c.write(func() error { r, err = c.bothStores.Publish(ctx, d); return err })
	return r, err
}

func (c *cut) Checkpoint(ctx context.Context, m stream.Mark, at map[string]stream.ID) error {
	return c.write(func() error { return c.bothStores.Checkpoint(ctx, m, at) })
}

func (c *cut) DropWork(ctx context.Context, plugin string, w plugins.Work) error {
	return c.write(func() error { return c.bothStores.DropWork(ctx, plugin, w) })
}

func (c *cut) PutDead(ctx context.Context, plugin string, d plugins.Dead) (n uint64, err error) {
	err = c.write(func() error { n, err = c.bothStores.PutDead(ctx, plugin, d); return err })
	return n, err
}

func (c *cut) DropTick(ctx context.Context, plugin string, t plugins.Tick) error {
	return c.write(func() error { return c.bothStores.DropTick(ctx, plugin, t) })
}

// doubles makes two of each event.
type doubles struct{}

func (doubles) Transform(_ context.Context, e sources.Event) ([]sources.Event, error) {
	first, second := e, e
	second.Data = append(slices.Clone(e.Data), '\'')
	return []sources.Event{first, second}, nil
}

// Wherever a process is killed, each trigger's events are stored, once and in
// their order, and the plugin's cursor has counted each trigger once.
func TestKilledAtEveryWrite(t *testing.T) {
	s := store(t)
	three := program(func(_ context.Context, trigger plugins.Trigger, c plugins.Call) error {
		n := 0
		_, _ = fmt.Sscan(string(trigger.Cursor), &n) // null at first
		b := body(trigger)
		return printAll(c, `{"data":"`+b+`1"}`, fmt.Sprintf(`{"cursor":%d}`, n+1), `{"data":"`+b+`2"}`, fmt.Sprintf(`{"data":"%s3 %d"}`, b, n+1))
	})
	for name, test := range map[string]struct {
		change func(*sources.Instance)
		want   []string
	}{
		"plain":  {nil, []string{"a1", "a2", "a3 1", "b1", "b2", "b3 2", "c1", "c2", "c3 3"}},
		"mapped": {func(i *sources.Instance) { i.Transform = doubles{} }, []string{"a1", "a1'", "a2", "a2'", "a3 1", "a3 1'", "b1", "b1'", "b2", "b2'", "b3 2", "b3 2'", "c1", "c1'", "c2", "c2'", "c3 3", "c3 3'"}},
	} {
		t.Run(name, func(t *testing.T) {
			cuts := 0
			for n := 1; ; n++ {
				done := false
				for _, after := range []bool{false, true} {
					b := newBench(t, s, fmt.Sprintf("k-%s-%d-%t", name, n, after), three)
					b.instance = test.change
					killed := newCut(s, n, after)
					b.stores = killed
					b.fire("a", "b", "c")
					stop := b.start(nil)
					finished := make(chan struct{})
					go func() { b.idle(); close(finished) }()
					select {
					case <-killed.dead:
						cuts++
					case <-finished:
						done = true
					}
					stop()
					b.stores = s
					stop = b.start(nil)
					<-finished
					stop()
					b.equal(b.stored(), test.want...)
					if t.Failed() {
						t.Fatalf("killed at write %d, after it: %t", n, after)
					}
				}
				if done {
					break
				}
			}
			if cuts < 20 {
				t.Errorf("it was killed %d times only", cuts)
			}
		})
	}
}

// The same of events of a wall, some of which become dead letters, with several
// calls at once.
func TestKilledAtEveryWriteWhileListening(t *testing.T) {
	s := store(t)
	const events = 6
	listen := func(s *plugins.Settings) { s.On, s.Concurrency, s.Retries = "wall.other.message", 3, 0 }
	for n := 1; ; n++ {
		name := fmt.Sprintf("l-%d", n)
		poison := name + "-3"
		b := newBench(t, s, name, program(func(_ context.Context, trigger plugins.Trigger, c plugins.Call) error {
			var text string
			if data := occurrence(t, trigger).Data; len(data) > 2 {
				text = string(data[1 : len(data)-1])
			}
			if text == poison {
				return errExit
			}
			return printAll(c, `{"data":"`+text+` one"}`, `{"data":"`+text+` two"}`)
		}))
		stop := b.start(listen) // it is new to the wall
		until(t, "it listens", func() bool {
			mark, err := s.LastMark(t.Context(), name, []string{"main"})
			return err == nil && mark.Count > 0
		})
		stop()
		var want []string
		for i := range events {
			text := fmt.Sprintf("%s-%d", name, i)
			if _, err := s.Publish(t.Context(), stream.Draft{Subject: stream.Subject{Wall: "other", Kind: "message"}, Data: []byte(text)}); err != nil {
				t.Fatal(err)
			}
			if text != poison {
				want = append(want, text+" one", text+" two")
			}
		}
		killed := newCut(s, n, n%2 == 0)
		b.stores = killed
		stop = b.start(listen)
		all := make(chan struct{})
		go func() { b.wait(len(want)); close(all) }()
		survived := false
		select {
		case <-killed.dead:
		case <-all:
			survived = true
		}
		stop()
		b.stores = s
		stop = b.start(listen)
		<-all
		until(t, "the dead letter", func() bool {
			letters, err := s.DeadLetters(t.Context(), name, 10)
			return err == nil && len(letters) > 0
		})
		stop()
		got := b.stored()
		slices.Sort(got)
		b.equal(got, want...)
		letters, err := s.DeadLetters(t.Context(), name, 10)
		if err != nil || len(letters) != 1 {
			t.Errorf("%d dead letters, %v", len(letters), err)
		}
		if t.Failed() {
			t.Fatalf("killed at write %d", n)
		}
		if survived {
			if n < 10 {
				t.Errorf("it was killed %d times only", n-1)
			}
			return
		}
	}
}
