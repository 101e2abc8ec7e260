package plugins_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

func TestATriggerAndWhatComesOfIt(t *testing.T) {
	s := store(t)
	seen := make(chan plugins.Trigger, 10)
	inputs := make(chan string, 10)
	b := newBench(t, s, "echo", program(func(_ context.Context, trigger plugins.Trigger, c plugins.Call) error {
		seen <- trigger
		inputs <- string(c.Input)
		c.Log([]byte("working"))
		return printAll(c,
			`{"data":{"text":"a","n":1.50}}`, `{"kind":"note","key":"k","data":"flat","time":"2026-01-02T03:04:05Z","id":"x"}`,
			``, `hello`, `{"cursor":{"n":1}}`, `{"data":"b"}`)
	}))
	request := httptest.NewRequest("POST", "/hooks/echo?a=1&a=2&b=", strings.NewReader(""))
	request.Header.Set("Authorization", "Bearer x")
	request.Header.Set("Cookie", "a=b")
	request.Header.Set("X-Kind", "push")
	if _, _, err := plugins.Enqueue(t.Context(), s, "echo", plugins.RequestOf(request), []byte(`{"text":"<hi>"}`), ""); err != nil {
		t.Fatal(err)
	}
	b.start(func(s *plugins.Settings) { s.HTTP, s.Config = true, map[string]any{"until": "2027"} })
	b.equal(b.wait(2), `{"text":"a","n":1.50}`, "b")
	b.fire("\xff\xfe")
	b.wait(4)
	b.idle()

	first, second := <-seen, <-seen
	if string(first.Config) != `{"until":"2027"}` || string(first.Cursor) != "null" || first.Attempt != 1 || first.Trigger != plugins.HTTP || first.Time.IsZero() {
		t.Errorf("the trigger was %+v", first)
	}
	if line := <-inputs; !strings.Contains(line, "<hi>") || strings.Contains(line, "\n") {
		t.Errorf("the program reads %q", line)
	}
	want := `{"method":"POST","query":{"a":"1","b":""},"header":{"x-kind":"push"},"body":"{\"text\":\"<hi>\"}","json":{"text":"<hi>"},"base64":false}`
	if string(first.Input) != want {
		t.Errorf("the input was %s", first.Input)
	}
	if string(second.Cursor) != `{"n":1}` || !strings.Contains(string(second.Input), `"body":"//4=","json":null,"base64":true`) {
		t.Errorf("the second trigger had the cursor %s and the input %s", second.Cursor, second.Input)
	}
	cards, err := s.Cards(t.Context(), "main")
	if err != nil || len(cards) != 1 || cards[0].Subject.String() != "wall.main.note.k" || cards[0].Hops != 1 || cards[0].Source != "echo" || cards[0].Time.Year() != 2026 {
		t.Errorf("the cards are %+v, %v", cards, err)
	}
	var log []string
	for _, line := range b.logs.Logs()[:2] {
		log = append(log, line.Text)
	}
	if log[0] != "working" || !strings.Contains(log[1], "line 4 of its output") {
		t.Errorf("the log is %q", log)
	}
	if warning := b.status().Warning; !strings.Contains(warning, `begins with "hello"`) {
		t.Errorf("the warning is %q", warning)
	}
}

func TestAFailureStoresNothingAndIsTriedAgain(t *testing.T) {
	b := newBench(t, store(t), "flaky", program(func(_ context.Context, trigger plugins.Trigger, c plugins.Call) error {
		if err := printAll(c, fmt.Sprintf(`{"data":"attempt %d, cursor %s"}`, trigger.Attempt, trigger.Cursor), `{"cursor":1}`); err != nil {
			return err
		}
		if trigger.Attempt < 3 {
			return errExit
		}
		return nil
	}))
	b.fire("x")
	began := time.Now()
	b.start(nil)
	b.equal(b.wait(1), "attempt 3, cursor null")
	if took := time.Since(began); took < 3*time.Second || took > 8*time.Second {
		t.Errorf("two pauses, of a second and two, took %v", took)
	}
	b.idle()
	b.equal(b.stored(), "attempt 3, cursor null")
}

