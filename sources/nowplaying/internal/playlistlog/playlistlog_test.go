package playlistlog_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/playlistlog"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// log is a followed log in a bubble.
type log struct {
	t    *testing.T
	path string

	mu       sync.Mutex
	rows     []string
	warnings []string
	end      error
}

func newLog(t *testing.T) *log {
	return &log{t: t, path: filepath.Join(t.TempDir(), "playlist.log")}
}

// follow begins to follow the log.
func (l *log) follow(mount string) {
	ctx, cancel := context.WithCancel(l.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := playlistlog.Config{Path: l.path, Mount: mount, Warn: l.warn}.Watch(ctx, l.report)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.end = err
	}()
	l.t.Cleanup(func() {
		cancel()
		<-ended
	})
}

func (l *log) report(r upstream.Report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	row := r.Song.Text
	if r.Listeners != nil {
		row += fmt.Sprintf(" %d", *r.Listeners)
	}
	if !r.Song.StartedAt.IsZero() {
		row += r.Song.StartedAt.UTC().Format(" 15:04:05")
	}
	l.rows = append(l.rows, row)
}

func (l *log) warn(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.warnings = append(l.warnings, fmt.Sprint(err))
}

// write appends to the file that has the name.
func (l *log) write(text string) {
	l.t.Helper()
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		l.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		l.t.Fatal(err)
	}
}

// put appends an entry.
func (l *log) put(clock, mount, title string) {
	l.t.Helper()
	l.write("22/Nov/2026:" + clock + " +0000|" + mount + "|3|" + title + "\n")
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// want compares what was reported since the last want.
func (l *log) want(rows ...string) {
	l.t.Helper()
	pass(time.Second)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.rows, rows) {
		l.t.Errorf("the reports are %q, want %q", l.rows, rows)
	}
	l.rows = nil
}

// wantEnd wants that following has ended with an error that says so.
func (l *log) wantEnd(says string) {
	l.t.Helper()
	pass(3 * time.Second)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end == nil || !strings.Contains(l.end.Error(), says) || strings.Contains(l.end.Error(), "\n") {
		l.t.Errorf("it ended with %v, want %q", l.end, says)
	}
}

func recording(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile("testdata/42-playlist.log")
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(strings.Lines(string(data)))
}

// TestRecording lets a log grow as a server wrote it.
func TestRecording(t *testing.T) {
	for mount, want := range map[string][]string{
		"/main.mp3": {"After - Restart 1 06:42:05", "Pipe | In & Title 1 06:42:10", "Ünï - cöde 1 06:42:13", "M - 1 0 06:42:50"},
		"/two.ogg":  {"Vorbis Artist - 初恋 0 06:43:38"},
		"liq.mp3": {
			"Normal Artist - Normal Title 0 06:45:10", "宇多田ヒカル - 初恋 🎵 0 06:45:18", `Simon & Garfunkel - Don't; "Stop" & Go 0 06:45:26`,
			"Unknown 0 06:45:34", "NL - Line1 Line2 1 06:45:40", "First;Second - Duet 1 06:45:46", "Beyoncé - Déjà Vu 1 06:45:52",
			"Normal Artist - Normal Title 1 06:45:58", "宇多田ヒカル - 初恋 🎵 1 06:46:06", `Simon & Garfunkel - Don't; "Stop" & Go 1 06:46:14`,
			"Unknown 0 06:46:22", "NL - Line1 Line2 0 06:46:28", "First;Second - Duet 0 06:46:34", "Beyoncé - Déjà Vu 0 06:46:40",
		},
		"/utf8.mp3": {"Ins Art - Inserted ☕ — title 0 06:47:26"},
		"/one.mp3":  {"Artist One - Title One 0 06:43:39", "Stream Artist - Stream Song 1 0 06:48:03", "Beyoncé - Déjà Vu 1 06:48:05"},
	} {
		t.Run(mount, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLog(t)
				l.write("")
				l.follow(mount)
				l.want("")
				var got []string
				for _, line := range recording(t) {
					l.write(line[:len(line)/2])
					pass(300 * time.Millisecond) // half of a line is none
					l.write(line[len(line)/2:])
					if strings.HasSuffix(line, "Line1\n") {
						continue // the server writes both lines at once
					}
					pass(500 * time.Millisecond)
					l.mu.Lock()
					got = append(got, l.rows...)
					l.rows = nil
					l.mu.Unlock()
				}
				got = slices.DeleteFunc(slices.Compact(got), func(row string) bool {
					return row == "" || strings.HasPrefix(row, "NL - Line1 ") && !strings.Contains(row, "Line2")
				})
				if !slices.Equal(got, want) {
					t.Errorf("the reports are\n%q, want\n%q", got, want)
				}
			})
		})
	}
}

func TestTheNewestAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t)
		l.write(strings.Join(recording(t), ""))
		l.follow("/one.mp3")
		l.want("Beyoncé - Déjà Vu 1 06:48:05")
		pass(15 * time.Second) // it is still there
		l.want("Beyoncé - Déjà Vu 1 06:48:05")

		// The same once more, as after a pause of the source, began when it did.
		l.put("06:50:00", "/one.mp3", "Beyonc\xe9 - D\xe9j\xe0 Vu")
		l.want("Beyoncé - Déjà Vu 3 06:48:05")
		l.put("06:51:00", "/one.mp3", "")
		l.want(" 3")
		l.put("06:52:00", "/two.ogg", "Another - Mount")
		l.want()
	})
}

func TestALargeLogIsReadFromNearItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t)
		l.put("01:00:00", "/rare.mp3", "Long - Ago")
		for n := range 8000 {
			l.put("02:00:00", "/live.mp3", fmt.Sprint("A - Song with a title of some length, number ", n))
		}
		l.follow("/rare.mp3")
		l.want("")
		l.mu.Lock()
		if want := []string{l.path + " has nothing of /rare.mp3 yet, and of /live.mp3"}; !slices.Equal(l.warnings, want) {
			t.Errorf("the warnings are %q, want %q", l.warnings, want)
		}
		l.mu.Unlock()
		l.put("03:00:00", "/rare.mp3", "At - Last")
		l.want("At - Last 3 03:00:00")
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.warnings) != 2 || l.warnings[1] != "<nil>" {
			t.Errorf("the warnings are %q, want that it is over", l.warnings)
		}
	})
}

func (l *log) rename() {
	l.t.Helper()
	if err := os.Rename(l.path, l.path+".old"); err != nil {
		l.t.Fatal(err)
	}
}

func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t)
		l.put("01:00:00", "/a", "A - One")
		l.follow("")
		l.want("A - One 3 01:00:00")

		// The server goes on with the old one until it is told.
		old, err := os.OpenFile(l.path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		l.rename()
		pass(time.Second)
		l.write("")
		pass(5 * time.Second)
		if _, err := old.WriteString("22/Nov/2026:01:01:00 +0000|/a|4|B - Two\n"); err != nil {
			t.Fatal(err)
		}
		l.want("B - Two 4 01:01:00")
		if _, err := old.WriteString("22/Nov/2026:01:02:00 +0000|/a|4|C - Three\n"); err != nil {
			t.Fatal(err)
		}
		l.put("01:03:00", "/a", "D - Four")
		l.want("D - Four 3 01:03:00")

		// A copy is made of it, and it is emptied.
		if err := os.Truncate(l.path, 0); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		l.put("01:04:00", "/a", "E")
		l.want("E 3 01:04:00")

		l.rename()
		l.wantEnd("playlist.log does not exist")
	})
}

func TestWhatCannotBeFollowed(t *testing.T) {
	for says, prepare := range map[string]func(*log){
		"playlist.log does not exist": func(*log) {},
		"not a regular file":          func(l *log) { l.path = l.t.TempDir() },
		"is no playlist log of Icecast": func(l *log) {
			l.write(`127.0.0.1 - - [22/Nov/2026:06:42:05 +0000] "GET /main.mp3 HTTP/1.1" 200 1234 "-" "x" 3` + "\n")
		},
		"has several mounts (/a, /b); say which one with mount": func(l *log) {
			l.put("01:00:00", "/a", "A")
			l.put("01:00:00", "/b", "B")
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newLog(t)
			prepare(l)
			l.follow("")
			l.wantEnd(says)
		})
	}
}
