package icy_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/icecasttest"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/icy"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/replay"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// listen follows a stream of a real server.
func listen(t *testing.T, c icy.Config) (reports <-chan upstream.Report, ended <-chan error) {
	t.Helper()
	c.Every = time.Second
	c.Network = sources.Env{}.Complete().Network
	u, err := icy.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	all, end := make(chan upstream.Report, 10_000), make(chan error, 1)
	var running sync.WaitGroup
	running.Go(func() { end <- u.Watch(ctx, func(r upstream.Report) { all <- r }) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return all, end
}

// sees waits for a report.
func sees(t *testing.T, reports <-chan upstream.Report, want upstream.Report) {
	t.Helper()
	patience := time.After(20 * time.Second)
	for {
		select {
		case r := <-reports:
			if cmp.Equal(r, want) {
				return
			}
		case <-patience:
			t.Fatalf("%+v does not come", want)
		}
	}
}

func TestLive(t *testing.T) {
	t.Parallel()
	server := icecasttest.Start(t)
	backup := server.Source(icecasttest.Feed{Mount: icecasttest.BackupMount, Name: "Backup"})
	source := server.Source(icecasttest.Feed{Mount: icecasttest.MainMount, Name: "Radio ☕"})
	backup.Title("Backup - Loop")
	reports, ended := listen(t, icy.Config{URL: source.String()})
	for _, title := range []string{
		"Beyoncé – Déjà Vu", "宇多田ヒカル - 初恋 🎵", "Don't; Stop", "1979", ".5", "A - B", strings.Repeat("L", 1200), "Simon & Garfunkel - <Mrs> Robinson",
	} {
		source.Title(title)
		sees(t, reports, playing("Radio ☕", title))
	}
	source.Title("Beyonc\xe9 - D\xe9j\xe0 Vu")
	sees(t, reports, playing("Radio ☕", "Beyoncé - Déjà Vu"))

	// Listeners hear the other mount while this one is away, and so do we.
	source.Close()
	sees(t, reports, playing("Radio ☕", "Backup - Loop"))
	source = server.Source(icecasttest.Feed{Mount: icecasttest.MainMount, Name: "Radio ☕"})
	sees(t, reports, playing("Radio ☕", ""))
	source.Title("Main - Back")
	sees(t, reports, playing("Radio ☕", "Main - Back"))

	backup.Close()
	source.Close()
	sees(t, reports, offline)
	source = server.Source(icecasttest.Feed{Mount: icecasttest.MainMount, Name: "Radio ☕"})
	source.Title("Main - Again")
	sees(t, reports, playing("Radio ☕", "Main - Again"))

	server.Stop()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Error(err)
	}
}

func TestLiveOgg(t *testing.T) {
	t.Parallel()
	_, audio, found := strings.Cut(replay.Recorded(t, "02-icy-ogg-raw.bin"), "\r\n\r\n")
	if !found {
		t.Fatal("no body")
	}
	server := icecasttest.Start(t)
	source := server.Source(icecasttest.Feed{Mount: "/two.ogg", Type: "application/ogg", Audio: []byte(audio)})
	_, ended := listen(t, icy.Config{URL: source.String()})
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "this is Ogg") {
		t.Error(err)
	}
}
