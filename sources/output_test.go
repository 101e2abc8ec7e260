package sources_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/sourcetest"
	"github.com/wallcast/wallcast/stream"
)

// emit runs a source in an instance until it ends or a minute has passed.
func emit(t *testing.T, store sources.Store, i sources.Instance, run runs) sources.Status {
	t.Helper()
	i.Name, i.Source = "a", run
	if i.To.Wall == "" {
		i.To = main
	}
	s, stop := supervise(t, store, quiet(), i)
	time.Sleep(time.Minute)
	synctest.Wait()
	st := status(t, s, "a")
	stop()
	return st
}

func TestSubject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sourcetest.NewStore()
		i := sources.Instance{To: stream.Subject{Wall: "main", Kind: "song", Key: "jazz"}, Walls: []string{"other"}}
		events := []struct {
			wall, kind, key, want string
		}{
			{"", "", "", "wall.main.song.jazz"},
			{"main", "alert", "", "wall.main.alert.jazz"},
			{"", "", "rock", "wall.main.song.rock"},
			{"other", "", "", "wall.other.song.jazz"},
			{"third", "", "", "may not write"},
			{"", "Bad Kind", "", "kind"},
			{"", "error", "", "kind"},
			{"", "", "a.b", "key"},
		}
		emit(t, store, i, func(ctx context.Context, out sources.Output) error {
			for _, e := range events {
				err := out.Emit(ctx, sources.Event{Wall: e.wall, Kind: e.kind, Key: e.key, Data: []byte(e.want)})
				if one := (*sources.EventError)(nil); err != nil && (!errors.As(err, &one) || !strings.Contains(err.Error(), e.want)) {
					t.Errorf("error %v, want one about %q", err, e.want)
				}
			}
			return nil
		})
		if got := len(store.Drafts()); got != 4 {
			t.Errorf("%d events are stored, want 4", got)
		}
		for _, d := range store.Drafts() {
			if d.Subject.String() != string(d.Data) {
				t.Errorf("subject %s, want %s", d.Subject, d.Data)
			}
		}
	})
}

func TestRetriesKeepIdAndMark(t *testing.T) {
	for name, lost := range map[string]bool{"refused": false, "acknowledgement lost": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := sourcetest.NewStore()
				var ids, marks []string
				trouble := func(d stream.Draft) error {
					ids, marks = append(ids, d.DedupeID), append(marks, fmt.Sprint(d.Mark.Count, string(d.Mark.Cursor)))
					if len(ids)%4 == 0 {
						return nil
					}
					return stream.ErrUnavailable
				}
				if lost {
					store.After = trouble
				} else {
					store.Before = trouble
				}
				st := emit(t, store, sources.Instance{}, count)
				for n, data := range store.Data() {
					if data != fmt.Sprint(n+1) {
						t.Fatalf("stored %q", store.Data())
					}
				}
				for i := 1; i < 4; i++ {
					if ids[i] != ids[0] || marks[i] != marks[0] {
						t.Errorf("try %d had id %q and mark %q, the first %q and %q", i+1, ids[i], marks[i], ids[0], marks[0])
					}
				}
				if st.Restarts != 0 || len(store.Data()) < 5 {
					t.Errorf("%d events, %+v", len(store.Data()), st)
				}
			})
		})
	}
}

func TestStoreAwayIsAWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sourcetest.NewStore()
		store.Before = func(stream.Draft) error { return stream.ErrFull }
		st := emit(t, store, sources.Instance{}, count)
		if st.State != sources.Running || !strings.Contains(st.Warning, stream.ErrFull.Error()) {
			t.Errorf("status %+v", st)
		}
	})
}

func TestTooLargeConcernsOneEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sourcetest.NewStore()
		store.Before = func(d stream.Draft) error {
			if string(d.Data) == "large" {
				return fmt.Errorf("%w: 5 bytes", stream.ErrTooLarge)
			}
			return nil
		}
		st := emit(t, store, sources.Instance{}, func(ctx context.Context, out sources.Output) error {
			var one *sources.EventError
			if err := out.Emit(ctx, sources.Event{Data: []byte("large")}); !errors.As(err, &one) || !errors.Is(err, stream.ErrTooLarge) {
				t.Errorf("error %v", err)
			}
			return out.Emit(ctx, sources.Event{Data: []byte("small")})
		})
		if st.State != sources.Done || strings.Join(store.Data(), " ") != "small" {
			t.Errorf("stored %q, status %+v", store.Data(), st)
		}
	})
}

// A process that lost its lease without noticing has come further than the mark
// that this one has read.
func TestCountOfAnotherProcessEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sourcetest.NewStore()
		first := true
		st := emit(t, store, sources.Instance{}, func(ctx context.Context, out sources.Output) error {
			if first {
				first = false
				for n := 1; n <= 3; n++ {
					text := fmt.Sprint(n)
					mark := stream.Mark{Source: "a", Count: uint64(n), Cursor: json.RawMessage(text)}
					if _, err := store.Publish(ctx, stream.Draft{Subject: main, Data: []byte(text), DedupeID: "src.a." + text, Mark: &mark}); err != nil {
						t.Fatal(err)
					}
				}
			}
			return count(ctx, out)
		})
		if st.Restarts != 1 || !strings.Contains(st.LastError, "another process") {
			t.Errorf("status %+v", st)
		}
		for n, data := range store.Data() {
			if data != fmt.Sprint(n+1) {
				t.Fatalf("stored %q", store.Data())
			}
		}
	})
}

func TestRedeliveryIsStoredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sourcetest.NewStore()
		ids := []string{"x", "x", "1", "a\nb", "a\nb", strings.Repeat("l", 500), ""}
		st := emit(t, store, sources.Instance{}, func(ctx context.Context, out sources.Output) error {
			for _, id := range ids {
				if err := out.Emit(ctx, sources.Event{ID: id, Data: []byte("event"), Cursor: json.RawMessage(`1`)}); err != nil {
					return err
				}
			}
			return nil
		})
		if len(store.Data()) != 5 || st.Events != 5 || st.LastError != "" {
			t.Errorf("%d stored, status %+v", len(store.Data()), st)
		}
		for _, d := range store.Drafts() {
			if strings.ContainsAny(d.DedupeID, "\r\n") || len(d.DedupeID) > 100 {
				t.Errorf("dedupe id %q", d.DedupeID)
			}
		}
	})
}

func TestEventsWithoutCursorHaveIdsOfTheirRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sourcetest.NewStore()
		for range 2 {
			emit(t, store, sources.Instance{}, func(ctx context.Context, out sources.Output) error {
				return errors.Join(out.Emit(ctx, sources.Event{Data: []byte("a")}), out.Emit(ctx, sources.Event{Data: []byte("b")}))
			})
		}
		if got := strings.Join(store.Data(), ""); got != "abab" {
			t.Errorf("stored %s", got)
		}
		for _, d := range store.Drafts() {
			if d.Mark != nil {
				t.Errorf("an event without a cursor has the mark %+v", *d.Mark)
			}
		}
	})
}

func TestCursorStaysWhereAnEventGivesNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sourcetest.NewStore()
		emit(t, store, sources.Instance{}, func(ctx context.Context, out sources.Output) error {
			return errors.Join(out.Emit(ctx, sources.Event{Data: []byte("a"), Cursor: json.RawMessage("{\n\"n\": 1}")}), out.Emit(ctx, sources.Event{Data: []byte("b")}))
		})
		for _, d := range store.Drafts() {
			if d.Mark == nil || string(d.Mark.Cursor) != `{"n":1}` {
				t.Errorf("%s has the mark %+v", d.Data, d.Mark)
			}
		}
	})
}

func TestSaveCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sourcetest.NewStore()
		var cursors []string
		run := func(ctx context.Context, out sources.Output) error {
			cursors = append(cursors, string(out.Cursor()))
			return out.SaveCursor(ctx, json.RawMessage(fmt.Sprint(len(cursors))))
		}
		for range 3 {
			emit(t, store, sources.Instance{}, run)
		}
		if got := strings.Join(cursors, " "); got != " 1 2" {
			t.Errorf("cursors %q", got)
		}
	})
}

func TestCheckpoints(t *testing.T) {
	burst := func(ctx context.Context, out sources.Output) error {
		for n := range 100 {
			if err := out.Emit(ctx, sources.Event{Data: []byte("x"), Cursor: json.RawMessage(fmt.Sprint(n))}); err != nil {
				return err
			}
			time.Sleep(20 * time.Millisecond)
		}
		return idle(ctx, out)
	}
	for name, test := range map[string]struct {
		each        bool
		least, most int
	}{
		"at most once a second": {false, 2, 5},
		"after each event":      {true, 100, 101},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := sourcetest.NewStore()
				emit(t, store, sources.Instance{CheckpointEach: test.each}, burst)
				saved := store.Checkpoints()
				if len(saved) < test.least || len(saved) > test.most || saved[len(saved)-1].Count != 100 {
					t.Errorf("%d checkpoints, the last %+v", len(saved), saved[len(saved)-1])
				}
			})
		})
	}
	t.Run("at a clean stop", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := sourcetest.NewStore()
			_, stop := supervise(t, store, quiet(), sources.Instance{Name: "a", Source: runs(burst), To: main})
			time.Sleep(1300 * time.Millisecond)
			stop()
			saved, drafts := store.Checkpoints(), store.Drafts()
			if saved[len(saved)-1].Count != drafts[len(drafts)-1].Mark.Count {
				t.Errorf("the last checkpoint is %+v", saved[len(saved)-1])
			}
		})
	})
}

func TestNothingIsEmittedAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sourcetest.NewStore()
		store.Before = func(d stream.Draft) error {
			if string(d.Data) == "a" {
				return stream.ErrReset
			}
			return nil
		}
		runs := 0
		emit(t, store, sources.Instance{}, func(ctx context.Context, out sources.Output) error {
			if runs++; runs > 1 {
				return nil
			}
			err := out.Emit(ctx, sources.Event{Data: []byte("a")})
			if again := out.Emit(ctx, sources.Event{Data: []byte("b")}); again == nil || !errors.Is(again, stream.ErrReset) {
				t.Errorf("the second Emit returned %v", again)
			}
			return err
		})
		if len(store.Data()) != 0 {
			t.Errorf("stored %q", store.Data())
		}
	})
}

func TestWarnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := supervise(t, sourcetest.NewStore(), quiet(), sources.Instance{Name: "a", To: main, Source: runs(func(ctx context.Context, out sources.Output) error {
			out.Warn(errors.New("nobody answers"))
			time.Sleep(time.Second)
			out.Warn(nil)
			return idle(ctx, out)
		})})
		defer stop()
		synctest.Wait()
		if got := status(t, s, "a"); got.Warning != "nobody answers" || got.State != sources.Running {
			t.Errorf("status %+v", got)
		}
		time.Sleep(2 * time.Second)
		if got := status(t, s, "a"); got.Warning != "" {
			t.Errorf("status %+v", got)
		}
	})
}
