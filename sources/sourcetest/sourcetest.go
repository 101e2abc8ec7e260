// Package sourcetest is the conformance suite that every source must pass,
// built in or not.
//
// # Usage
//
//	func TestConformance(t *testing.T) {
//		sourcetest.Run(t, sourcetest.Case{
//			Type: file.Type,
//			Open: func(t *testing.T) sourcetest.Upstream { … },
//		})
//	}
//
// Open makes an upstream that is the test's own: a file in t.TempDir(), a server
// on a loopback port. The suite opens many, runs the source against each, cuts
// the run at every event in every way that a crash or a stop can, runs it again
// and holds what was stored against what the upstream had.
//
// # Store
//
// [Store] is a sources.Store in memory, for tests of what runs sources.
//
// # Running
//
// [Start] runs a source on a Store, under a supervisor, for tests of what the
// suite can't know of it:
//
//	r := sourcetest.Start(t, sourcetest.NewStore(), sources.Instance{
//		Name:   "news",
//		Source: sourcetest.Make(t, settings, sources.Env{Name: "news"}),
//		To:     stream.Subject{Wall: "main", Kind: "post"},
//	})
//	r.AwaitData("one", "two")
//	r.AwaitWarning("404 Not Found")
//	r.Stop()
package sourcetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wallcast/wallcast/sources"
)

// Case is a source and what it reads.
type Case struct {
	Type sources.Type

	// Open makes a new upstream that has at least three events.
	Open func(t *testing.T) Upstream

	// NoCursor is set for a source that keeps no cursor, as one that is pushed
	// to. It is not run again after a cut.
	NoCursor bool

	// Bubble runs every check in a bubble of testing/synctest, where waiting
	// takes no time: for a source that opens no connection.
	Bubble bool

	// Patience is how long the suite waits for an event or an end; zero means
	// ten seconds.
	Patience time.Duration

	// Idle is for how long the suite looks whether an event comes that should
	// not; zero means 300 ms.
	Idle time.Duration
}

// Upstream is what one run, or several with cuts between, reads from.
type Upstream struct {
	// Settings reach the upstream. The source emits Want and no more.
	Settings sources.Settings

	// Want are the payloads, in order.
	Want []string

	// Next, when set, makes Want[i] happen. It is called once for each i, after
	// Want[i-1] was stored. When it is nil, all of Want is there at the start.
	Next func(i int)

	// Deliveries are what was delivered to the hook of a sources.Receiver.
	Deliveries []sources.Delivery
}

// Run checks a source.
func Run(t *testing.T, c Case) {
	if c.Patience == 0 {
		c.Patience = 10 * time.Second
	}
	if c.Idle == 0 {
		c.Idle = 300 * time.Millisecond
	}
	t.Run("type", func(t *testing.T) { checkType(t, c.Type) })
	c.check(t, "emits all in order", c.emitsAll)
	c.check(t, "ends at once when it was stopped before", c.stopsBefore)
	c.check(t, "ends at once in the middle", c.stopsWithin)
	c.check(t, "returns the error of Emit", c.returnsError)
	c.check(t, "goes on after an EventError", c.goesOn)
	if c.NoCursor {
		return
	}
	for _, cut := range cuts {
		c.check(t, "resumes after "+cut.name, func(t *testing.T) { c.resumes(t, cut) })
	}
	c.check(t, "runs again", c.runsAgain)
	c.check(t, "bears a foreign cursor", c.foreignCursor)
}

func (c Case) check(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		if c.Bubble {
			synctest.Test(t, f)
			return
		}
		f(t)
	})
}

// session is one upstream and what was stored of it.
type session struct {
	Case
	Upstream
	*recorder
}

// open opens an upstream.
func (c Case) open(t *testing.T) *session {
	t.Helper()
	s := &session{c, c.Open(t), newRecorder(t)}
	if len(s.Want) < 3 {
		t.Fatalf("the upstream has %d events; the suite needs three", len(s.Want))
	}
	for _, d := range s.Deliveries {
		s.deliveries.put(hook, d)
	}
	s.until(len(s.Want))
	if s.Next != nil {
		s.stored = func(n int) {
			if n < len(s.Want) {
				s.Next(n)
			}
		}
		s.Next(0)
	}
	return s
}

// source makes the source as a program does that has just started.
func (s *session) source(t *testing.T) sources.Source {
	t.Helper()
	src, err := s.Settings.Source(sources.Env{Name: hook, Folder: t.TempDir()}.Complete())
	if err != nil {
		t.Fatalf("Source: %v", err)
	}
	return src
}

// run runs src until it returns by itself or reached is closed, and returns its
// error. It fails when the source takes too long or leaves a goroutine.
func (s *session) run(t *testing.T, src sources.Source) error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := s.begin(cancel)
	label, ended := runLabelled(ctx, src, out)
	select {
	case err := <-ended:
		checkGoroutines(t, label)
		return err
	case <-out.over:
	case <-time.After(s.Patience):
		t.Errorf("after %v %d of %d events are stored: %q", s.Patience, len(s.data()), len(s.Want), s.data())
	}
	cancel()
	select {
	case err := <-ended:
		checkGoroutines(t, label)
		return err
	case <-time.After(s.Patience):
		t.Fatalf("Run has not returned %v after it was told to, or after Emit returned an error", s.Patience)
		return nil
	}
}

// complete runs the source until all is stored, and looks whether more comes.
func (s *session) complete(t *testing.T, src sources.Source) {
	t.Helper()
	s.cut = nil
	if len(s.data()) == len(s.Want) {
		s.compare(t)
		return
	}
	if err := s.run(t, src); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	s.compare(t)
}

