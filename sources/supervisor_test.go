package sources_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/sourcetest"
	"github.com/wallcast/wallcast/stream"
)

// runs is a Source made of a function.
type runs func(ctx context.Context, out sources.Output) error

func (r runs) Run(ctx context.Context, out sources.Output) error { return r(ctx, out) }

var main = stream.Subject{Wall: "main"}

// count emits 1, 2, 3 … one a second, going on from its cursor.
func count(ctx context.Context, out sources.Output) error {
	var n int
	if c := out.Cursor(); c != nil {
		if err := json.Unmarshal(c, &n); err != nil {
			return err
		}
	}
	for {
		n++
		text := fmt.Sprint(n)
		if err := out.Emit(ctx, sources.Event{Data: []byte(text), Cursor: json.RawMessage(text)}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func idle(ctx context.Context, _ sources.Output) error {
	<-ctx.Done()
	return ctx.Err()
}

// supervise runs instances in a bubble; stop ends them.
func supervise(t *testing.T, store sources.Store, log *slog.Logger, instances ...sources.Instance) (s *sources.Supervisor, stop func()) {
	t.Helper()
	s = sources.NewSupervisor(store, log)
	if err := s.Apply(instances); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	return s, func() {
		cancel()
		<-done
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func status(t *testing.T, s *sources.Supervisor, name string) sources.Status {
	t.Helper()
	for _, st := range s.Status() {
		if st.Name == name {
			return st
		}
	}
	t.Fatalf("no status of %q in %+v", name, s.Status())
	return sources.Status{}
}

func TestSourceGoesOnFromItsCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sourcetest.NewStore()
		for range 3 {
			_, stop := supervise(t, store, quiet(), sources.Instance{Name: "a", Source: runs(count), To: main})
			time.Sleep(2500 * time.Millisecond)
			stop()
		}
		if got, want := strings.Join(store.Data(), " "), "1 2 3 4 5 6 7 8 9"; got != want {
			t.Errorf("stored %s, want %s", got, want)
		}
	})
}

func TestFailureIsRunAgainWithBackoffAndStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var began []time.Time
		fails := runs(func(ctx context.Context, out sources.Output) error {
			began = append(began, time.Now())
			if len(began) < 5 {
				return fmt.Errorf("attempt %d went wrong", len(began))
			}
			return idle(ctx, out)
		})
		s, stop := supervise(t, sourcetest.NewStore(), quiet(), sources.Instance{Name: "a", Type: "test", Source: fails, To: main})
		defer stop()
		synctest.Wait()
		if got := status(t, s, "a"); got.State != sources.BackingOff || got.LastError != "attempt 1 went wrong" {
			t.Errorf("after the first failure: %+v", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		got := status(t, s, "a")
		if got.State != sources.Running || got.Restarts != 4 || got.Type != "test" || got.LastError != "attempt 4 went wrong" {
			t.Errorf("status %+v", got)
		}
		for i, least := 1, 500*time.Millisecond; i < len(began); i, least = i+1, least*2 {
			if wait := began[i].Sub(began[i-1]); wait < least || wait > 2*least {
				t.Errorf("wait %d was %v, want %v to %v", i, wait, least, 2*least)
			}
		}
	})
}

func TestBackoffStartsAgainAfterHealthyRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended, began []time.Time
		fails := runs(func(context.Context, sources.Output) error {
			began = append(began, time.Now())
			if len(began) == 6 {
				time.Sleep(2 * time.Minute) // well for a while
			}
			ended = append(ended, time.Now())
			return errors.New("oh")
		})
		_, stop := supervise(t, sourcetest.NewStore(), quiet(), sources.Instance{Name: "a", Source: fails, To: main})
		defer stop()
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if wait := began[5].Sub(ended[4]); wait < 8*time.Second {
			t.Errorf("the fifth wait was %v", wait)
		}
		if wait := began[6].Sub(ended[5]); wait > time.Second {
			t.Errorf("after a healthy run the wait was %v", wait)
		}
	})
}

func TestPanicIsAnErrorWithoutStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged strings.Builder
		panics := runs(func(context.Context, sources.Output) error { panic("lost my head") })
		s, stop := supervise(t, sourcetest.NewStore(), slog.New(slog.NewTextHandler(&logged, nil)),
			sources.Instance{Name: "a", Source: panics, To: main},
			sources.Instance{Name: "b", Source: runs(count), To: main})
		synctest.Wait()
		got := status(t, s, "a")
		if got.State != sources.BackingOff || !strings.Contains(got.LastError, "lost my head") || strings.Contains(got.LastError, ".go") {
			t.Errorf("status %+v", got)
		}
		if status(t, s, "b").State != sources.Running {
			t.Error("another source does not run")
		}
		stop()
		if !strings.Contains(logged.String(), "supervisor_test.go") {
			t.Errorf("no stack in the log:\n%s", &logged)
		}
	})
}

func TestDoneAndStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times int
		ends := runs(func(ctx context.Context, out sources.Output) error {
			times++
			return out.Emit(ctx, sources.Event{Data: []byte("all there is")})
		})
		s, stop := supervise(t, sourcetest.NewStore(), quiet(), sources.Instance{Name: "a", Source: ends, To: main})
		time.Sleep(time.Hour)
		if got := status(t, s, "a"); got.State != sources.Done || got.Events != 1 || got.LastEvent.IsZero() || times != 1 {
			t.Errorf("status %+v after %d runs", got, times)
		}
		stop()
		if got := status(t, s, "a"); got.State != sources.Stopped {
			t.Errorf("status %+v", got)
		}
	})
}

func TestApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := map[string]*atomic.Int32{"same": {}, "changed": {}, "gone": {}, "new": {}}
		var active atomic.Int32
		one := func(name, version string) sources.Instance {
			return sources.Instance{Name: name, Version: version, To: main, Source: runs(func(ctx context.Context, out sources.Output) error {
				log[name].Add(1)
				if name == "changed" {
					if active.Add(1) > 1 {
						t.Error("two versions run at once")
					}
					defer active.Add(-1)
				}
				<-ctx.Done()
				time.Sleep(3 * time.Second) // slow to stop
				return ctx.Err()
			})}
		}
		s, stop := supervise(t, sourcetest.NewStore(), quiet(), one("same", "1"), one("changed", "1"), one("gone", "1"))
		defer stop()
		synctest.Wait()
		for range 2 { // the second while the first is not through
			if err := s.Apply([]sources.Instance{one("new", "1"), one("same", "1"), one("changed", "2")}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		var names []string
		for _, st := range s.Status() {
			names = append(names, st.Name+" "+string(st.State))
		}
		if want := []string{"changed running", "new running", "same running"}; !slices.Equal(names, want) {
			t.Errorf("status %q, want %q", names, want)
		}
		for name, want := range map[string]int32{"same": 1, "changed": 2, "gone": 1, "new": 1} {
			if got := log[name].Load(); got != want {
				t.Errorf("%s ran %d times, want %d", name, got, want)
			}
		}
		for _, bad := range [][]sources.Instance{
			{one("same", "1"), one("same", "2")},
			{{Name: "Bad Name", Source: runs(idle), To: main}},
			{{Name: "a", Source: runs(idle)}},
			{{Name: "a", To: main}},
		} {
			if err := s.Apply(bad); err == nil {
				t.Errorf("no error for %+v", bad)
			}
		}
		if len(s.Status()) != 3 {
			t.Error("a refused Apply has changed something")
		}
	})
}

func TestOneProcessRunsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sourcetest.NewStore()
		i := sources.Instance{Name: "a", Source: runs(count), To: main}
		one, stopOne := supervise(t, store, quiet(), i)
		synctest.Wait()
		two, stopTwo := supervise(t, store, quiet(), i)
		time.Sleep(3500 * time.Millisecond)
		if a, b := status(t, one, "a").State, status(t, two, "a").State; a != sources.Running || b != sources.Waiting {
			t.Errorf("states %s and %s", a, b)
		}
		store.Lose("a")
		time.Sleep(3 * time.Second)
		if a, b := status(t, one, "a"), status(t, two, "a").State; a.State != sources.Waiting || b != sources.Running || !strings.Contains(a.LastError, "lease") {
			t.Errorf("after the lease was lost: %+v and %s", a, b)
		}
		stopTwo()
		time.Sleep(3 * time.Second)
		stopOne()
		for n, data := range store.Data() {
			if data != fmt.Sprint(n+1) {
				t.Fatalf("stored %q", store.Data())
			}
		}
	})
}
