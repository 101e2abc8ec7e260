package icecast_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/icecast"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/replay"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

func TestRefusedPassword(t *testing.T) {
	var asked, warnings []string
	server := replay.Bytes(func(r *http.Request) string {
		asked = append(asked, r.URL.Path)
		if r.URL.Path == "/admin/stats" {
			if user, password, _ := r.BasicAuth(); user != "admin" || password != "secret" {
				t.Errorf("asked by %s, %s", user, password)
			}
			return replay.Recorded(t, "24-admin-stats-noauth-401.http")
		}
		if r.Header.Get("Authorization") != "" {
			t.Errorf("the password is sent to %s", r.URL.Path)
		}
		return replay.Recorded(t, "04-status-json-1-mount.http")
	})
	c := icecast.Config{Password: "secret", Warn: func(err error) { warnings = append(warnings, err.Error()) }}
	reports, err := observe(t, server, c, 2)
	if err != nil || len(reports) != 2 || reports[1].Song.Text != "Artist One - Title One" {
		t.Errorf("%v, %v", reports, err)
	}
	if diff := cmp.Diff([]string{"/admin/stats", "/status-json.xsl", "/status-json.xsl"}, asked); diff != "" {
		t.Error(diff)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], `refuses the password of the user "admin"`) || strings.Contains(warnings[0], "secret") {
		t.Errorf("warned: %q", warnings)
	}
}

// A page to log in, or none at all, stands before the administration of some.
func TestHiddenAdministration(t *testing.T) {
	for name, answer := range map[string]string{
		"a page":  replay.OK("text/html", "<!DOCTYPE html><html><body>Log in"),
		"JSON":    replay.OK("application/json", `{"error":"log in"}`),
		"nothing": replay.Status("404 Not Found"),
	} {
		var warnings []string
		server := replay.Bytes(func(r *http.Request) string {
			if r.URL.Path == "/admin/stats" {
				return answer
			}
			return replay.Recorded(t, "04-status-json-1-mount.http")
		})
		c := icecast.Config{Password: "secret", Warn: func(err error) { warnings = append(warnings, err.Error()) }}
		reports, err := observe(t, server, c, 2)
		if err != nil || reports[1].Song.Text != "Artist One - Title One" || len(warnings) != 1 || !strings.Contains(warnings[0], "hides the administrator's status") {
			t.Errorf("%s: %v, %v, %q", name, reports, err, warnings)
		}
	}
	// One that is cut short is asked again.
	asked := 0
	server := replay.Bytes(func(r *http.Request) string {
		whole := replay.Recorded(t, "20-admin-stats.xml.http")
		if asked++; asked == 2 {
			return strings.Replace(whole[:2000], "Content-Length", "X", 1)
		}
		return whole
	})
	reports, err := observe(t, server, icecast.Config{Mount: "/m1.mp3", Password: "x", Warn: func(err error) { t.Error(err) }}, 2)
	if err != nil || len(reports) != 2 || asked != 3 {
		t.Errorf("%v, %v, asked %d times", reports, err, asked)
	}
}

func TestErrors(t *testing.T) {
	const two = `{"icestats":{"server_id":"Icecast 2.4.4","source":[{"listenurl":"http://h/a.mp3"},{"listenurl":"http://h/b.mp3"}]}}`
	for _, c := range []struct {
		name, answer, mount, want string
		asked                     int
	}{
		{"no answer", "", "", "asking radio.example:8000 for /status-json.xsl: EOF", 3},
		{"not Icecast", replay.OK("text/html", "<html>Hello"), "", "the answer is no JSON object", 3},
		{"other JSON", replay.OK("application/json", `{"version":1}`), "", "this is no Icecast server", 3},
		{"a list", replay.OK("application/json", `[1]`), "", "not what Icecast says", 3},
		{"cut short", replay.OK("application/json", two[:80]), "", "cut short", 3},
		{"just started", replay.OK("application/json", starting), "", "has just started", 3},
		{"not found", replay.Status("404 Not Found"), "", "/status-json.xsl: the server answers 404 Not Found", 6},
		{"a broken proxy", replay.Status("502 Bad Gateway"), "", "the server answers 502 Bad Gateway", 3},
		{"endless", replay.OK("application/json", strings.Repeat(" ", 5<<20)), "", "larger than 4 MiB", 3},
		{"which mount", replay.OK("application/json", two), "", "has 2 mounts (/a.mp3, /b.mp3 …); say which one with mount", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := 0
			server := replay.Bytes(func(*http.Request) string { asked++; return c.answer })
			reports, err := observe(t, server, icecast.Config{Mount: c.mount}, 1)
			if err == nil || !strings.Contains(err.Error(), c.want) || len(reports) > 0 {
				t.Errorf("%v, %v; want %s", reports, err, c.want)
			}
			if asked != c.asked {
				t.Errorf("asked %d times, not %d", asked, c.asked)
			}
		})
	}
}

