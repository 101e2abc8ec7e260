package icecast_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/icecast"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/replay"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

func recorded(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// observe runs a Watch in a bubble until it has reported n times, and returns what,
// or its error.
func observe(t *testing.T, server replay.Server, c icecast.Config, n int) (reports []upstream.Report, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c.Network = server.Network(t)
		if c.URL == "" {
			c.URL = "http://radio.example:8000"
		}
		u, failed := icecast.New(c)
		if failed != nil {
			t.Fatal(failed)
		}
		err = u.Watch(ctx, func(r upstream.Report) {
			if reports = append(reports, r); len(reports) == n {
				cancel()
			}
		})
		if err == context.Canceled {
			err = nil
		}
	})
	return reports, err
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
			got := once(t, recorded(t, c.file), icecast.Config{Mount: c.mount})
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
		got := once(t, recorded(t, "20-admin-stats.xml.http"), icecast.Config{Mount: mount, Password: "x"})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", mount, diff)
		}
	}
	got := once(t, recorded(t, "21-admin-stats-mount-two.ogg.http"), icecast.Config{Password: "x"})
	if diff := cmp.Diff(tagged("Lab Two", "Vorbis Artist", "Vorbis Title", 0), got); diff != "" {
		t.Error(diff)
	}
}

// python returns the bytes that a Python literal stands for, b'…' or b"…".
func python(t *testing.T, literal string) string {
	t.Helper()
	quoted := literal[2 : len(literal)-1]
	quoted = strings.ReplaceAll(quoted, `\'`, `'`)
	quoted = regexp.MustCompile(`\\.|"`).ReplaceAllStringFunc(quoted, func(s string) string {
		if s == `"` {
			return `\"`
		}
		return s
	})
	s, err := strconv.Unquote(`"` + quoted + `"`)
	if err != nil {
		t.Fatalf("%s: %v", literal, err)
	}
	return s
}

// matrix is what each line of the recorded matrices must give, by the public status
// and by the administrator's. What differs between the files comes first.
var matrix = map[string]map[string]string{
	"10-metadata-matrix-default-charset.jsonl": {
		"utf8-plain":   "Beyoncé – Déjà Vu",
		"latin1-plain": "Beyoncé - Déjà Vu",
		"cjk-emoji":    "宇多田ヒカル - 初恋 🎵",
	},
	"11-metadata-matrix-mount-charset-utf8.jsonl": {
		"utf8-plain":   "Beyoncé – Déjà Vu",
		"latin1-plain": "Beyoncé – Déjà Vu", // the song before: Icecast dropped it
		"cjk-emoji":    "宇多田ヒカル - 初恋 🎵",
	},
	"": {
		"amp-lt-gt":               "Simon & Garfunkel - <Mrs> Robinson",
		"backslash":               `AC\DC - Back\slash`,
		"no-separator":            "Station jingle",
		"space-song":              "",
		"sp-dash-sp":              "-",
		"empty-title":             "Artist Only -",
		"numeric-007":             "007",
		"numeric-1.":              "1.",
		"numeric-+44":             "+44",
		"numeric-spaces":          "22",
		"null":                    "null",
		"Infinity":                "Infinity",
		"crlf":                    "A B",
		"nul":                     "Before",
		"double-encoded":          "Beyoncé",
		"long-1200":               strings.Repeat("L", 1200),
		"plus-as-space":           "A B - C D",
		"final-normal":            "Normal - Again",
		"song-after-artist+title": "Art Ist - Plain - Song",
		"artist-only-param":       "Art Ist - Plain - Song",
	},
}

func TestRecordedMatrix(t *testing.T) {
	for file := range matrix {
		if file == "" {
			continue
		}
		lines := bufio.NewScanner(strings.NewReader(recorded(t, file)))
		lines.Buffer(nil, 1<<20)
		cases := 0
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "#") {
				continue
			}
			cases++
			var line struct {
				Case     string
				JSON     string `json:"json_title_raw"`
				AdminXML string `json:"admin_xml"`
			}
			if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			want, ok := matrix[file][line.Case]
			if !ok {
				want, ok = matrix[""][line.Case]
			}
			if !ok {
				t.Fatalf("%s: what should %q give?", file, line.Case)
			}
			t.Run(file[:2]+" "+line.Case, func(t *testing.T) {
				slice, admin := line.JSON, line.AdminXML
				if line.Case == "long-1200" { // recorded without its end
					slice = `"title":"` + want + `",`
					admin = "<title>" + want + "</title>"
				} else {
					slice, admin = python(t, slice), python(t, admin)
				}
				got := once(t, replay.OK("application/json", `{"icestats":{"server_id":"Icecast 2.4.4","source":{"listeners":0,"listenurl":"http://localhost:18000/m1.mp3","server_name":"M","server_type":"audio/mpeg",`+slice+`"dummy":null}}}`), icecast.Config{})
				if diff := cmp.Diff(playing("M", want, 0), got); diff != "" {
					t.Errorf("public: %s", diff)
				}
				got = once(t, replay.OK("text/xml", `<?xml version="1.0"?>`+"\n"+`<icestats><server_id>Icecast 2.4.4</server_id><source mount="/m1.mp3"><listeners>0</listeners><server_name>M</server_name><server_type>audio/mpeg</server_type>`+admin+`</source></icestats>`), icecast.Config{Password: "x"})
				if diff := cmp.Diff(playing("M", want, 0), got); diff != "" {
					t.Errorf("admin: %s", diff)
				}
			})
		}
		if cases != 23 {
			t.Errorf("%s: %d cases", file, cases)
		}
	}
}
