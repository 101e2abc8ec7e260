package replay

import (
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Recorded returns a recording, a file in the testdata of the package under test.
func Recorded(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Python returns the bytes that a Python literal stands for, b'…' or b"…": so
// they are in recordings.
func Python(t testing.TB, literal string) string {
	t.Helper()
	quoted := literal[2 : len(literal)-1]
	quoted = strings.ReplaceAll(quoted, `\'`, `'`)
	quoted = regexp.MustCompile(`\\.|"`).ReplaceAllStringFunc(quoted, func(s string) string {
		if s == `"` {
			return `\"`
		}
		return s
	})
	s, err := strconv.Unquote(`"` + quoted + `"`)
	if err != nil {
		t.Fatalf("%s: %v", literal, err)
	}
	return s
}

// Title is one line of a recorded matrix: what an Icecast made of a title that it
// was sent. The texts are Python literals; those of Long were recorded without
// their end.
type Title struct {
	Case     string
	JSON     string `json:"json_title_raw"` // of the public status
	AdminXML string `json:"admin_xml"`
	Block    string `json:"icy_block"` // within the stream

	Want string `json:"-"` // what it must give
}

// Long is the case of a title that was too long to be recorded.
const Long = "long-1200"

// matrices are recordings of the same titles: of a mount as it is by default, and
// of one that is said to be in UTF-8.
var matrices = []string{"10-metadata-matrix-default-charset.jsonl", "11-metadata-matrix-mount-charset-utf8.jsonl"}

// titles is what each case of the matrices must give.
var titles = map[string]string{
	"utf8-plain":              "Beyoncé – Déjà Vu",
	"latin1-plain":            "Beyoncé - Déjà Vu",
	"cjk-emoji":               "宇多田ヒカル - 初恋 🎵",
	"amp-lt-gt":               "Simon & Garfunkel - <Mrs> Robinson",
	"backslash":               `AC\DC - Back\slash`,
	"no-separator":            "Station jingle",
	"space-song":              "",
	"sp-dash-sp":              "-",
	"empty-title":             "Artist Only -",
	"numeric-007":             "007",
	"numeric-1.":              "1.",
	"numeric-+44":             "+44",
	"numeric-spaces":          "22",
	"null":                    "null",
	"Infinity":                "Infinity",
	"crlf":                    "A B",
	"nul":                     "Before",
	"double-encoded":          "Beyoncé",
	Long:                      strings.Repeat("L", 1200),
	"plus-as-space":           "A B - C D",
	"final-normal":            "Normal - Again",
	"song-after-artist+title": "Art Ist - Plain - Song",
	"artist-only-param":       "Art Ist - Plain - Song",
}

// Titles calls check with every title of the matrices, in a subtest each that is
// named by the recording's number and the case. except is what must come of some
// instead, by that name.
func Titles(t *testing.T, except map[string]string, check func(*testing.T, Title)) {
	for _, file := range matrices {
		cases := map[string]bool{}
		for text := range strings.Lines(Recorded(t, file)) {
			if strings.HasPrefix(text, "#") {
				continue
			}
			var title Title
			if err := json.Unmarshal([]byte(text), &title); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			name := file[:2] + " " + title.Case
			want, ok := except[name]
			if !ok {
				want, ok = titles[title.Case]
			}
			if !ok {
				t.Fatalf("%s: what should %q give?", file, title.Case)
			}
			title.Want = want
			cases[title.Case] = true
			t.Run(name, func(t *testing.T) { check(t, title) })
		}
		if len(cases) != len(titles) {
			t.Errorf("%s: %d cases, want %d", file, len(cases), len(titles))
		}
	}
}
