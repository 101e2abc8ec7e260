package icecast

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
)

func seed(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob("testdata/" + pattern)
	if err != nil || len(files) == 0 {
		f.Fatal(pattern, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		_, body, ok := strings.Cut(string(b), "\r\n\r\n")
		if !ok {
			body = string(b)
		}
		f.Add([]byte(body))
	}
}

func check(t *testing.T, st status) {
	for _, m := range st.mounts {
		r := m.report(text.Charset{})
		if all := r.Station + r.Song.Text + r.Song.Artist + r.Song.Title; !utf8.ValidString(all) || strings.ContainsAny(all, "\x00\r\n") {
			t.Fatalf("%q", all)
		}
		if r.Listeners != nil && *r.Listeners < 0 {
			t.Fatalf("%d listeners", *r.Listeners)
		}
	}
}

func FuzzParseJSON(f *testing.F) {
	seed(f, "*status-json*")
	f.Add([]byte(`[{},{"source":{"/a":{"title":.5},"/b":null}}]`))
	f.Add([]byte(`[null,{"source":null}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if st, err := parseJSON(body); err == nil {
			check(t, st)
		}
	})
}

func FuzzParseXML(f *testing.F) {
	seed(f, "*stats*.http")
	f.Add([]byte("<icestats><server_id>Icecast 2.4.4</server_id><source mount='/a'><title>&#1;</title></source></icestats>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if st, err := parseXML(body); err == nil {
			check(t, st)
		}
	})
}

func FuzzFeed(f *testing.F) {
	f.Add("id: 1\r\ndata: {\"crude\":{\"trigger\":\"source-connect\",\"uri\":\"/a.mp3\"}}\r\n\r\n")
	f.Add("data: x\ndata: y\n\n: comment\n\nid\ndata\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		feed := newFeed(&session{server: &server{mount: "/a.mp3"}})
		heard := feed.read(strings.NewReader(stream))
		if len(feed.wake) > 0 && !heard {
			t.Fatal("woken by nothing")
		}
	})
}
