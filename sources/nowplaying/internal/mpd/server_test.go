package mpd_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/mpd"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/mpdtest"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// patience is how long the real server may take for anything.
const patience = 20 * time.Second

// watching is what is reported while a test goes on.
type watching struct {
	t       *testing.T
	reports chan upstream.Report
	ended   chan error
}

func config(d *mpdtest.Daemon) mpd.Config {
	return mpd.Config{Network: "unix", Address: d.Socket(), Pictures: true, Dial: new(net.Dialer).DialContext}
}

func begin(t *testing.T, c mpd.Config) *watching {
	w := &watching{t, make(chan upstream.Report, 100), make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { w.ended <- c.Watch(ctx, func(r upstream.Report) { w.reports <- r }) }()
	t.Cleanup(func() {
		cancel()
		<-w.ended
	})
	return w
}

// until waits for a report.
func (w *watching) until(what string, ok func(upstream.Report) bool) upstream.Report {
	w.t.Helper()
	var seen []string
	for deadline := time.After(patience); ; {
		select {
		case r := <-w.reports:
			if ok(r) {
				return r
			}
			seen = append(seen, row(r))
		case err := <-w.ended:
			w.ended <- err
			w.t.Fatalf("waiting for %s: it has ended: %v", what, err)
		case <-deadline:
			w.t.Fatalf("%s is not reported; there were %q", what, seen)
		}
	}
}

func (w *watching) playing(title string) upstream.Report {
	w.t.Helper()
	return w.until(title, func(r upstream.Report) bool { return r.State == upstream.Playing && r.Song.Title == title })
}

func TestRealServer(t *testing.T) {
	d := mpdtest.New(t, "")
	d.Song("one.wav", "Beyoncé", "Déjà Vu", []byte("\x89PNG\r\n\x1a\n"+strings.Repeat("cover\n", 5000)))
	d.Song("two.wav", "宇多田ヒカル", `初恋 "🎵"`, nil)
	d.Start()
	d.Read()
	w := begin(t, config(d))
	w.until("silence", func(r upstream.Report) bool { return r.State == upstream.Silent })
	d.Do("add one.wav", "add two.wav", "play 0")
	r := w.until("the first with the second", func(r upstream.Report) bool { return r.Song.Title == "Déjà Vu" && r.Next != nil })
	if r.Song.Artist != "Beyoncé" || r.Next.Title != `初恋 "🎵"` || r.Song.Duration != time.Minute {
		t.Errorf("the first song is reported as %+v, the next one as %+v", r.Song, r.Next)
	}
	if since := time.Since(r.Song.StartedAt); since < 0 || since > patience {
		t.Errorf("it began %v ago", since)
	}
	if len(r.Song.Picture) != 8+30000 || r.Song.PictureType != "image/png" {
		t.Errorf("its cover is %d bytes of %q", len(r.Song.Picture), r.Song.PictureType)
	}
	d.Do("next")
	if r := w.playing(`初恋 "🎵"`); r.Song.Picture != nil {
		t.Error("a song without a cover has the one before it")
	}
	d.Do("pause 1")
	w.until("the pause", func(r upstream.Report) bool { return r.State == upstream.Silent && r.Paused })

	d.Stop() // a restart: the connection is lost, and the old song is still the current one
	d.Start()
	w.until("the silence after a restart", func(r upstream.Report) bool { return r.State == upstream.Silent })
	d.Do("play 0")
	w.playing("Déjà Vu")
}

func TestRealPassword(t *testing.T) {
	d := mpdtest.New(t, "password \"se\\\"cret@read,control,add,admin\"\ndefault_permissions \"\"\n")
	d.Start()
	c := config(d)
	c.Password = `se"cret`
	begin(t, c).until("silence", func(r upstream.Report) bool { return r.State == upstream.Silent })
	for password, says := range map[string]string{"": "permission", "wrong": "password"} {
		c.Password = password
		w := begin(t, c)
		select {
		case err := <-w.ended:
			w.ended <- err
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("with the password %q: %v", password, err)
			}
		case <-time.After(patience):
			t.Errorf("with the password %q it goes on", password)
		}
	}
}
