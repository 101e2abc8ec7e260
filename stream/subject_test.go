package stream_test

import (
	"strings"
	"testing"

	"github.com/wallcast/wallcast/stream"
)

func TestParseSubject(t *testing.T) {
	for text, want := range map[string]stream.Subject{
		"wall.main.message":                       {Wall: "main", Kind: "message"},
		"wall.main.song.jazz":                     {Wall: "main", Kind: "song", Key: "jazz"},
		"wall.9.a-b.0-":                           {Wall: "9", Kind: "a-b", Key: "0-"},
		"wall.main." + strings.Repeat("k", 63):    {Wall: "main", Kind: strings.Repeat("k", 63)},
		"wall.main.message." + "open":             {Wall: "main", Kind: "message", Key: "open"},
		"wall.error.message." + "error-is-no-key": {Wall: "error", Kind: "message", Key: "error-is-no-key"},
	} {
		got, err := stream.ParseSubject(text)
		if err != nil || got != want || got.String() != text || got.Keyed() != (want.Key != "") {
			t.Errorf("%s: %+v (%s), %v", text, got, got, err)
		}
	}
	for _, text := range []string{
		"", "wall", "wall.", "wall.main", "wall.main.", "wall..message", ".main.message", "wall.main.song.", "wall.main.song.a.b",
		"ctl.main.retract", "Wall.main.message", "wall.Main.message", "wall.main.Song", "wall.main.a_b", "wall.main.song.ä",
		"wall.-main.message", "wall.main.-", "wall.main.open", "wall.main.error", "wall.main.*", "wall.main.>", "wall.main.a b",
		"wall.main.a\nb", "wall.main.wall:hello", "wall.main." + strings.Repeat("k", 64), " wall.main.message", "wall.main.message ",
	} {
		if got, err := stream.ParseSubject(text); err == nil {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
}

// Whatever is read is an address that can be an SSE event's name, and has one
// spelling.
func FuzzParseSubject(f *testing.F) {
	for _, s := range []string{"wall.main.message", "wall.main.song.jazz", "wall.main.error", "ctl.main.retract", "wall.a.b.c.d", "wall.a.b\n.c", "wall.a.\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := stream.ParseSubject(text)
		if err != nil {
			if s != (stream.Subject{}) {
				t.Fatalf("an error and %+v", s)
			}
			return
		}
		if s.String() != text {
			t.Fatalf("%q was read as %q", text, s)
		}
		again, err := stream.NewSubject(s.Wall, s.Kind, s.Key)
		if err != nil || again != s {
			t.Fatalf("%q: its parts make %+v, %v", text, again, err)
		}
		if strings.ContainsAny(s.Kind, "\r\n: \x00") || s.Kind == "open" || s.Kind == "error" {
			t.Fatalf("%q has the kind %q, which no SSE event can be named", text, s.Kind)
		}
	})
}

func TestParseID(t *testing.T) {
	id, err := stream.ParseID("k3v9x2ab-42")
	if err != nil || id != (stream.ID{Epoch: "k3v9x2ab", Seq: 42}) || id.String() != "k3v9x2ab-42" {
		t.Errorf("%+v, %v", id, err)
	}
	for _, text := range []string{"", "-", "a", "a-", "-1", "a-01", "a-+1", "a--1", "A-1", "a b-1", "a-1 ", "a-18446744073709551616", strings.Repeat("a", 33) + "-1", "a-1\n"} {
		if got, err := stream.ParseID(text); err == nil {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
}

// Ids come from anybody's address line: one that is read has one spelling.
func FuzzParseID(f *testing.F) {
	for _, s := range []string{"k3v9x2ab-42", "a-0", "a-01", "-1", "a-18446744073709551615"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := stream.ParseID(text); err == nil && (id.String() != text || id.IsZero()) {
			t.Fatalf("%q was read as %+v", text, id)
		}
	})
}
