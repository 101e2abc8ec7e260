package jetstream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/stream"
)

func work(id string) plugins.Work {
	return plugins.Work{
		ID: id, Kind: plugins.HTTP, Time: time.Now(), Request: &plugins.Request{Method: "POST", Header: map[string]string{"x-n": "line\r\nend"}},
		Data: []byte("body of " + id),
	}
}

func (p *program) fire(t *testing.T, plugin, id, dedupe string) (uint64, bool) {
	t.Helper()
	number, repeat, err := p.PutWork(t.Context(), plugin, work(id), dedupe)
	if err != nil {
		t.Fatal(err)
	}
	return number, repeat
}

func (p *program) queued(t *testing.T, plugin string) []string {
	t.Helper()
	var all []string
	for after := uint64(0); ; {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		w, err := p.NextWork(ctx, plugin, after)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all, after = append(all, w.ID), w.Number
	}
}

func TestWorkIsKeptUntilItIsDone(t *testing.T) {
	folder := t.TempDir()
	p := run(t, folder, main)
	first, _ := p.fire(t, "a", "one", "x")
	p.fire(t, "b", "other", "x")
	if again, repeat := p.fire(t, "a", "one again", "x"); !repeat || again != first {
		t.Errorf("a repeat has the number %d, %t; the first %d", again, repeat, first)
	}
	p.fire(t, "a", "two", "")
	p.fire(t, "a", "three", "")
	p.stop()

	p = run(t, folder, main)
	if got, want := p.queued(t, "a"), []string{"one", "two", "three"}; !slices.Equal(got, want) {
		t.Errorf("there waits %q, want %q", got, want)
	}
	w, err := p.NextWork(t.Context(), "a", first)
	if err != nil {
		t.Fatal(err)
	}
	if string(w.Data) != "body of two" || w.Kind != plugins.HTTP || w.Request == nil || w.Request.Header["x-n"] != "line\r\nend" {
		t.Errorf("the work came back as %+v", w)
	}
	for _, drop := range []plugins.Work{w, w, {ID: "another's", Number: first}, {ID: "one", Number: 4711}, {ID: "x"}} {
		if err := p.DropWork(t.Context(), "a", drop); err != nil {
			t.Errorf("dropping %+v: %v", drop, err)
		}
	}
	if err := p.DropWork(t.Context(), "a", plugins.Work{ID: "other", Number: first + 1}); err != nil {
		t.Error(err)
	}
	if got, want := p.queued(t, "a"), []string{"one", "three"}; !slices.Equal(got, want) {
		t.Errorf("there waits %q, want %q", got, want)
	}
	if got := p.queued(t, "b"); !slices.Equal(got, []string{"other"}) {
		t.Errorf("of the other plugin there waits %q", got)
	}
}

