package text_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
)

func charset(t testing.TB, name string) text.Charset {
	t.Helper()
	c, err := text.ParseCharset(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClean(t *testing.T) {
	for _, c := range []struct{ name, charset, raw, want string }{
		{"UTF-8 stays", "", "Beyoncé – Déjà Vu", "Beyoncé – Déjà Vu"},
		{"Latin-1 is recognized", "", "Beyonc\xe9 - D\xe9j\xe0 Vu", "Beyoncé - Déjà Vu"},
		{"Windows-1252 is recognized", "", "It\x92s \x93quoted\x94 \x80", "It’s “quoted” €"},
		{"a byte that Windows-1252 lacks", "", "caf\xe9\x81", "café"},
		{"UTF-8 taken for Latin-1", "", "Beyonc\u00c3\u00a9 \u00e2\u0080\u0093 D\u00c3\u00a9j\u00c3\u00a0 Vu", "Beyoncé – Déjà Vu"},
		{"UTF-8 taken for Windows-1252", "", "BeyoncÃ© â€“ DÃ©jÃ\u00a0 Vu", "Beyoncé – Déjà Vu"},
		{"taken for Latin-1 twice", "", "BeyoncÃ\u0083Â©", "Beyoncé"},
		{"an à at the end", "", "voilÃ\u00a0", "voilà"},
		{"one letter shows that it is right", "", "Ã© – São Paulo é", "Ã© – São Paulo é"},
		{"a real à with a space", "", "Già visto", "Già visto"},
		{"CJK", "", "\u00e5\u0088\u009d\u00e6\u0081\u008b \u00f0\u009f\u008e\u00b5", "初恋 🎵"},
		{"entities", "", "Simon &amp; Garfunkel &#8211; &#x27;Mrs&#39; &eacute;", "Simon & Garfunkel – 'Mrs' é"},
		{"entities once", "", "&amp;eacute;", "&eacute;"},
		{"entities with Latin-1", "", "Beyonc\xe9 &#8211; &#21021;&#24651;", "Beyoncé – 初恋"},
		{"no entities", "", "R&B; AT&T & Q&notable; &copy &; &#; &nothing;", "R&B; AT&T & Q&notable; &copy &; &#; &nothing;"},
		{"ampersands side by side", "", "&&amp;&", "&&&"},
		{"an entity for a control character", "", "a&#1;b&#10;c", "ab c"},
		{"white space", "", " \t A\r\n B\u00a0\u2003C \x00\x00", "A B C"},
		{"control characters", "", "A\x01B\x7f\u0085C", "AB C"},
		{"an override of the direction", "", "\u202eevil\u202c", "evil"},
		{"right to left", "", "فيروز \u200f- نسم", "فيروز \u200f- نسم"},
		{"a joined emoji", "", "👩\u200d🎤", "👩\u200d🎤"},
		{"a byte order mark", "", "\ufeffTitle", "Title"},
		{"nothing", "", " \x00 ", ""},
		{"UTF-8 forced", "utf-8", "caf\xe9", "caf\ufffd"},
		{"Cyrillic", "windows-1251", "\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"},
		{"the euro of Latin-9", "ISO-8859-15", "\xa4", "€"},
		{"Latin-1 means Windows-1252", "iso-8859-1", "\x96", "–"},
		{"Latin-1 forced is believed", "iso-8859-1", "\xc3\xa9", "Ã©"},
		{"Japanese", "shift_jis", "\x8f\x89\x97\xf6", "初恋"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := text.Clean(c.raw, charset(t, c.charset)); got != c.want {
				t.Errorf("string: got %q, want %q", got, c.want)
			}
			if got := text.Clean([]byte(c.raw), charset(t, c.charset)); got != c.want {
				t.Errorf("bytes: got %q, want %q", got, c.want)
			}
		})
	}
}

func TestTranscoded(t *testing.T) {
	for _, c := range []struct{ name, charset, in, want string }{
		{"right already", "", "Beyoncé – Déjà Vu", "Beyoncé – Déjà Vu"},
		{"UTF-8 taken for Latin-1", "", "Beyonc\u00c3\u00a9", "Beyoncé"},
		{"the same, and UTF-8 is set", "utf-8", "Beyonc\u00c3\u00a9", "Beyoncé"},
		{"Cyrillic taken for Latin-1", "windows-1251", "Ïðèâåò", "Привет"},
		{"Cyrillic already", "windows-1251", "Привет", "Привет"},
		{"plain", "windows-1251", "Hello &amp; good  bye", "Hello & good bye"},
		{"Japanese taken for Latin-1", "shift_jis", "\u008f\u0089\u0097\u00f6", "初恋"},
		{"Latin-1 is Latin-1", "iso-8859-1", "Ã©", "Ã©"},
		{"not UTF-8 after all", "", "caf\xe9", "café"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := text.Transcoded(c.in, charset(t, c.charset)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestParseCharset(t *testing.T) {
	for name, want := range map[string]string{
		"": "auto", "auto": "auto", " UTF8 ": "utf-8", "Latin1": "windows-1252", "cp1251": "windows-1251", "koi8-r": "koi8-r",
	} {
		if c := charset(t, name); c.String() != want {
			t.Errorf("%q is %q, want %q", name, c, want)
		}
	}
	for _, name := range []string{"klingon", "utf-16le", "hz-gb-2312", "x-user-defined"} {
		if c, err := text.ParseCharset(name); err == nil {
			t.Errorf("%q is taken for %q", name, c)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "Beyonc\xe9", "BeyoncÃ© â€“", "&amp;&#xD800;&#0;&eacute", "\x00 A\r\nB ", "\u202e\ufeff", "\xff\xfe", "Ïðèâåò"} {
		for _, c := range []string{"", "utf-8", "windows-1251", "shift_jis", "gb18030"} {
			f.Add(s, c)
		}
	}
	f.Fuzz(func(t *testing.T, raw, name string) {
		c, err := text.ParseCharset(name)
		if err != nil {
			return
		}
		for _, got := range []string{text.Clean(raw, c), text.Transcoded(raw, c)} {
			switch {
			case !utf8.ValidString(got):
				t.Fatalf("%q (%s): %q is no UTF-8", raw, c, got)
			case strings.ContainsFunc(got, unicode.IsControl):
				t.Fatalf("%q (%s): %q has control characters", raw, c, got)
			case got != strings.Join(strings.Fields(got), " "):
				t.Fatalf("%q (%s): %q has white space to spare", raw, c, got)
			}
		}
		if plain := strings.Join(strings.Fields(raw), " "); isPlain(plain) && c.String() == "auto" {
			if got := text.Clean(raw, c); got != plain {
				t.Fatalf("%q became %q", plain, got)
			}
		}
	})
}

// isPlain reports whether s is what nobody would change.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '&' {
			return false
		}
	}
	return true
}
