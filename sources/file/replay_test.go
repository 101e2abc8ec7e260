package file_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources/file"
	"github.com/wallcast/wallcast/sources/sourcetest"
)

// replayed prepares a replay of one line a second.
func replayed(t *testing.T, text string) (*file.Settings, *sourcetest.Store) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "statuses.txt")
	write(t, path, text)
	s := settings(path, "replay")
	s.Every = time.Second
	return s, sourcetest.NewStore()
}

func TestReplayPaceAndLoop(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s, store := replayed(t, "# statuses\none\n\n\\# two\n  \nthree")
		r := start(t, store, s)
		r.want("one")
		r.pass(5 * time.Second)
		if got := strings.Join(store.Data(), ","); got != "one,# two,three,one,# two,three" {
			t.Errorf("after six seconds: %s", got)
		}
	})
}

func TestReplayGoesOnInTheMiddleOfAPass(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s, store := replayed(t, "a\nb\nb\nc\nd\n")
		for range 4 {
			r := start(t, store, s)
			r.pass(2 * time.Second)
			r.Stop()
		}
		if got := strings.Join(store.Data(), ""); got != "abbcdabbcdab" {
			t.Errorf("stored %s", got)
		}
	})
}

func TestReplayOfAFileThatIsEdited(t *testing.T) {
	for name, test := range map[string]struct{ edited, want string }{
		"lines before":        {"new\nnewer\na\nb\nc\nd\n", "ab" + "cd"},
		"lines gone before":   {"b\nc\nd\n", "ab" + "cd"},
		"last line gone":      {"a\nc\nd\n", "ab" + "cd"},
		"last line corrected": {"a\nB\nc\nd\n", "ab" + "Bcd"},
		"the next changed":    {"a\nb\nC\nd\n", "ab" + "Cd"},
		"all gone but one":    {"d\n", "ab" + "dd"},
	} {
		for live, stop := range map[string]bool{"live": false, "while stopped": true} {
			t.Run(name+" "+live, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					s, store := replayed(t, "a\nb\nc\nd\n")
					r := start(t, store, s)
					r.pass(time.Second)
					if stop {
						r.Stop()
					}
					write(t, s.Path, test.edited)
					if stop {
						r = start(t, store, s)
					}
					r.pass(4 * time.Second)
					if got := strings.Join(store.Data(), ""); !strings.HasPrefix(got, test.want) {
						t.Errorf("stored %s, want %s", got, test.want)
					}
				})
			})
		}
	}
}

func TestReplayWithoutLoopEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s, store := replayed(t, "a\nb\n")
		s.Loop = false
		r := start(t, store, s)
		r.pass(time.Minute)
		r.want("a", "b")
		if st := r.Status(); st.State != "done" {
			t.Errorf("status %+v", st)
		}
		r.Stop()
		add(t, s.Path, "c\n")
		r = start(t, store, s)
		r.pass(time.Minute)
		r.want("a", "b", "c")
	})
}

func TestReplayWaitsForItsFile(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s, store := replayed(t, "# nothing yet\n\n")
		r := start(t, store, s)
		r.wantWarning("has no line to replay")
		rename(t, s.Path, s.Path+"~")
		r.pass(5 * time.Second)
		r.wantWarning("does not exist; waiting")
		write(t, s.Path, "a\n")
		r.pass(time.Second)
		r.wantWarning("")
		if len(store.Data()) == 0 {
			t.Error("nothing is stored")
		}
	})
}

func TestReplayLinesNameTheirAddress(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		lines := []struct{ line, subject, data string }{
			{`plain`, "wall.main.message", `plain`},
			{`{"text":"x"}`, "wall.main.message", `{"text":"x"}`},
			{`{"kind":"friend","text":"Ada  joined", "n": 1.0}`, "wall.main.friend", `{"text":"Ada  joined", "n": 1.0}`},
			{`{ "text": "x", "key":"ada" ,"kind":"friend" }`, "wall.main.friend.ada", `{"text": "x"}`},
			{`{"kind":"song","key":"jazz","data":{"title":"y"}}`, "wall.main.song.jazz", `{"title":"y"}`},
			{`{"kind":"song","data":"flat"}`, "wall.main.song", `flat`},
			{`{"kind":"song","data":3,"wall":"other"}`, "wall.other.song", `3`},
			{`{"kind":"song","data":3,"more":4}`, "wall.main.song", `{"data":3, "more":4}`},
			{`{"kind":7}`, "wall.main.message", `{"kind":7}`},
			{`{"kind":"friend"}`, "wall.main.friend", `{}`},
			{`{"kind":"friend"} and more`, "wall.main.message", `{"kind":"friend"} and more`},
			{`["kind"]`, "wall.main.message", `["kind"]`},
			{`{"kind":"Not a Kind"}`, "wall.main.message", `{"kind":"Not a Kind"}`},
		}
		var text strings.Builder
		for _, l := range lines {
			text.WriteString(l.line + "\n")
		}
		s, store := replayed(t, text.String())
		s.Loop = false
		r := start(t, store, s)
		r.pass(time.Minute)
		drafts := store.Drafts()
		if len(drafts) != len(lines) {
			t.Fatalf("%d are stored, want %d", len(drafts), len(lines))
		}
		for i, d := range drafts {
			if d.Subject.String() != lines[i].subject || string(d.Data) != lines[i].data {
				t.Errorf("%s became %s %s, want %s %s", lines[i].line, d.Subject, d.Data, lines[i].subject, lines[i].data)
			}
		}
	})
}

func TestRouteOff(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s, store := replayed(t, `{"kind":"friend"}`)
		s.Route = false
		start(t, store, s).want(`{"kind":"friend"}`)
		if got := store.Drafts()[0].Subject.Kind; got != "message" {
			t.Errorf("kind %s", got)
		}
	})
}

func TestReplayWarnsWithTheLine(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s, store := replayed(t, "a\n"+strings.Repeat("x", file.MaxLine+1)+"\nb\n{\"kind\":\"open\"}\n{\"kind\":\"x\",\"wall\":\"third\",\"data\":1}\n")
		r := start(t, store, s)
		r.wantWarning("statuses.txt:2: the line is longer than 64 KiB")
		r.pass(2 * time.Second)
		r.wantWarning(`statuses.txt:4: "open" can't be a kind`)
		r.pass(time.Second)
		r.wantWarning(`statuses.txt:5: skipped: the source may not write to the wall "third"`)
		r.pass(time.Second)
		if got := store.Data(); !slices.Equal(got, []string{"a", "b", `{"kind":"open"}`, "a"}) {
			t.Errorf("stored %q", got)
		}
	})
}