func TestOneBadAnswer(t *testing.T) {
	answers := 0
	server := replay.Bytes(func(*http.Request) string {
		if answers++; answers%3 != 0 {
			return replay.Recorded(t, "33-HEAD-status-json.http") // 400, and nothing in it
		}
		return replay.Recorded(t, "04-status-json-1-mount.http")
	})
	reports, err := observe(t, server, icecast.Config{}, 4)
	if err != nil || len(reports) != 4 || reports[3].Song.Text != "Artist One - Title One" {
		t.Errorf("%v, %v", reports, err)
	}
}

// hidden answers as a server whose only mount is hidden.
func hidden(t *testing.T, kind string) replay.Server {
	return func(ctx context.Context, r *http.Request, w io.Writer) {
		switch {
		case r.URL.Path == "/status-json.xsl" && r.URL.RawQuery == "mount=%2Fhidden.mp3":
			io.WriteString(w, replay.Recorded(t, "45-status-json-hidden-mount.http"))
		case r.URL.Path == "/hidden.mp3" && kind != "":
			io.WriteString(w, replay.OK(kind, ""))
			<-ctx.Done() // it plays on
		default:
			io.WriteString(w, replay.Status("404 File Not Found"))
		}
	}
}

func TestHiddenMount(t *testing.T) {
	reports, err := observe(t, hidden(t, "audio/mpeg"), icecast.Config{Mount: "/hidden.mp3"}, 5)
	if err == nil || !strings.Contains(err.Error(), "the mount is hidden") || len(reports) != 1 {
		t.Errorf("%v, %v", reports, err)
	}
	for _, kind := range []string{"", "text/html"} {
		reports, err = observe(t, hidden(t, kind), icecast.Config{Mount: "/hidden.mp3"}, 2)
		if err != nil || reports[1].State != upstream.Offline {
			t.Errorf("%q: %v, %v", kind, reports, err)
		}
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		config  icecast.Config
		setting string
	}{
		{icecast.Config{URL: "radio.example:8000"}, "icecast"},
		{icecast.Config{URL: "http://"}, "icecast"},
		{icecast.Config{URL: "ftp://radio.example"}, "icecast"},
		{icecast.Config{URL: "http://radio.example", Every: time.Millisecond}, "every"},
	} {
		_, err := icecast.New(c.config)
		if e, ok := err.(*sources.SettingError); !ok || e.Setting != c.setting {
			t.Errorf("%+v: %v", c.config, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct{ url, mount, asked string }{
		{"http://radio.example:8000", "", "/status-json.xsl"},
		{"http://radio.example:8000/", "", "/status-json.xsl"},
		{"http://radio.example:8000/status-json.xsl", "", "/status-json.xsl"},
		{"http://radio.example:8000/one.mp3", "", "/status-json.xsl?mount=%2Fone.mp3"},
		{"http://radio.example:8000/one.mp3/?x=y#z", "", "/status-json.xsl?mount=%2Fone.mp3"},
		{"http://radio.example:8000/one.mp3", "/one.mp3", "/status-json.xsl?mount=%2Fone.mp3"},
		{"http://radio.example:8000/", "one.mp3", "/status-json.xsl?mount=%2Fone.mp3"},
		{"http://radio.example/icecast/", "one.mp3", "/icecast/status-json.xsl?mount=%2Fone.mp3"},
		{"http://radio.example/icecast/one.mp3", "one.mp3", "/icecast/status-json.xsl?mount=%2Fone.mp3"},
	} {
		asked := ""
		server := replay.Bytes(func(r *http.Request) string {
			asked = r.URL.String()
			return replay.Recorded(t, "04-status-json-1-mount.http")
		})
		if _, err := observe(t, server, icecast.Config{URL: c.url, Mount: c.mount}, 1); err != nil || asked != c.asked {
			t.Errorf("%s, %s: %s, %v; want %s", c.url, c.mount, asked, err, c.asked)
		}
	}
}

func TestUserInAddress(t *testing.T) {
	server := replay.Bytes(func(r *http.Request) string {
		if user, password, _ := r.BasicAuth(); user != "root" || password != "secret" {
			return replay.Recorded(t, "24-admin-stats-noauth-401.http")
		}
		return replay.Recorded(t, "21-admin-stats-mount-two.ogg.http")
	})
	reports, err := observe(t, server, icecast.Config{URL: "http://root:secret@radio.example"}, 1)
	if err != nil || reports[0].Song.Title != "Vorbis Title" {
		t.Errorf("%v, %v", reports, err)
	}
}

func TestOddStatus(t *testing.T) {
	cyrillic, err := text.ParseCharset("windows-1251")
	if err != nil {
		t.Fatal(err)
	}
	one := func(members string) string {
		return `{"icestats":{"server_id":"Icecast 2.4.0-kh15","source":{"listenurl":"http://h/a.mp3","server_type":"audio/mpeg",` + members + `"dummy":null}}}`
	}
	for _, c := range []struct {
		name, body string
		config     icecast.Config
		want       upstream.Report
	}{
		{"a number", one(`"title":1979,"artist":311,"listeners":"7",`), icecast.Config{}, tagged("", "311", "1979", 7)},
		{"a truth", one(`"title":true,"listeners":0,`), icecast.Config{}, playing("", "True", 0)},
		{"a leading point", one(`"title":.5,"listeners":0,`), icecast.Config{}, playing("", ".5", 0)},
		{"a control character", one("\"title\":\"A\x01 - B\x7f\",\"listeners\":0,"), icecast.Config{}, playing("", "A - B", 0)},
		{"Latin-1", one("\"title\":\"Beyonc\xe9\",\"listeners\":0,"), icecast.Config{}, playing("", "Beyoncé", 0)},
		{"Cyrillic", one(`"title":"Ïðèâåò","listeners":0,`), icecast.Config{Charset: cyrillic}, playing("", "Привет", 0)},
		{"entities", one(`"title":"&#23431; &amp; B","listeners":0,`), icecast.Config{}, playing("", "宇 & B", 0)},
		{"2.5, display-title", one(`"display-title":"A - B","listeners":0,`), icecast.Config{}, playing("", "A - B", 0)},
		{"an artist alone", one(`"artist":"A","listeners":0,`), icecast.Config{}, tagged("", "A", "", 0)},
		{"no number of listeners", one(`"title":"A","listeners":"many",`), icecast.Config{}, upstream.Report{Song: upstream.Song{Text: "A"}}},
		{"2.5, publicstats", `[{"type":"x"},{"server_id":"Icecast 2.5.0","source":{"/a.mp3":{"display-title":"A - B","server_type":"audio/mpeg","listeners":3}}}]`, icecast.Config{}, playing("", "A - B", 3)},
		{"2.5, publicstats of two", `[{},{"source":{"/a.mp3":{"display-title":"A"},"/b.mp3":{"display-title":"B","server_type":"audio/mpeg","listeners":3}}}]`, icecast.Config{Mount: "/b.mp3"}, playing("", "B", 3)},
		{"2.5, publicstats of none", `[{},{"server_id":"Icecast 2.5.0"}]`, icecast.Config{}, offline},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := replay.Bytes(func(r *http.Request) string {
				if strings.HasPrefix(c.body, "[") != (r.URL.Path == "/admin/publicstats.json") {
					return replay.Status("404 Not Found")
				}
				return replay.OK("application/json", c.body)
			})
			reports, err := observe(t, server, c.config, 2)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, reports[1]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// newer is an Icecast 2.5 with an event feed, whose song is n.
type newer struct {
	events chan string // what the feed says; "" ends it
	status string      // instead of the feed

	mu      sync.Mutex
	n       int
	title   string // that was reported last
	polls   int
	resumed []string // Last-Event-ID of each connection
	auth    []string // of each connection
}

func (s *newer) plays(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n = n
}

func (s *newer) seen(r upstream.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.title = r.Song.Text
}

func (s *newer) serve(ctx context.Context, r *http.Request, w io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.URL.Path {
	case "/admin/stats":
		s.polls++
		io.WriteString(w, replay.OK("text/xml", fmt.Sprintf(`<icestats><server_id>Icecast 2.5.0</server_id><source mount="/a.mp3"><server_type>audio/mpeg</server_type><title>Song %d</title></source></icestats>`, s.n)))
	case "/admin/eventfeed":
		_, password, _ := r.BasicAuth()
		s.auth = append(s.auth, password+r.URL.RawQuery)
		s.resumed = append(s.resumed, r.Header.Get("Last-Event-ID"))
		if s.status != "" {
			io.WriteString(w, replay.Status(s.status))
			return
		}
		s.mu.Unlock()
		defer s.mu.Lock()
		io.WriteString(w, replay.OK("text/event-stream", ""))
		for {
			select {
			case e := <-s.events:
				if e == "" {
					return
				}
				io.WriteString(w, e)
			case <-ctx.Done():
				return
			}
		}
	}
}

func event(id, trigger, uri string) string {
	return fmt.Sprintf("id: %s\r\ndata: {\"type\":\"event\",\"crude\":{\"trigger\":%q,\"uri\":%q}}\r\n\r\n", id, trigger, uri)
}

func TestEventFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &newer{events: make(chan string)}
		u, err := icecast.New(icecast.Config{URL: "http://radio.example/a.mp3", Password: "secret", Every: 5 * time.Second, Network: replay.Server(s.serve).Network(t)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- u.Watch(ctx, s.seen) }()
		after := func(d time.Duration, wantTitle string, wantPolls int) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.title != wantTitle || s.polls != wantPolls {
				t.Errorf("%q after %d polls; want %q after %d", s.title, s.polls, wantTitle, wantPolls)
			}
		}
		after(6*time.Second, "Song 0", 2) // the feed was not known at the first
		s.plays(1)
		after(10*time.Second, "Song 0", 2) // and now nothing is asked without a reason
		s.events <- event("e1", "format-metadata-changed", "/a.mp3")
		after(time.Second, "Song 1", 3)
		s.plays(2)
		s.events <- event("e2", "source-listeners-changed", "/a.mp3")
		s.events <- event("e3", "format-metadata-changed", "/b.mp3")
		s.events <- "id: e3\r\ndata: {\"type\":\"vc\",\"mount\":\"/b.mp3\",\"vc\":{}}\r\n\r\n"
		s.events <- ": a comment\r\n\r\n"
		after(time.Second, "Song 1", 3)
		s.events <- "" // the connection ends, and what was missed is looked up
		after(500*time.Millisecond, "Song 2", 4)
		s.plays(3)
		after(time.Second, "Song 2", 4)
		s.events <- event("e4", "source-connect", "/a.mp3") + "id: e5\r\ndata: {\"type\":\"vc\",\"mount\":\"/a.mp3\",\"vc\":{}}\r\n\r\n"
		after(time.Second, "Song 3", 5)
		s.plays(4)
		after(31*time.Second, "Song 4", 6) // now and then also without an event
		cancel()
		if err := <-done; err != context.Canceled {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"", "e3"}, s.resumed); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"secretmount=%2Fa.mp3", "secretmount=%2Fa.mp3"}, s.auth); diff != "" {
			t.Error(diff)
		}
	})
}

