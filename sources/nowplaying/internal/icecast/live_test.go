package icecast_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/icecast"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/icecasttest"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/replay"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// watch follows a real server and gives what is newest.
type watch struct {
	t       *testing.T
	reports chan upstream.Report
	ended   chan error
	cancel  context.CancelFunc
	start   func()
}

func follows(t *testing.T, c icecast.Config) *watch {
	t.Helper()
	c.Network = sources.Env{}.Complete().Network
	u, err := icecast.New(c)
	if err != nil {
		t.Fatal(err)
	}
	icecast.Hasten(u, 50*time.Millisecond)
	w := &watch{t: t, reports: make(chan upstream.Report, 10_000), ended: make(chan error, 1)}
	var running sync.WaitGroup
	w.start = func() {
		var ctx context.Context
		ctx, w.cancel = context.WithCancel(context.Background())
		running.Go(func() { w.ended <- u.Watch(ctx, func(r upstream.Report) { w.reports <- r }) })
	}
	t.Cleanup(func() {
		w.cancel()
		running.Wait()
	})
	w.start()
	return w
}

// sees waits for a report that is as wanted but for the listeners, which come and
// go, and returns those before it that differ from each other.
func (w *watch) sees(want upstream.Report) (before []upstream.Report) {
	w.t.Helper()
	patience := time.After(20 * time.Second)
	for {
		select {
		case r := <-w.reports:
			r.Listeners = nil
			if cmp.Equal(r, want) {
				return before
			}
			if len(before) == 0 || !cmp.Equal(before[len(before)-1], r) {
				before = append(before, r)
			}
		case err := <-w.ended:
			w.t.Fatalf("waiting for %+v: %v; before it %+v", want, err, before)
		case <-patience:
			w.t.Fatalf("waiting for %+v: only %+v", want, before)
		}
	}
}

func named(station, text string) upstream.Report {
	return upstream.Report{Station: station, Song: upstream.Song{Text: text}}
}

// odd are the titles of the recordings, as bytes, with those that spoil Icecast's
// own JSON.
func odd(t *testing.T) (titles []string) {
	t.Helper()
	for lines := bufio.NewScanner(strings.NewReader(replay.Recorded(t, "10-metadata-matrix-default-charset.jsonl"))); lines.Scan(); {
		var line struct{ Case, Sent, Extra string }
		if json.Unmarshal(lines.Bytes(), &line) != nil || line.Extra != "" || line.Case == "long-1200" || line.Case == "artist-only-param" || line.Case == "plus-as-space" {
			continue
		}
		titles = append(titles, replay.Python(t, line.Sent))
	}
	return append(titles, ".5", "1979", "True", "-5", "A\x01B", "Don't; Stop", strings.Repeat("L", 1200))
}

// shown is what is to be seen of a title that was sent: by everybody, and by the
// administrator.
func shown(sent string) (public, admin string) {
	if sent == "A\x01B" {
		return "AB", "" // of which Icecast's XML has nothing
	}
	special := map[string]string{
		"Beyonc\xe9 - D\xe9j\xe0 Vu": "Beyoncé - Déjà Vu",
		" ":                          "",
		" - ":                        "-",
		"Artist Only - ":             "Artist Only -",
		" 22 ":                       "22",
		"A\r\nB":                     "A B",
		"Before\x00After":            "Before",
	}
	if s, ok := special[sent]; ok {
		return s, s
	}
	return sent, sent
}

func TestLiveTitles(t *testing.T) {
	t.Parallel()
	server := icecasttest.Start(t)
	source := server.Source(icecasttest.Feed{Mount: "/one.mp3", Name: "Radio ☕"})
	utf8 := server.Source(icecasttest.Feed{Mount: icecasttest.UTF8Mount})
	hidden := server.Source(icecasttest.Feed{Mount: icecasttest.HiddenMount})
	public := follows(t, icecast.Config{URL: source.String()})
	admin := follows(t, icecast.Config{URL: source.String(), Password: icecasttest.AdminPassword})
	other := follows(t, icecast.Config{URL: utf8.String()})
	secret := follows(t, icecast.Config{URL: hidden.String(), Password: icecasttest.AdminPassword})
	refused := follows(t, icecast.Config{URL: source.String(), Password: "wrong"})

	for _, title := range odd(t) {
		source.Title(title)
		everybody, administrator := shown(title)
		public.sees(named("Radio ☕", everybody))
		refused.sees(named("Radio ☕", everybody))
		admin.sees(named("Radio ☕", administrator))
	}
	hidden.Title("Secret - Track")
	secret.sees(named("", "Secret - Track"))

	// An artist that was given once stays; a title alone does nothing.
	server.Update(url.Values{"mount": {source.Mount}, "artist": {"Art Ist"}, "title": {"First"}})
	admin.sees(named("Radio ☕", "Art Ist - First"))
	source.Title("Plain - Song")
	admin.sees(named("Radio ☕", "Art Ist - Plain - Song"))

	// The other mount was not hurt by all that, and takes no Latin-1.
	utf8.Title("Motörhead – Ace of Spades 🂡")
	other.sees(named("", "Motörhead – Ace of Spades 🂡"))
	utf8.Title("Beyonc\xe9")
	server.Update(url.Values{"mount": {utf8.Mount}, "song": {"宇多田ヒカル - 初恋"}})
	if before := other.sees(named("", "宇多田ヒカル - 初恋")); len(before) > 1 {
		t.Errorf("in between: %+v", before)
	}
}

