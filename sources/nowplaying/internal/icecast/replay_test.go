package icecast_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/icecast"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/replay"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// observe watches until there were n reports, and returns them, or the error.
func observe(t *testing.T, server replay.Server, c icecast.Config, n int) ([]upstream.Report, error) {
	t.Helper()
	if c.URL == "" {
		c.URL = "http://radio.example:8000"
	}
	return replay.Watch(t, server, n, func(network sources.Network) (upstream.Upstream, error) {
		c.Network = network
		return icecast.New(c)
	})
}

// once returns the one report that a recorded answer leads to.
func once(t *testing.T, answer string, c icecast.Config) upstream.Report {
	t.Helper()
	reports, err := observe(t, replay.Bytes(func(*http.Request) string { return answer }), c, 1)
	if err != nil || len(reports) != 1 {
		t.Fatalf("%d reports, %v", len(reports), err)
	}
	return reports[0]
}

func listeners(n int) *int { return &n }

// playing is a report of one text, and of as many listeners.
func playing(station, text string, n int) upstream.Report {
	return upstream.Report{Station: station, Song: upstream.Song{Text: text}, Listeners: listeners(n)}
}

func tagged(station, artist, title string, n int) upstream.Report {
	return upstream.Report{Station: station, Song: upstream.Song{Artist: artist, Title: title}, Listeners: listeners(n)}
}

var offline = upstream.Report{State: upstream.Offline}

func TestRecordedStatus(t *testing.T) {
	for _, c := range []struct {
		file, mount string
		want        upstream.Report
	}{
		{"01-status-json-0-mounts.http", "", offline},
		{"01-status-json-0-mounts.http", "/one.mp3", offline},
		{"02-status-json-1-mount-no-metadata.http", "", playing("Lab One", "", 0)},
		{"04-status-json-1-mount.http", "", playing("Lab One", "Artist One - Title One", 0)},
		{"04-status-json-1-mount.http", "/one.mp3", playing("Lab One", "Artist One - Title One", 0)},
		{"04-status-json-1-mount.http", "one.mp3/", playing("Lab One", "Artist One - Title One", 0)},
		{"04-status-json-1-mount.http", "/two.ogg", offline},
		{"05-status-json-2-mounts.http", "/one.mp3", playing("Lab One", "Artist One - Title One", 0)},
		{"05-status-json-2-mounts.http", "/two.ogg", tagged("Lab Two", "Vorbis Artist", "Vorbis Title", 0)},
		{"25-status-json-mount-filter.http", "/two.ogg", tagged("Lab Two", "Vorbis Artist", "Vorbis Title", 0)},
		{"26-status-json-mount-filter-unknown.http", "/nope", offline},
		{"35-status-json-after-ogg-updinfo.http", "/two.ogg", tagged("Lab Two", "Vorbis Artist", "Vorbis Title", 0)},
		{"35-status-json-after-ogg-updinfo.http", "/m1.mp3", playing("Matrix Default", "Art Ist - FromOtherIPAdmin", 0)},
		{"36-status-json-after-ogg-updinfo-later.http", "/two.ogg", tagged("Lab Two", "Vorbis Artist", "Ogg - Updated", 0)},
		{"37-status-json-after-all-sources-left.http", "/m1.mp3", offline},
		{"44-status-json-utf8-name-and-ogg.http", "/one.mp3", playing("Café ☕ Radio", "Artist One - Title One", 1)},
		{"44-status-json-utf8-name-and-ogg.http", "/two.ogg", tagged("Lab Two", "Vorbis Artist", "初恋", 0)},
		{"50-status-json-liquidsoap-mp3.http", "", playing("Liq", "Normal Artist - Normal Title", 0)},
		{"51-status-json-liquidsoap-gone.http", "", offline},
		{"52-status-json-liquidsoap-ogg-inserted.http", "/liq.ogg", tagged("LiqOgg", "Ins Art", "Inserted ☕ — title", 0)},
		{"52-status-json-liquidsoap-ogg-inserted.http", "/utf8.mp3", playing("LiqUtf8", "Ins Art - Inserted ☕ — title", 0)},
	} {
		t.Run(c.file+c.mount, func(t *testing.T) {
			got := once(t, replay.Recorded(t, c.file), icecast.Config{Mount: c.mount})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRecordedAdmin(t *testing.T) {
	for mount, want := range map[string]upstream.Report{
		"/m1.mp3":   playing("Matrix Default", "Art Ist - 1979", 0),
		"/two.ogg":  tagged("Lab Two", "Vorbis Artist", "Vorbis Title", 0),
		"/utf8.mp3": playing("Matrix UTF8", "Art Ist - 1979", 0),
		"/nope":     offline,
	} {
		got := once(t, replay.Recorded(t, "20-admin-stats.xml.http"), icecast.Config{Mount: mount, Password: "x"})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", mount, diff)
		}
	}
	got := once(t, replay.Recorded(t, "21-admin-stats-mount-two.ogg.http"), icecast.Config{Password: "x"})
	if diff := cmp.Diff(tagged("Lab Two", "Vorbis Artist", "Vorbis Title", 0), got); diff != "" {
		t.Error(diff)
	}
}

func TestRecordedMatrix(t *testing.T) {
	dropped := map[string]string{"11 latin1-plain": "Beyoncé – Déjà Vu"} // the song before: Icecast dropped it
	replay.Titles(t, dropped, func(t *testing.T, title replay.Title) {
		slice, admin := `"title":"`+title.Want+`",`, "<title>"+title.Want+"</title>"
		if title.Case != replay.Long {
			slice, admin = replay.Python(t, title.JSON), replay.Python(t, title.AdminXML)
		}
		got := once(t, replay.OK("application/json", `{"icestats":{"server_id":"Icecast 2.4.4","source":{"listeners":0,"listenurl":"http://localhost:18000/m1.mp3","server_name":"M","server_type":"audio/mpeg",`+slice+`"dummy":null}}}`), icecast.Config{})
		if diff := cmp.Diff(playing("M", title.Want, 0), got); diff != "" {
			t.Errorf("public: %s", diff)
		}
		got = once(t, replay.OK("text/xml", `<?xml version="1.0"?>`+"\n"+`<icestats><server_id>Icecast 2.4.4</server_id><source mount="/m1.mp3"><listeners>0</listeners><server_name>M</server_name><server_type>audio/mpeg</server_type>`+admin+`</source></icestats>`), icecast.Config{Password: "x"})
		if diff := cmp.Diff(playing("M", title.Want, 0), got); diff != "" {
			t.Errorf("admin: %s", diff)
		}
	})
}