// A feed that goes on doesn't make up for a status that isn't to be had.
func TestEventFeedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &newer{events: make(chan string)}
		server := replay.Server(func(ctx context.Context, r *http.Request, w io.Writer) {
			s.mu.Lock()
			broken := s.n > 0 && r.URL.Path == "/admin/stats"
			s.mu.Unlock()
			if broken {
				io.WriteString(w, replay.Status("500 Internal Server Error"))
				return
			}
			s.serve(ctx, r, w)
		})
		u, err := icecast.New(icecast.Config{URL: "http://radio.example/a.mp3", Password: "secret", Every: 5 * time.Second, Network: server.Network(t)})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(6 * time.Second)
			s.plays(1)
			s.events <- event("e1", "format-metadata-changed", "/a.mp3")
		}()
		began := time.Now()
		if err := u.Watch(t.Context(), s.seen); err == nil || !strings.Contains(err.Error(), "500") || time.Since(began) > 9*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestNoEventFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &newer{status: "403 Forbidden"}
		u, err := icecast.New(icecast.Config{URL: "http://radio.example/a.mp3", Password: "secret", Every: 5 * time.Second, Network: replay.Server(s.serve).Network(t)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 29*time.Second)
		defer cancel()
		if err := u.Watch(ctx, func(upstream.Report) {}); err != context.DeadlineExceeded {
			t.Error(err)
		}
		if s.polls != 6 || len(s.resumed) != 1 {
			t.Errorf("%d polls, %d connections", s.polls, len(s.resumed))
		}
	})
}