func TestWhatFailsForGoodIsADeadLetter(t *testing.T) {
	s := store(t)
	var mended atomic.Bool
	b := newBench(t, s, "dead", program(func(_ context.Context, trigger plugins.Trigger, c plugins.Call) error {
		if mended.Load() || body(trigger) != "poison" {
			return printAll(c, `{"data":"`+body(trigger)+`"}`)
		}
		for range 10_000 {
			c.Log([]byte("no idea what this is"))
		}
		c.Log([]byte("the end"))
		return errExit
	}))
	b.fire("poison", "good")
	b.start(func(s *plugins.Settings) { s.HTTP, s.Retries = true, 0 })
	b.equal(b.wait(1), "good")
	b.idle()
	letters, err := s.DeadLetters(t.Context(), "dead", 10)
	if err != nil || len(letters) != 1 {
		t.Fatalf("dead letters %+v, %v", letters, err)
	}
	d := letters[0]
	if d.Attempts != 1 || d.Reason != plugins.Exit || !strings.Contains(d.Error, "exit code 1") || !strings.HasSuffix(d.Stderr, "\nthe end\n") || len(d.Stderr) > 8<<10 || d.Work.Kind != plugins.HTTP {
		t.Errorf("the letter is %+v", d)
	}
	if n := len(b.logs.Logs()); n != 500 {
		t.Errorf("%d lines are kept", n)
	}
	mended.Store(true)
	if err := s.Replay(t.Context(), "dead", d.Number); err != nil {
		t.Fatal(err)
	}
	b.equal(b.wait(2), "good", "poison")
	until(t, "the warning goes", func() bool { return b.status().Warning == "" })
}

func TestAHookOfAPluginThatIsNotLoadedWaits(t *testing.T) {
	b := newBench(t, store(t), "late", nil)
	b.fire("1", "2")
	b.start(nil)
	b.slot.Swap(&plugins.Loaded{Program: prints(`{"data":"loaded"}`)})
	b.equal(b.wait(2), "loaded", "loaded")
}

func TestTwoProcessesDoEachTriggerOnce(t *testing.T) {
	b := newBench(t, store(t), "shared", program(func(_ context.Context, trigger plugins.Trigger, c plugins.Call) error {
		return printAll(c, `{"data":"`+body(trigger)+`"}`)
	}))
	stop := b.start(nil)
	b.start(nil) // another supervisor, as in another process
	var want []string
	for n := range 40 {
		b.fire(fmt.Sprint(n))
		want = append(want, fmt.Sprint(n))
		if n == 20 {
			stop()
		}
	}
	b.wait(len(want))
	b.idle()
	b.equal(b.stored(), want...)
}

func TestACrashOfAHostIsAFailure(t *testing.T) {
	s := store(t)
	b := newBench(t, s, "crash", program(func(context.Context, plugins.Trigger, plugins.Call) error { panic("a bug") }))
	b.fire("x")
	b.start(func(s *plugins.Settings) { s.HTTP, s.Retries = true, 0 })
	b.idle()
	letters, err := s.DeadLetters(t.Context(), "crash", 10)
	if err != nil || len(letters) != 1 || !strings.Contains(letters[0].Error, "a bug") {
		t.Errorf("the dead letters are %+v, %v", letters, err)
	}
}

func TestConcurrency(t *testing.T) {
	const most = 3
	var now, peak atomic.Int32
	full := make(chan struct{})
	b := newBench(t, store(t), "many", program(func(ctx context.Context, trigger plugins.Trigger, c plugins.Call) error {
		if n := now.Add(1); n > peak.Load() {
			if peak.Store(n); n == most {
				close(full)
			}
		}
		defer now.Add(-1)
		select {
		case <-full:
		case <-ctx.Done():
			return ctx.Err()
		}
		return printAll(c, `{"data":"`+body(trigger)+`"}`)
	}))
	b.fire("1", "2", "3", "4", "5", "6", "7")
	b.start(func(s *plugins.Settings) { s.HTTP, s.Concurrency = true, most })
	b.wait(7)
	if peak.Load() != most {
		t.Errorf("%d ran at once", peak.Load())
	}
}

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

