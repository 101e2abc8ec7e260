package file_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources/file"
	"github.com/wallcast/wallcast/sources/sourcetest"
)

func valued(t *testing.T) (path string, store *sourcetest.Store) {
	t.Helper()
	return filepath.Join(t.TempDir(), "now.txt"), sourcetest.NewStore()
}

func TestValueIsEmittedWhenItChanges(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		path, store := valued(t)
		r := start(t, store, settings(path, "value"))
		r.wantWarning("does not exist; waiting")
		write(t, path, "\r\n  A - One \r\n")
		r.want("A - One")
		r.wantWarning("")
		write(t, path, "A - One\n")
		r.want("A - One")
		write(t, path, "B - Two")
		r.want("A - One", "B - Two")
		write(t, path, " \n") // no value
		r.want("A - One", "B - Two")
		r.Stop()
		write(t, path, "B - Two\n")
		r = start(t, store, settings(path, "value"))
		r.want("A - One", "B - Two")
		write(t, path+"~", "A - One")
		rename(t, path+"~", path)
		r.want("A - One", "B - Two", "A - One")
		r.Stop()
		write(t, path, "C - Three")
		start(t, store, settings(path, "value")).want("A - One", "B - Two", "A - One", "C - Three")
	})
}

func TestHalfWrittenValueIsNotTaken(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		path, store := valued(t)
		write(t, path, "A - One")
		r := start(t, store, settings(path, "value"))
		write(t, path, "")
		for _, part := range []string{"B", " - ", "Tw", "o"} {
			r.pass(150 * time.Millisecond)
			add(t, path, part)
		}
		r.want("A - One", "B - Two")
	})
}

func TestValueEncodings(t *testing.T) {
	for name, text := range map[string]string{
		"UTF-8":                "Björk – Jóga",
		"UTF-8 with a mark":    "\xEF\xBB\xBFBjörk – Jóga\r\n",
		"Windows-1252":         "Bj\xf6rk \x96 J\xf3ga",
		"UTF-16 little endian": "\xff\xfeB\x00j\x00\xf6\x00r\x00k\x00 \x00\x13\x20 \x00J\x00\xf3\x00g\x00a\x00\r\x00\n\x00",
		"UTF-16 big endian":    "\xfe\xff\x00B\x00j\x00\xf6\x00r\x00k\x00 \x20\x13\x00 \x00J\x00\xf3\x00g\x00a",
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				path, store := valued(t)
				write(t, path, text)
				start(t, store, settings(path, "value")).want("Björk – Jóga")
			})
		})
	}
}

func TestValueOfManyLines(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		path, store := valued(t)
		write(t, path, "{\n  \"kind\": \"song\",\n  \"title\": \"One\"\n}\n")
		r := start(t, store, settings(path, "value"))
		r.want(`{"title": "One"}`)
		write(t, path, "one\ntwo\n")
		r.want(`{"title": "One"}`, "one\ntwo")
	})
}

func TestValueThatIsTooLong(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		path, store := valued(t)
		for _, size := range []int{file.MaxLine + 1, 3 * file.MaxLine} {
			write(t, path, strings.Repeat("x", size))
			r := start(t, store, settings(path, "value"))
			r.want()
			r.wantWarning("is longer than 64 KiB")
			r.Stop()
		}
		fits := strings.Repeat("x", file.MaxLine)
		write(t, path, "\n"+fits+"\n")
		r := start(t, store, settings(path, "value"))
		r.want(fits)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Second)
		r.wantWarning("does not exist")
	})
}
