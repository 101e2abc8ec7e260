package playlistlog

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParse puts lines together as they come and wants titles that can be shown.
func FuzzParse(f *testing.F) {
	recorded, err := os.ReadFile("testdata/42-playlist.log")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(recorded)
	for _, s := range []string{
		"22/Nov/2026:06:42:05 +0000|/|0|", "22/Nov/2026:06:42:05 +0000|/a|18446744073709551616|x",
		"22/Nov/2026:06:42:05 +0000|a|0|x", "31/Feb/2026:06:42:05 +0000|/a|0|x", "||||", strings.Repeat("\n", 9000),
		"22/Nov/2026:06:42:05 +0000|/a|0|" + strings.Repeat("x", maxTitle-1) + "\n\n\n\xe9",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var n news
		var lines tail
		lines.split(data, n.line)
		if n.end(); n.newest == nil {
			return
		}
		e := *n.newest
		if !strings.HasPrefix(e.mount, "/") || e.listeners < 0 || e.at.IsZero() || len(e.title) > maxTitle {
			t.Errorf("%+v is no entry", e)
		}
		if title := n.report().Song.Text; !utf8.ValidString(title) || strings.ContainsAny(title, "\r\n\x00") {
			t.Errorf("%q is no title", title)
		}
	})
}