type closing struct {
	program
	closed chan struct{}
}

func (c closing) Close() error { close(c.closed); return nil }

func TestSwapLetsCallsEndOnTheOldProgram(t *testing.T) {
	s := store(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	old := closing{closed: make(chan struct{}), program: func(_ context.Context, _ plugins.Trigger, c plugins.Call) error {
		close(entered)
		<-leave
		return printAll(c, `{"data":"old"}`)
	}}
	b := newBench(t, s, "swap", old)
	b.start(func(s *plugins.Settings) { s.HTTP, s.Concurrency = true, 2 })
	b.fire("1")
	<-entered
	b.slot.Swap(&plugins.Loaded{Program: prints(`{"data":"new"}`)})
	b.fire("2")
	b.equal(b.wait(1), "new")
	select {
	case <-old.closed:
		t.Error("the old program was closed while it ran")
	default:
	}
	close(leave)
	b.equal(b.wait(2), "new", "old")
	<-old.closed
	b.slot.Swap(nil)
	if b.slot.Loaded() {
		t.Error("an empty slot is loaded")
	}
}

func TestEventsThatCanNotBeStoredAreReported(t *testing.T) {
	s := store(t)
	b := newBench(t, s, "wrong", prints(
		`{"data":"a"}`, `{"wall":"other","data":"not permitted"}`, `{"data":"`+strings.Repeat("x", 70_000)+`"}`,
		`{"data":"b"}`, `{"wall":"nowhere","data":"last"}`, `{"cursor":7}`))
	b.fire("1")
	stop := b.start(nil)
	b.wait(2)
	b.idle()
	stop()
	b.equal(b.stored(), "a", "b")
	var own int
	for _, line := range b.logs.Logs() {
		if line.Own && strings.Contains(line.Text, "was not stored") {
			own++
		}
	}
	if own != 3 {
		t.Errorf("%d events are reported, want 3: %+v", own, b.logs.Logs())
	}
	mark, err := s.LastMark(t.Context(), "wrong", []string{"main"})
	if err != nil || !strings.Contains(string(mark.Cursor), `"cursor":7`) {
		t.Errorf("the cursor is %s, %v: it went with an event that was refused", mark.Cursor, err)
	}
}

// dropper makes nothing of any event.
type dropper struct{}

func (dropper) Transform(context.Context, sources.Event) ([]sources.Event, error) { return nil, nil }

func TestTheCursorIsSavedWhereAMapMakesNothing(t *testing.T) {
	s := store(t)
	b := newBench(t, s, "mapped", prints(`{"data":"a"}`, `{"cursor":7}`))
	b.instance = func(i *sources.Instance) { i.Transform = dropper{} }
	saved := &watched{bothStores: s}
	b.stores = saved
	b.fire("1")
	b.start(nil)
	b.idle()
	saved.mu.Lock()
	defer saved.mu.Unlock()
	if !strings.Contains(saved.cursor, `"cursor":7`) {
		t.Errorf("when the trigger was deleted, the cursor was %q", saved.cursor)
	}
}

// watched remembers which cursor was saved when work was dropped.
type watched struct {
	bothStores
	mu     sync.Mutex
	newest string
	cursor string
}

func (w *watched) Checkpoint(ctx context.Context, mark stream.Mark, at map[string]stream.ID) error {
	err := w.bothStores.Checkpoint(ctx, mark, at)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.newest = string(mark.Cursor)
	return err
}

func (w *watched) DropWork(ctx context.Context, plugin string, work plugins.Work) error {
	w.mu.Lock()
	w.cursor = w.newest
	w.mu.Unlock()
	return w.bothStores.DropWork(ctx, plugin, work)
}
