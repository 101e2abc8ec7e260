package file_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/file"
	"github.com/wallcast/wallcast/sources/sourcetest"
)

// settings are the defaults with a path and a mode.
func settings(path, mode string) *file.Settings {
	s := file.Type.New().(*file.Settings)
	s.Path, s.Mode, s.Every = path, mode, time.Millisecond
	return s
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// later moves a file's time of modification: a test is quicker than the clock of
// a file system ticks.
func later(t *testing.T, path string, minutes int) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	when := info.ModTime().Add(time.Duration(minutes) * time.Minute)
	if err := os.Chtimes(path, when, when); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestConformanceReplay(t *testing.T) {
	sourcetest.Run(t, sourcetest.Case{Type: file.Type, Bubble: true, Open: func(t *testing.T) sourcetest.Upstream {
		path := filepath.Join(t.TempDir(), "statuses.txt")
		write(t, path, "# statuses\none\n\ntwo\ntwo\n{\"kind\":\"friend\",\"text\":\"three\"}\r\nfour")
		s := settings(path, "replay")
		s.Loop = false
		return sourcetest.Upstream{Settings: s, Want: []string{"one", "two", "two", `{"text":"three"}`, "four"}}
	}})
}

func TestConformanceFollow(t *testing.T) {
	t.Run("all there", func(t *testing.T) {
		sourcetest.Run(t, sourcetest.Case{Type: file.Type, Bubble: true, Open: func(t *testing.T) sourcetest.Upstream {
			path := filepath.Join(t.TempDir(), "app.log")
			write(t, path, "one\ntwo\n\nthree\nfour\npart")
			s := settings(path, "follow")
			s.From = "start"
			return sourcetest.Upstream{Settings: s, Want: []string{"one", "two", "three", "four"}}
		}})
	})
	t.Run("rotated twice", func(t *testing.T) {
		sourcetest.Run(t, sourcetest.Case{Type: file.Type, Bubble: true, Open: func(t *testing.T) sourcetest.Upstream {
			path := filepath.Join(t.TempDir(), "app.log")
			write(t, path, "zero\n")
			s := settings(path, "follow")
			s.From = "start"
			next := func(i int) {
				switch i {
				case 1:
					add(t, path, "one")
					rename(t, path, path+".1")
					write(t, path, "two\n")
					rename(t, path+".1", path+".2")
					rename(t, path, path+".1")
					write(t, path, "three\n")
				case 4:
					add(t, path, "four\n")
				}
			}
			return sourcetest.Upstream{Settings: s, Next: next, Want: []string{"zero", "one", "two", "three", "four"}}
		}})
	})
}

func TestConformanceValue(t *testing.T) {
	sourcetest.Run(t, sourcetest.Case{Type: file.Type, Bubble: true, Idle: 500 * time.Millisecond, Open: func(t *testing.T) sourcetest.Upstream {
		path := filepath.Join(t.TempDir(), "now.txt")
		want := []string{"Nina Simone - Sinnerman", "Dinah Washington - Mad About the Boy", "Ella"}
		return sourcetest.Upstream{Settings: settings(path, "value"), Want: want, Next: func(i int) {
			write(t, path, want[i]+"\r\n")
		}}
	}})
}

func TestBadSettings(t *testing.T) {
	for setting, change := range map[string]func(*file.Settings){
		"path":     func(s *file.Settings) { s.Path = "" },
		"mode":     func(s *file.Settings) { s.Mode = "reply" },
		"every":    func(s *file.Settings) { s.Every = 0 },
		"from":     func(s *file.Settings) { s.From = "middle" },
		"encoding": func(s *file.Settings) { s.Encoding = "latin-1" },
	} {
		s := settings("x", "replay")
		change(s)
		_, err := s.Source(sources.Env{})
		if wrong := (*sources.SettingError)(nil); !errors.As(err, &wrong) || wrong.Setting != setting {
			t.Errorf("%s: error %v", setting, err)
		}
	}
	s := settings("x", "")
	if _, err := s.Source(sources.Env{}); err == nil {
		t.Error("no mode is no error")
	}
}

func ExampleSettings() {
	s := file.Type.New().(*file.Settings)
	s.Path, s.Mode = "now.txt", "valu"
	_, err := s.Source(sources.Env{Name: "jazz", Folder: "/etc/wallcast"})
	fmt.Println(err)
	// Output: mode: "valu" is none of replay, follow and value
}