func TestLiveOgg(t *testing.T) {
	t.Parallel()
	answer, err := os.ReadFile("testdata/02-icy-ogg-raw.bin")
	if err != nil {
		t.Fatal(err)
	}
	_, audio, ok := strings.Cut(string(answer), "\r\n\r\n")
	if !ok {
		t.Fatal("no body")
	}
	server := icecasttest.Start(t)
	server.Source(icecasttest.Feed{Mount: "/two.ogg", Name: "Two", Type: "application/ogg", Audio: []byte(audio)})
	w := follows(t, icecast.Config{URL: server.URL})
	w.sees(upstream.Report{Station: "Two", Song: upstream.Song{Artist: "Vorbis Artist", Title: "初恋"}})
}

func TestLiveStallAndGhost(t *testing.T) {
	t.Parallel()
	server := icecasttest.Start(t)
	backup := server.Source(icecasttest.Feed{Mount: icecasttest.BackupMount})
	source := server.Source(icecasttest.Feed{Mount: icecasttest.MainMount, Name: "Main"})
	// A listener of the main mount, whom Icecast moves to the other one.
	listener, err := http.Get(source.String())
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Body.Close()
	public := follows(t, icecast.Config{URL: source.String()})
	admin := follows(t, icecast.Config{URL: source.String(), Password: icecasttest.AdminPassword})
	both := func(want upstream.Report) {
		t.Helper()
		public.sees(want)
		admin.sees(want)
	}
	backup.Title("Backup - Loop")
	source.Title("Main - Song")
	both(named("Main", "Main - Song"))

	source.Stall(true)
	source.Title("Main - While Stalled") // Icecast says that it took this, and loses it
	<-source.Ended()
	both(offline)
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(list(t, server), "/main.mp3"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the dead mount is not listed for its listener, which is what this is about: %s", list(t, server))
		}
	}
	for _, w := range []*watch{public, admin} {
		for range 3 { // two may have been under way
			if r := <-w.reports; r.State != upstream.Offline {
				t.Errorf("a dead mount that is listed: %+v", r)
			}
		}
	}

	source = server.Source(icecasttest.Feed{Mount: icecasttest.MainMount, Name: "Main"})
	both(named("Main", ""))
	source.Title("Main - Back")
	both(named("Main", "Main - Back"))
	source.Close()
	both(offline)
}

func list(t *testing.T, server *icecasttest.Server) string {
	t.Helper()
	answer, err := http.Get(server.URL + "/status-json.xsl")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var b strings.Builder
	if _, err := bufio.NewReader(answer.Body).WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLiveRestart(t *testing.T) {
	t.Parallel()
	server := icecasttest.Start(t)
	source := server.Source(icecasttest.Feed{Mount: "/one.mp3", Name: "One"})
	w := follows(t, icecast.Config{URL: source.String()})
	source.Title("Before - Restart")
	w.sees(named("One", "Before - Restart"))
	server.Stop()
	if err := <-w.ended; err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Fatalf("a server that is away: %v", err)
	}
	server.Restart()
	w.start()
	w.sees(offline)
	source = server.Source(icecasttest.Feed{Mount: "/one.mp3", Name: "One"})
	w.sees(named("One", ""))
	source.Title("After - Restart")
	w.sees(named("One", "After - Restart"))
}

func TestLiveHidden(t *testing.T) {
	t.Parallel()
	server := icecasttest.Start(t)
	w := follows(t, icecast.Config{URL: server.URL + icecasttest.HiddenMount})
	w.sees(offline)
	w.cancel()
	<-w.ended
	server.Source(icecasttest.Feed{Mount: icecasttest.HiddenMount})
	w.start() // it asks once a minute, and twice when it begins
	if err := <-w.ended; err == nil || !strings.Contains(err.Error(), "the mount is hidden") {
		t.Error(err)
	}
}
