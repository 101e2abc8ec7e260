package plugins_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/wallcast/wallcast/plugins"
)

// FuzzLines: however a text is cut into writes, its lines are those of the text
// that are not too long.
func FuzzLines(f *testing.F) {
	f.Add([]byte("one\ntwo\r\n\nlonger than eight\nlast"), uint8(3))
	f.Add([]byte("12345678\r\n123456789\r\n12345678\r"), uint8(1))
	f.Add([]byte("\n\n"), uint8(200))
	f.Fuzz(func(t *testing.T, text []byte, size uint8) {
		var lines []string
		var tooLong []int
		l := plugins.Lines{
			Most: 8, Total: int64(len(text)),
			Line:    func(line []byte) error { lines = append(lines, string(line)); return nil },
			TooLong: func(number int) { tooLong = append(tooLong, number) },
		}
		for part := range slices.Chunk(text, int(size)+1) {
			if n, err := l.Write(part); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := l.End(); err != nil {
			t.Fatal(err)
		}
		var wantLines []string
		var wantLong []int
		all := strings.Split(string(text), "\n")
		if all[len(all)-1] == "" {
			all = all[:len(all)-1]
		}
		for i, line := range all {
			if line = strings.TrimSuffix(line, "\r"); len(line) > 8 {
				wantLong = append(wantLong, i+1)
			} else {
				wantLines = append(wantLines, line)
			}
		}
		if !slices.Equal(lines, wantLines) || !slices.Equal(tooLong, wantLong) {
			t.Errorf("%q gave %q and %v too long, want %q and %v", text, lines, tooLong, wantLines, wantLong)
		}
	})
}

func TestLinesEndAtTheirLimit(t *testing.T) {
	var got bytes.Buffer
	l := plugins.Lines{
		Most: 80, Total: 6, TooLong: func(int) {},
		Line: func(line []byte) error { got.Write(line); return nil },
	}
	if _, err := l.Write([]byte("ab\ncd\nef\n")); err != plugins.ErrTooMuch {
		t.Error(err)
	}
	if _, err := l.Write([]byte("g\n")); err != plugins.ErrTooMuch {
		t.Error(err)
	}
	if err := l.End(); err != plugins.ErrTooMuch || got.String() != "abcd" {
		t.Error(err, got.String())
	}
}

func TestLinesWithoutTooLongAreCut(t *testing.T) {
	var got []string
	l := plugins.Lines{Most: 4, Total: 12, Line: func(line []byte) error { got = append(got, string(line)); return nil }}
	for range 3 {
		if n, err := l.Write([]byte("abcdef\n")); n != 7 || err != nil {
			t.Error(n, err)
		}
	}
	want := []string{"abcd", "abcd", "… 12 bytes more were left out"}
	if err := l.End(); err != nil || !slices.Equal(got, want) {
		t.Error(err, got)
	}
}

func TestLinesStopAtAnError(t *testing.T) {
	refused := errors.New("refused")
	given := 0
	l := plugins.Lines{Most: 4, Total: 99, Line: func([]byte) error { given++; return refused }}
	if _, err := l.Write([]byte("a\nb\nc")); err != refused {
		t.Error(err)
	}
	if err := l.End(); err != refused || given != 1 {
		t.Error(err, given)
	}
}
