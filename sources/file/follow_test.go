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

// followed prepares a log with one line that is there before the first run.
func followed(t *testing.T) (log string, store *sourcetest.Store) {
	t.Helper()
	log = filepath.Join(t.TempDir(), "app.log")
	write(t, log, "before\n")
	return log, sourcetest.NewStore()
}

func TestFollowBeginsAtTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := followed(t)
		add(t, log, "half a")
		r := start(t, store, settings(log, "follow"))
		r.want()
		add(t, log, " line\none\n")
		r.pass(250 * time.Millisecond)
		if len(store.Data()) != 2 {
			t.Errorf("after 250 ms %q is stored", store.Data())
		}
		r.want("half a line", "one")
	})
}

// The first run stores that it was the first, though it has emitted nothing.
func TestLinesBeforeTheFirstEventAreNotLost(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := followed(t)
		start(t, store, settings(log, "follow")).Stop()
		add(t, log, "one\n")
		rename(t, log, log+".1")
		add(t, log, "two\n")
		start(t, store, settings(log, "follow")).want("one", "two")
	})
}

func TestFileThatAppearsIsReadFromItsStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store, log := sourcetest.NewStore(), filepath.Join(t.TempDir(), "app.log")
		r := start(t, store, settings(log, "follow"))
		r.pass(5 * time.Second)
		r.wantWarning("does not exist; waiting")
		r.Stop()
		add(t, log, "one\n")
		r = start(t, store, settings(log, "follow"))
		r.want("one")
		r.wantWarning("")
	})
}

func TestHalfALineWaitsForItsEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := followed(t)
		r := start(t, store, settings(log, "follow"))
		add(t, log, "one\ntw")
		r.want("one")
		r.Stop()
		r = start(t, store, settings(log, "follow"))
		r.want("one")
		add(t, log, "o\r\n\n")
		r.want("one", "two")
	})
}

func TestRotationByRename(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := followed(t)
		r := start(t, store, settings(log, "follow"))
		add(t, log, "one\n")
		r.want("one")
		rename(t, log, log+".1")
		add(t, log+".1", "two\n") // the writer has not noticed
		r.want("one", "two")
		write(t, log, "")
		add(t, log+".1", "three\npart")
		r.want("one", "two", "three")
		add(t, log, "four\n")
		r.want("one", "two", "three", "part", "four")
		rename(t, log+".1", log+".2")
		rename(t, log, log+".1")
		r.pass(5 * time.Second)
		r.wantWarning("does not exist")
		add(t, log, "five\n")
		r.want("one", "two", "three", "part", "four", "five")
		r.wantWarning("")
	})
}

func TestRotationsBetweenTwoLooks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := followed(t)
		r := start(t, store, settings(log, "follow"))
		for n, line := range []string{"one", "two", "three"} {
			add(t, log, line+"\n")
			later(t, log, n)
			if _, err := os.Stat(log + ".1"); err == nil {
				rename(t, log+".1", log+".2")
			}
			rename(t, log, log+".1")
		}
		add(t, log, "four\n")
		// The file with "one" has been overwritten under its name, but is still open.
		r.want("one", "two", "three", "four")
	})
}

func TestRotationWhileStopped(t *testing.T) {
	for name, names := range map[string][]string{
		"numbers":         {"app.log.3", "app.log.2", "app.log.1"},
		"dates":           {"app.log-20260101", "app.log-20260102", "app.log-20260103"},
		"dates within":    {"app-2026-01-01T10-00-00.000.log", "app-2026-01-02T10-00-00.000.log", "app-2026-01-03T10-00-00.000.log"},
		"a name of ours":  {"renamed by hand", "app.log.2", "app.log.1"},
		"others in there": {"app.log.3", "app.log.2", "app.log.1", "app.log.bak", "other.log", "app.log.4.gz"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				log, store := followed(t)
				r := start(t, store, settings(log, "follow"))
				add(t, log, "one\n")
				r.want("one")
				r.Stop()
				folder := filepath.Dir(log)
				add(t, log, "two\n")
				for i, other := range names[min(3, len(names)):] {
					write(t, filepath.Join(folder, other), "not ours "+names[i]+"\n")
				}
				rename(t, log, filepath.Join(folder, names[0]))
				write(t, filepath.Join(folder, names[1]), "three\nend")
				write(t, filepath.Join(folder, names[2]), "four\n")
				write(t, log, "five\n")
				for n, name := range names[:3] {
					later(t, filepath.Join(folder, name), n)
				}
				r = start(t, store, settings(log, "follow"))
				r.pass(looks)
				r.want("one", "two", "three", "end", "four", "five")
				r.wantWarning("")
			})
		})
	}
}

