package textfile_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/textfile"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// watching is a watched file in a bubble.
type watching struct {
	t    *testing.T
	path string

	mu   sync.Mutex
	rows []string
	end  error
}

func watch(t *testing.T, path string) *watching {
	w := &watching{t: t, path: path}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := textfile.Config{Path: path}.Watch(ctx, func(r upstream.Report) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.rows = append(w.rows, r.Song.Text+r.Song.Artist+"|"+r.Song.Title)
		})
		w.mu.Lock()
		defer w.mu.Unlock()
		w.end = err
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return w
}

func (w *watching) write(content string) {
	w.t.Helper()
	if err := os.WriteFile(w.path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *watching) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *watching) want(rows ...string) {
	w.t.Helper()
	w.pass(time.Second)
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.rows, rows) {
		w.t.Errorf("the reports are %q, want %q", w.rows, rows)
	}
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "now.txt")
		if err := os.WriteFile(path, []byte("A - One\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		w := watch(t, path)
		w.want("A - One|")
		w.write("") // and half of it a moment later
		w.pass(350 * time.Millisecond)
		w.write("B - ")
		w.pass(350 * time.Millisecond)
		w.write("B - Two")
		w.want("A - One|", "B - Two|")
		if err := os.Remove(path); err != nil { // to be replaced
			t.Fatal(err)
		}
		w.pass(time.Second)
		w.write("C - Three")
		w.want("A - One|", "B - Two|", "C - Three|")
		w.pass(20 * time.Second) // it is still there
		w.want("A - One|", "B - Two|", "C - Three|", "C - Three|")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		w.pass(5 * time.Second)
		if w.mu.Lock(); w.end == nil || !strings.Contains(w.end.Error(), "does not exist") {
			t.Errorf("of a file that is gone it says %v", w.end)
		}
		w.mu.Unlock()
	})
}

func TestWhatIsNoFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		if err := (textfile.Config{Path: folder}).Watch(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("of a folder it says %v", err)
		}
		path := filepath.Join(folder, "large")
		if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := (textfile.Config{Path: path}).Watch(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "longer than 64 KiB") {
			t.Errorf("of a large file it says %v", err)
		}
	})
}

func utf16Of(s string, high bool) string {
	b := []byte{0xff, 0xfe}
	if high {
		b = []byte{0xfe, 0xff}
	}
	for _, u := range utf16.Encode([]rune(s)) {
		if high {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return string(b)
}

func TestParse(t *testing.T) {
	cyrillic, err := text.ParseCharset("windows-1251")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		in, want string
		charset  text.Charset
	}{
		"UTF-8":              {in: "Beyoncé - Déjà Vu\n", want: "Beyoncé - Déjà Vu||"},
		"with a mark":        {in: "\xEF\xBB\xBFA - T", want: "A - T||"},
		"Windows-1252":       {in: "Beyonc\xe9 \x96 D\xe9j\xe0 Vu", want: "Beyoncé – Déjà Vu||"},
		"UTF-16":             {in: utf16Of("宇多田 - 初恋 🎵\r\n", false), want: "宇多田 - 初恋 🎵||"},
		"UTF-16, high first": {in: utf16Of("宇多田 - 初恋 🎵", true), want: "宇多田 - 初恋 🎵||"},
		"a charset":          {in: "\xcc\xf3 - \xc4\xe0", want: "Му - Да||", charset: cyrillic},
		"a mark beats it":    {in: "\xEF\xBB\xBFМу", want: "Му||", charset: cyrillic},
		"two lines":          {in: "A\r\nT\r\n\r\n", want: "|A|T"},
		"old Mac's":          {in: "A\rT", want: "|A|T"},
		"three lines":        {in: "A - T\nAlbum\n3:45", want: "A - T||"},
		"nothing":            {in: "\r\n \x00", want: "||"},
	} {
		s := textfile.Parse([]byte(c.in), c.charset)
		if got := s.Text + "|" + s.Artist + "|" + s.Title; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"A - T", "A\nT", "\xff\xfeA\x00", "\xfe\xff\x00", "\xe9"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := textfile.Parse(data, text.Charset{})
		for _, part := range []string{s.Text, s.Artist, s.Title} {
			if !utf8.ValidString(part) || strings.ContainsAny(part, "\r\n\x00") {
				t.Errorf("%q is no title", part)
			}
		}
	})
}
