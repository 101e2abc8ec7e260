package nowplaying_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/icecasttest"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/mpdtest"
	"github.com/wallcast/wallcast/sources/sourcetest"
)

// patience is how long real servers may take for anything.
const patience = 30 * time.Second

// until waits until the newest card is as row says: "state text".
func (r *running) until(row string) shown {
	r.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		all := r.cards()
		if n := len(all); n > 0 && all[n-1].State+" "+all[n-1].Text == row {
			return all[n-1]
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("there is no card %q but %q, and the log says\n%s", row, all, r.log)
		}
	}
}

// history is the titles of the plays, as history shows them.
func (r *running) history() []string {
	var titles, ids []string
	for _, c := range r.cards() {
		if c.PlayID != "" && !slices.Contains(ids, c.PlayID) {
			ids, titles = append(ids, c.PlayID), append(titles, c.Text)
		}
	}
	return titles
}

func TestRealMPD(t *testing.T) {
	t.Parallel()
	d := mpdtest.New(t, "")
	d.Song("one.wav", "Beyoncé", "Déjà Vu", []byte("\x89PNG\r\n\x1a\ncover"))
	d.Song("two.wav", "宇多田ヒカル", "初恋", nil)
	d.Start()
	d.Read()
	s := settings()
	s.MPD, s.Patience = d.Socket(), 2*time.Second
	store, album := sourcetest.NewStore(), new(album)
	r := start(t, store, s, sources.Env{Pictures: album})
	d.Do("add one.wav", "add two.wav", "play 0")
	c := r.until("playing Beyoncé - Déjà Vu")
	if c.Artist != "Beyoncé" || c.Title != "Déjà Vu" || c.StartedAt.IsZero() || c.Source != "mpd" {
		t.Errorf("the card is %+v", c)
	}
	if album.mu.Lock(); album.kept[c.Art] != "\x89PNG\r\n\x1a\ncover" {
		t.Errorf("the cover is at %q", c.Art)
	}
	album.mu.Unlock()
	d.Do("pause 1")
	r.until("silent Beyoncé - Déjà Vu")
	d.Do("pause 0")
	r.until("playing Beyoncé - Déjà Vu")

	d.Stop() // for long enough to be noticed
	r.until("unreachable Beyoncé - Déjà Vu")
	d.Start() // goes on where it was
	r.until("playing Beyoncé - Déjà Vu")
	d.Do("stop")
	r.until("silent Beyoncé - Déjà Vu")
	d.Do("play 1")
	r.until("playing 宇多田ヒカル - 初恋")
	r.stop()
	n := len(store.Data())
	s.Patience = patience // which a busy machine doesn't lose
	r = start(t, store, s, sources.Env{Pictures: album})
	time.Sleep(3 * time.Second) // longer than it takes to look
	if all := r.cards(); len(all) != n {
		t.Errorf("a restart of the station makes the cards %+v", all[n:])
	}
	if want := []string{"Beyoncé - Déjà Vu", "宇多田ヒカル - 初恋"}; !slices.Equal(r.history(), want) {
		t.Errorf("the history is %q, want %q", r.history(), want)
	}
}

func TestRealIcecast(t *testing.T) {
	t.Parallel()
	server := icecasttest.Start(t)
	source := server.Source(icecasttest.Feed{Mount: "/jazz.mp3"})
	source.Title("A - One")
	s := settings()
	s.Icecast, s.Mount, s.Every, s.Patience = server.URL, "/jazz.mp3", time.Second, 3*time.Second
	store := sourcetest.NewStore()
	r := start(t, store, s, sources.Env{})
	if c := r.until("playing A - One"); !c.StartedAt.IsZero() {
		t.Errorf("a song that was on air before began at %v", c.StartedAt)
	}
	source.Title(" - ") // which makes the server's JSON invalid
	time.Sleep(1500 * time.Millisecond)
	source.Title("1979")
	r.until("playing 1979")
	source.Title("Beyonc\xc3\xa9 - D\xc3\xa9j\xc3\xa0 Vu") // which the server takes for Latin-1
	if c := r.until("playing Beyoncé - Déjà Vu"); c.StartedAt.IsZero() {
		t.Error("a song that was seen to begin has no beginning")
	}
	server.Stop()
	r.until("unreachable Beyoncé - Déjà Vu")
	if log := r.log.String(); !strings.Contains(log, "upstream=icecast") {
		t.Errorf("the log doesn't say which upstream is followed:\n%s", log)
	}
	r.stop() // an Icecast that is asked while it starts may crash
	server.Restart()
	source = server.Source(icecasttest.Feed{Mount: "/jazz.mp3"})
	source.Title("B - Two")
	r = start(t, store, s, sources.Env{})
	r.until("playing B - Two")
	source.Close()
	r.until("offline B - Two")
	if want := []string{"A - One", "1979", "Beyoncé - Déjà Vu", "B - Two"}; !slices.Equal(r.history(), want) {
		t.Errorf("the history is %q, want %q", r.history(), want)
	}
}