func (s *session) compare(t *testing.T) {
	t.Helper()
	if got := s.data(); !slices.Equal(got, s.Want) {
		t.Errorf("stored\n\t%q\nwant\n\t%q", got, s.Want)
	}
}

// atRest runs a source that has emitted all, which must emit nothing.
func (s *session) atRest(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), s.Idle)
	defer cancel()
	_, ended := runLabelled(ctx, s.source(t), s.begin(cancel))
	select {
	case <-ended:
	case <-time.After(s.Idle + s.Patience):
		t.Fatal("Run does not return")
	}
	if got := s.data(); len(got) > len(s.Want) {
		t.Errorf("with all stored, a further run emitted %q", got[len(s.Want):])
	}
}

func (c Case) emitsAll(t *testing.T) {
	s := c.open(t)
	s.complete(t, s.source(t))
	for i, e := range s.events {
		if e.Cursor == nil && !c.NoCursor {
			t.Errorf("event %d has no cursor", i)
		}
	}
	if !c.NoCursor {
		s.atRest(t)
	}
}

func (c Case) stopsBefore(t *testing.T) {
	s := c.open(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	label, ended := runLabelled(ctx, s.source(t), s.begin(cancel))
	select {
	case <-ended:
		checkGoroutines(t, label)
	case <-time.After(c.Patience):
		t.Fatal("Run does not return though its context had ended")
	}
}

func (c Case) stopsWithin(t *testing.T) {
	s := c.open(t)
	s.until(1)
	if err := s.run(t, s.source(t)); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v, want the context's error", err)
	}
}

var errStore = errors.New("sourcetest: the store said no")

func (c Case) returnsError(t *testing.T) {
	s := c.open(t)
	s.cut = func(n int) (bool, error) { return n != 2, errIf(n == 2, errStore) }
	if err := s.run(t, s.source(t)); !errors.Is(err, errStore) {
		t.Errorf("Emit returned %q, Run %v", errStore, err)
	}
	if s.calls > 2 {
		t.Errorf("Emit was called %d times after it had returned an error", s.calls-2)
	}
}

func (c Case) goesOn(t *testing.T) {
	s := c.open(t)
	s.cut = func(n int) (bool, error) {
		return n != 2, errIf(n == 2, &sources.EventError{Err: errStore})
	}
	s.until(len(s.Want) - 1)
	if next := s.stored; next != nil { // the upstream goes on though one event is refused
		s.refused = func() { next(s.calls) }
		s.stored = func(int) { next(s.calls) }
	}
	if err := s.run(t, s.source(t)); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	want := slices.Delete(slices.Clone(s.Want), 1, 2)
	if got := s.data(); !slices.Equal(got, want) {
		t.Errorf("stored\n\t%q\nwant all but the refused one\n\t%q", got, want)
	}
}

// cut is a way in which a run can end in the midst of an event.
type cut struct {
	name string
	keep bool  // the event is stored
	err  error // what Emit returns
	stop bool  // the context ends
}

var cuts = []cut{
	{name: "an event that was not stored", err: errStore},
	{name: "a lost acknowledgement", keep: true, err: errStore},
	{name: "a stop behind an event", keep: true, stop: true},
	{name: "a stop before an event is stored", err: context.Canceled, stop: true},
}

// resumes cuts every run at its event number every, until all is stored.
func (c Case) resumes(t *testing.T, cut cut) {
	most := len(c.Open(t).Want)
	for every := 1; every <= most; every++ {
		s := c.open(t)
		for range 2*most + 2 {
			s.cutAt(every, cut)
			before := len(s.data())
			err := s.run(t, s.source(t))
			if err == nil && len(s.data()) == before { // it has no more
				break
			}
			if t.Failed() || len(s.data()) >= len(s.Want) {
				break
			}
			if every == 1 && !cut.keep { // it would never get further
				break
			}
			s.respell(t)
		}
		s.complete(t, s.source(t))
		s.atRest(t)
		if t.Failed() {
			t.Fatalf("cut at every event number %d", every)
		}
	}
}

// runsAgain runs one Source twice, as the supervisor does.
func (c Case) runsAgain(t *testing.T) {
	s := c.open(t)
	src := s.source(t)
	s.cutAt(2, cut{err: errStore})
	if err := s.run(t, src); !errors.Is(err, errStore) {
		t.Errorf("Run: %v", err)
	}
	s.complete(t, src)
}

// foreignCursor gives the source cursors that it never made. What it does about
// them is its own affair, as long as it returns when it is told to.
func (c Case) foreignCursor(t *testing.T) {
	for _, foreign := range []string{`null`, `"x"`, `[]`, `{}`, `-1`, `{"path":7,"offset":-1}`, `1e400`} {
		s := c.open(t)
		s.cursor = json.RawMessage(foreign)
		ctx, cancel := context.WithTimeout(context.Background(), c.Idle/3)
		label, ended := runLabelled(ctx, s.source(t), s.begin(cancel))
		select {
		case <-ended:
			checkGoroutines(t, label)
		case <-time.After(c.Patience):
			t.Fatalf("Run does not return with the cursor %s", foreign)
		}
		cancel()
	}
}

func errIf(is bool, err error) error {
	if is {
		return err
	}
	return nil
}

// respell writes the cursor differently, as a store may: the JSON value counts.
func (s *session) respell(t *testing.T) {
	t.Helper()
	if s.cursor == nil {
		return
	}
	var value any
	dec := json.NewDecoder(bytes.NewReader(s.cursor))
	dec.UseNumber()
	if err := dec.Decode(&value); err != nil {
		t.Fatalf("the cursor %s: %v", s.cursor, err)
	}
	spelled, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		t.Fatal(fmt.Errorf("the cursor %s: %w", s.cursor, err))
	}
	s.cursor = spelled
}
