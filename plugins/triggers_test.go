package plugins_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/stream"
)

func TestOnAnswersOtherEventsAndNotItsOwn(t *testing.T) {
	s := store(t)
	ready := make(chan struct{})
	b := newBench(t, s, "answer", program(func(_ context.Context, trigger plugins.Trigger, c plugins.Call) error {
		var e plugins.Occurrence
		if err := json.Unmarshal(trigger.Input, &e); err != nil {
			return err
		}
		if string(e.Data) == `"ready?"` {
			select {
			case <-ready:
			default:
				close(ready)
			}
			return nil
		}
		return printAll(c, fmt.Sprintf(`{"data":{"text":"re %s.%s %s","was":%s}}`, e.Kind, e.Key, e.Source, e.Data))
	}))
	say := func(subject, data, source string, hops int) {
		t.Helper()
		parsed, err := stream.ParseSubject(subject)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Publish(t.Context(), stream.Draft{Subject: parsed, Data: []byte(data), Source: source, Hops: hops}); err != nil {
			t.Fatal(err)
		}
	}
	listen := func(s *plugins.Settings) { s.On = "wall.main.>" }
	say("wall.main.message", "from before the plugin was there", "", 0)
	stop := b.start(listen)
	awaitReady := func() {
		t.Helper()
		for {
			say("wall.main.message", "ready?", "", 0)
			select {
			case <-ready:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	awaitReady()
	say("wall.main.song.jazz", `{"title":"So What"}`, "station", 0)
	say("wall.other.message", "of another wall", "", 0)
	say("wall.main.message", "pretends", "answer", 0) // a name alone proves nothing
	say("wall.main.message", "seventh", "plugin", 7)
	say("wall.main.message", "eighth", "plugin", 8)
	b.equal(b.wait(3), `{"text":"re song.jazz station","was":{"title":"So What"}}`, `{"text":"re message. answer","was":"pretends"}`, `{"text":"re message. plugin","was":"seventh"}`)
	until(t, "the chain's end is reported", func() bool { return b.hasSaid("answer each other") })
	stop()
	say("wall.main.message", "while it was away", "", 0)
	b.start(listen)
	say("wall.main.message", "last", "", 0)
	b.equal(b.wait(5)[3:], `{"text":"re message. ","was":"while it was away"}`, `{"text":"re message. ","was":"last"}`)
	if got := len(b.stored()); got != 5 {
		t.Errorf("%d answers, want 5", got)
	}
}

func TestTwoPluginsThatAnswerEachOtherAreCut(t *testing.T) {
	s := store(t)
	for _, name := range []string{"ping", "pong"} {
		b := newBench(t, s, name, prints(`{"data":"again"}`))
		b.start(func(s *plugins.Settings) { s.HTTP, s.On = true, "wall.main.*" })
		if name == "pong" {
			until(t, "both listen", func() bool {
				mark, err := s.LastMark(t.Context(), "ping", []string{"main"})
				other, err2 := s.LastMark(t.Context(), "pong", []string{"main"})
				return err == nil && err2 == nil && mark.Count > 0 && other.Count > 0
			})
			b.fire("go")
			until(t, "it is cut", func() bool { return b.hasSaid("answer each other") })
			b.idle()
			// pong 1, ping 2, pong 3 … ping 8, which nobody answers.
		}
	}
	state, err := s.State(t.Context(), "main")
	if err != nil || state.Last != 8 {
		t.Errorf("there are %d events, want 8; %v", state.Last, err)
	}
}

func TestTicks(t *testing.T) {
	s := store(t)
	release := make(chan struct{})
	var calls atomic.Int32
	b := newBench(t, s, "clock", program(func(ctx context.Context, trigger plugins.Trigger, c plugins.Call) error {
		if calls.Add(1) == 1 {
			select {
			case <-release:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return printAll(c, fmt.Sprintf(`{"data":"%s %s"}`, trigger.Trigger, trigger.Input))
	}))
	stop := b.start(func(s *plugins.Settings) { s.Every, s.Concurrency = time.Second, 4 })
	until(t, "the first tick", func() bool { return calls.Load() == 1 })
	time.Sleep(3200 * time.Millisecond) // for three ticks that are missed
	if n := calls.Load(); n != 1 {
		t.Errorf("%d calls while the first runs", n)
	}
	close(release)
	b.wait(2)
	at := time.Now()
	b.wait(3)
	if took := time.Since(at); took < 300*time.Millisecond {
		t.Errorf("a missed tick was made up for: the third came %v after the second", took)
	}
	b.equal(b.stored()[:1], "every null")
	stop()
	b.start(nil) // without a schedule
	before := len(b.stored())
	time.Sleep(1500 * time.Millisecond)
	if n := len(b.stored()); n != before {
		t.Errorf("%d calls after its schedule was taken away", n-before)
	}
}

func TestFetch(t *testing.T) {
	var version, asked atomic.Int32
	version.Store(1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		tag := fmt.Sprintf(`"%d"`, version.Load())
		switch {
		case version.Load() == 2:
			http.Error(w, "no", http.StatusBadGateway)
		case r.Header.Get("If-None-Match") == tag:
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Header().Set("ETag", tag)
			fmt.Fprintf(w, `{"version":%d}`, version.Load())
		}
	}))
	defer server.Close()
	s := store(t)
	b := newBench(t, s, "poll", program(func(_ context.Context, trigger plugins.Trigger, c plugins.Call) error {
		var f plugins.Fetched
		if err := json.Unmarshal(trigger.Input, &f); err != nil {
			return err
		}
		return printAll(c, fmt.Sprintf(`{"data":"%d %s %s"}`, f.Status, bytes.Trim(f.JSON, `{"version:}`), f.Header["etag"][1:2]))
	}))
	b.start(func(st *plugins.Settings) { st.Every, st.Fetch, st.Retries = time.Second, server.URL, 0 })
	until(t, "it was asked three times", func() bool { return asked.Load() >= 3 })
	if n := len(b.stored()); n != 1 {
		t.Errorf("the plugin ran %d times, though nothing has changed", n)
	}
	version.Store(2)
	now := asked.Load()
	until(t, "it failed twice", func() bool { return asked.Load() >= now+3 })
	letters, err := s.DeadLetters(t.Context(), "poll", 10)
	if err != nil || len(letters) == 0 || len(letters) > 2 || letters[0].Reason != plugins.Fetch || !strings.Contains(letters[0].Error, "502") {
		t.Errorf("the dead letters are %+v, %v", letters, err)
	}
	version.Store(3)
	b.equal(b.wait(2), "200 1 1", "200 3 3")
}

func TestAStreamStoresEachLineAndIsStartedAgain(t *testing.T) {
	s := store(t)
	lines := make(chan string)
	b := newBench(t, s, "feed", program(func(ctx context.Context, trigger plugins.Trigger, c plugins.Call) error {
		if !c.Open || c.Limits.Time != 0 {
			return fmt.Errorf("the call is %+v", c)
		}
		if err := printAll(c, fmt.Sprintf(`{"data":{"%s":%s}}`, trigger.Trigger, trigger.Cursor)); err != nil {
			return err
		}
		for {
			select {
			case <-ctx.Done():
				return nil
			case line := <-lines:
				if line == "exit" {
					return errExit
				}
				if err := printAll(c, line); err != nil {
					return err
				}
			}
		}
	}))
	stop := b.start(func(s *plugins.Settings) { s.Stream = true })
	b.equal(b.wait(1), `{"stream":null}`)
	lines <- `{"data":"one"}`
	b.wait(2) // it is stored while the program runs
	lines <- `{"cursor":"one"}`
	lines <- "noise"
	lines <- "exit"
	b.equal(b.wait(3)[2:], `{"stream":"one"}`)
	stop()
	b.start(func(s *plugins.Settings) { s.Stream = true })
	b.equal(b.wait(4)[3:], `{"stream":"one"}`)

	// Another program takes its place at once, and the call is told.
	b.slot.Swap(&plugins.Loaded{Program: program(func(ctx context.Context, trigger plugins.Trigger, c plugins.Call) error {
		if err := printAll(c, `{"data":"the new one"}`); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	})})
	b.equal(b.wait(5)[4:], "the new one")
}
