package plugins_test

import (
	"context"
	"fmt"
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