func TestWorkWakesItsPlugin(t *testing.T) {
	p := run(t, t.TempDir(), main)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // it looks by itself after 30 s only
	defer cancel()
	got := make(chan error)
	go func() {
		for after := uint64(0); after < 100; {
			w, err := p.NextWork(ctx, "a", after)
			after = w.Number
			if got <- err; err != nil {
				return
			}
		}
	}()
	for n := range 100 { // one after another, so that the plugin waits for each
		p.fire(t, "a", fmt.Sprint(n), "")
		if err := <-got; err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFullQueueRefuses(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a queue")
	}
	p := run(t, t.TempDir(), main)
	big := work("big")
	big.Data = bytes.Repeat([]byte("0123456789abcdef"), 60_000)
	var err error
	n := 0
	for ; n < 400 && err == nil; n++ {
		for i := range big.Data[:4096] { // what repeats is compressed
			big.Data[i] = byte(n * i)
		}
		_, _, err = p.PutWork(t.Context(), "a", big, "")
	}
	if !errors.Is(err, stream.ErrFull) {
		t.Errorf("after %d entries of 1 MB: %v", n, err)
	}
	big.Data = make([]byte, 9<<20)
	if _, _, err := p.PutWork(t.Context(), "b", big, ""); !errors.Is(err, stream.ErrTooLarge) {
		t.Errorf("9 MB: %v", err)
	}
}

func TestForeignWorkIsDropped(t *testing.T) {
	p := run(t, t.TempDir(), main)
	if _, err := p.nc.Request("fire.a", []byte("{}"), nats.DefaultTimeout); err != nil {
		t.Fatal(err)
	}
	p.fire(t, "a", "one", "")
	if got := p.queued(t, "a"); !slices.Equal(got, []string{"one"}) {
		t.Errorf("there waits %q", got)
	}
}

func TestDeadLetters(t *testing.T) {
	folder := t.TempDir()
	p := run(t, folder, main)
	put := func(id string, number uint64) uint64 {
		t.Helper()
		w := work(id)
		w.Number, w.Stored = number, 2
		n, err := p.PutDead(t.Context(), "a", plugins.Dead{Work: w, Time: time.Now(), Attempts: 4, Reason: plugins.Exit, Error: "code 1", Stderr: "line\nline\x00"})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	one := put("one", 1)
	if again := put("one", 1); again != one {
		t.Errorf("one death makes the letters %d and %d", one, again)
	}
	if again := put("one", 2); again == one {
		t.Error("a replay that failed again makes no letter")
	}
	two := put("two", 3)
	p.stop()

	p = run(t, folder, main)
	all, err := p.DeadLetters(t.Context(), "a", 10)
	if err != nil || len(all) != 3 || all[0].Number != one || all[2].Work.ID != "two" || all[2].Stderr != "line\nline\x00" || all[2].Attempts != 4 {
		t.Fatalf("the letters are %+v, %v", all, err)
	}
	if last, err := p.DeadLetters(t.Context(), "a", 1); err != nil || len(last) != 1 || last[0].Number != two {
		t.Errorf("the last is %+v, %v", last, err)
	}
	if none, err := p.DeadLetters(t.Context(), "b", 10); err != nil || none == nil || len(none) != 0 {
		t.Errorf("another plugin has %+v, %v", none, err)
	}
	d, err := p.DeadLetter(t.Context(), "a", one)
	if err != nil || string(d.Work.Data) != "body of one" || d.Work.Stored != 2 {
		t.Errorf("the letter is %+v, %v", d, err)
	}
	if err := p.Replay(t.Context(), "a", one); err != nil {
		t.Fatal(err)
	}
	w, err := p.NextWork(t.Context(), "a", 0)
	if err != nil || w.ID != "one" || string(w.Data) != "body of one" || w.Stored != 2 {
		t.Errorf("replayed: %+v, %v", w, err)
	}
	if err := p.DropDead(t.Context(), "a", two); err != nil {
		t.Error(err)
	}
	for _, missing := range []error{p.DropDead(t.Context(), "a", two), p.Replay(t.Context(), "a", one), p.DropDead(t.Context(), "b", one+1), p.DropDead(t.Context(), "a", 0)} {
		if !errors.Is(missing, stream.ErrNotFound) {
			t.Errorf("a letter that is not there: %v", missing)
		}
	}
}

func (p *program) tick(t *testing.T, plugin string, after uint64) plugins.Tick {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick, err := p.NextTick(ctx, plugin, after)
	if err != nil {
		t.Fatalf("the tick after %d: %v", after, err)
	}
	return tick
}

func (p *program) schedule(t *testing.T, plugin string, s plugins.Schedule) {
	t.Helper()
	if err := p.SetSchedule(t.Context(), plugin, s); err != nil {
		t.Fatal(err)
	}
}

func TestSchedules(t *testing.T) {
	folder := t.TempDir()
	p := run(t, folder, main)
	each := plugins.Schedule{Every: time.Second}
	p.schedule(t, "a", each)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // a schedule that began anew each time would never fire
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Millisecond):
				if err := p.SetSchedule(t.Context(), "a", each); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	first := p.tick(t, "a", 0)
	second := p.tick(t, "a", first.Number)
	if second.Number == first.Number || !second.Time.After(first.Time) {
		t.Errorf("the ticks %+v and %+v", first, second)
	}
	close(stop)
	<-stopped
	// The first has been replaced, so dropping it leaves the newest.
	if err := p.DropTick(t.Context(), "a", first); err != nil {
		t.Error(err)
	}
	newest := p.tick(t, "a", first.Number)
	p.stop()

	p = run(t, folder, main)
	if again := p.tick(t, "a", 0); again.Time.Before(newest.Time) {
		t.Errorf("after a restart the tick is %+v, before %+v", again, newest)
	}
	p.schedule(t, "a", plugins.Schedule{Cron: "0 0 8 * * 1-5", Zone: "Europe/Berlin"})
	p.schedule(t, "b", each)
	p.tick(t, "b", 0)
	if err := p.PruneSchedules(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	handle, err := p.nc.Request("$JS.API.STREAM.INFO.SCHEDULES", []byte(`{"subjects_filter":">"}`), nats.DefaultTimeout)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(handle.Data, []byte(`"cron.a":1`)) || bytes.Contains(handle.Data, []byte(`"cron.b"`)) || bytes.Contains(handle.Data, []byte(`"tick.b"`)) {
		t.Errorf("what is left: %s", handle.Data)
	}
	p.schedule(t, "a", plugins.Schedule{})
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	if tick, err := p.NextTick(ctx, "a", 0); err == nil {
		t.Errorf("a schedule that was taken away leaves the tick %+v", tick)
	}
	if err := p.SetSchedule(t.Context(), "a", plugins.Schedule{Cron: "0 0 0 30 2 *"}); err == nil {
		t.Error("the 30th of February was taken")
	}
}
