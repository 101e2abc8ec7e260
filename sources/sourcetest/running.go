package sourcetest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources"
)

// patience is how long a Running is waited for.
const patience = 20 * time.Second

// Running is one source under a supervisor, as a program runs it. The methods
// that wait fail the test after 20 seconds, with the source's status and what
// is stored; the test's own goroutine calls them. Within a bubble of
// testing/synctest they wait in its time.
type Running struct {
	Store *Store

	t          *testing.T
	supervisor *sources.Supervisor
	stop       context.CancelFunc
	ended      chan struct{} // closed when the supervisor has returned
}

// Make makes a source of settings, as a program does that has just started. The
// network that env lacks is the standard library's.
func Make(t *testing.T, s sources.Settings, env sources.Env) sources.Source {
	t.Helper()
	src, err := s.Source(env.Complete())
	if err != nil {
		t.Fatalf("Source: %v", err)
	}
	return src
}

// Start runs a source until Stop or the test's end. A source that is started on
// the store of one before, under the same name, goes on where that was stopped.
func Start(t *testing.T, store *Store, i sources.Instance) *Running {
	t.Helper()
	supervisor := sources.NewSupervisor(store, slog.New(slog.DiscardHandler))
	if err := supervisor.Apply([]sources.Instance{i}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &Running{Store: store, t: t, supervisor: supervisor, stop: cancel, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		supervisor.Run(ctx)
	}()
	t.Cleanup(r.Stop)
	return r
}

// Stop tells the source to end and waits until it has. It may be called again.
func (r *Running) Stop() {
	r.stop()
	<-r.ended
}

// Status returns the source's status.
func (r *Running) Status() sources.Status { return r.supervisor.Status()[0] }

// Await waits for something that nothing announces; what says it in the failure.
func (r *Running) Await(what string, ok func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: not so after %v; %+v, stored %q", what, patience, r.Status(), r.Store.Data())
		}
	}
}

// AwaitData waits until as many payloads as want are stored and compares all.
func (r *Running) AwaitData(want ...string) {
	r.t.Helper()
	r.awaitStored(r.Store.Data, want)
}

// AwaitEvents waits until as many events as want are stored and compares all,
// each as "kind[.key] payload". The source's wall is main.
func (r *Running) AwaitEvents(want ...string) {
	r.t.Helper()
	r.awaitStored(func() []string {
		var all []string
		for _, d := range r.Store.Drafts() {
			all = append(all, strings.TrimPrefix(d.Subject.String(), "wall.main.")+" "+string(d.Data))
		}
		return all
	}, want)
}

func (r *Running) awaitStored(stored func() []string, want []string) {
	r.t.Helper()
	r.Await(fmt.Sprintf("want %q", want), func() bool { return len(stored()) >= len(want) })
	if got := stored(); !slices.Equal(got, want) {
		r.t.Errorf("stored\n\t%q\nwant\n\t%q", got, want)
	}
}

// AwaitWarning waits for a warning in the status that holds part; with "", until
// there is none.
func (r *Running) AwaitWarning(part string) {
	r.t.Helper()
	r.Await(fmt.Sprintf("want the warning %q", part), func() bool {
		w := r.Status().Warning
		return part == "" && w == "" || part != "" && strings.Contains(w, part)
	})
}

// AwaitCheckpoint waits until the source's position is saved apart from events.
func (r *Running) AwaitCheckpoint() {
	r.t.Helper()
	r.Await("want a checkpoint", func() bool { return len(r.Store.Checkpoints()) > 0 })
}