func TestTruncation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := followed(t)
		r := start(t, store, settings(log, "follow"))
		add(t, log, "one\n")
		r.want("one")
		write(t, log, "two\n") // shorter
		r.want("one", "two")
		write(t, log, "six\n") // as long
		r.want("one", "two", "six")
		write(t, log, "three\nfour\n") // longer
		r.want("one", "two", "six", "three", "four")
		r.Stop()
		write(t, log, "something else altogether\n")
		start(t, store, settings(log, "follow")).want("one", "two", "six", "three", "four", "something else altogether")
	})
}

// Of several that write a log, one may notice its rotation before another.
func TestLateLineInTheRotatedFile(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := followed(t)
		r := start(t, store, settings(log, "follow"))
		add(t, log, "one\n")
		r.want("one")
		r.pass(50 * time.Millisecond) // between two looks
		rename(t, log, log+".1")
		add(t, log, "three\n")
		r.pass(100 * time.Millisecond)
		add(t, log+".1", "two\n")
		r.want("one", "two", "three")
	})
}

func TestCopyAndTruncate(t *testing.T) {
	for name, stopped := range map[string]bool{"running": false, "stopped": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				log, store := followed(t)
				r := start(t, store, settings(log, "follow"))
				add(t, log, "one\npar")
				r.want("one")
				if stopped {
					r.Stop()
				}
				// All between two looks.
				add(t, log, "t\ntwo\n")
				text, err := os.ReadFile(log)
				if err != nil {
					t.Fatal(err)
				}
				write(t, log+".1", string(text))
				write(t, log, "")
				add(t, log, "three\n")
				if stopped {
					r = start(t, store, settings(log, "follow"))
				}
				r.want("one", "part", "two", "three")
			})
		})
	}
}

// A file system gives the number of a deleted file to the next one.
func TestDeletedAndMadeAgainWhileStopped(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := followed(t)
		r := start(t, store, settings(log, "follow"))
		add(t, log, "one\n")
		r.want("one")
		r.Stop()
		if err := os.Remove(log); err != nil {
			t.Fatal(err)
		}
		write(t, log, "before\none\ntwo\n")
		start(t, store, settings(log, "follow")).want("one", "before", "one", "two")
	})
}

func TestSavedByAnEditor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := followed(t)
		text := strings.Repeat("some text before\n", 50)
		write(t, log, text)
		r := start(t, store, settings(log, "follow"))
		save := func(line string) {
			text += line
			write(t, log+"~", text)
			rename(t, log+"~", log)
		}
		save("one\n")
		r.want("one")
		r.Stop()
		save("two\n")
		start(t, store, settings(log, "follow")).want("one", "two")
	})
}

func TestLinkThatIsTurnedToAnotherFile(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		folder, store := t.TempDir(), sourcetest.NewStore()
		link := filepath.Join(folder, "current")
		write(t, filepath.Join(folder, "a"), "before\n")
		if err := os.Symlink("a", link); err != nil {
			t.Fatal(err)
		}
		r := start(t, store, settings(link, "follow"))
		add(t, link, "one\n")
		r.want("one")
		write(t, filepath.Join(folder, "b"), "three\n")
		add(t, link, "two\n")
		if err := os.Symlink("b", link+"2"); err != nil {
			t.Fatal(err)
		}
		rename(t, link+"2", link)
		r.want("one", "two", "three")
	})
}

func TestLongLineIsSkipped(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := followed(t)
		r := start(t, store, settings(log, "follow"))
		fits := strings.Repeat("x", file.MaxLine)
		add(t, log, "one\n"+strings.Repeat("long ", 100_000)+"\ntwo\n"+fits+"\r\n"+fits+"y\n")
		r.want("one", "two", fits)
		r.wantWarning("longer than 64 KiB and is skipped")
		r.Stop()
		add(t, log, "three\n")
		start(t, store, settings(log, "follow")).want("one", "two", fits, "three")
	})
}

func TestEncodings(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		log, store := followed(t)
		s := settings(log, "follow")
		s.From = "start"
		write(t, log, "\xEF\xBB\xBFM\u00fcnchen\nBj\xf6rk \x96 \x93J\xf3ga\x94\n")
		start(t, store, s).want("München", "Björk – “Jóga”")
	})
}

func TestPathThatCannotBeFollowed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, mode := range []string{"follow", "replay", "value"} {
			r := start(t, sourcetest.NewStore(), settings(t.TempDir(), mode))
			r.pass(5 * time.Second)
			r.wantWarning("is a folder; name a file in it")
			r.Stop()
		}
	})
}

func TestUnreadableFile(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read every file")
	}
	inBubble(t, func(t *testing.T) {
		for _, mode := range []string{"follow", "replay", "value"} {
			path := filepath.Join(t.TempDir(), "x")
			write(t, path, "x\n")
			if err := os.Chmod(path, 0); err != nil {
				t.Fatal(err)
			}
			r := start(t, sourcetest.NewStore(), settings(path, mode))
			r.pass(5 * time.Second)
			r.wantWarning("may not be read")
			r.Stop()
		}
	})
}
