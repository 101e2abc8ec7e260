package shoutcast_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/replay"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/shoutcast"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// observe watches until there were n reports, and returns them, or the error.
func observe(t *testing.T, server replay.Server, c shoutcast.Config, n int) ([]upstream.Report, error) {
	t.Helper()
	if c.URL == "" {
		c.URL = "http://radio.example:8000"
	}
	return replay.Watch(t, server, n, func(network sources.Network) (upstream.Upstream, error) {
		c.Network = network
		return shoutcast.New(c)
	})
}

func listeners(n int) *int { return &n }

// two answers as version 2 with this status.
func two(stats string) replay.Server {
	return replay.Bytes(func(r *http.Request) string {
		if r.URL.RequestURI() == "/stats?sid=1&json=1" {
			return replay.OK("application/json;charset=utf-8", stats)
		}
		return replay.Status("404 Not Found")
	})
}

// one answers as version 1 with this page.
func one(page string) replay.Server {
	return func(ctx context.Context, r *http.Request, w io.Writer) {
		switch {
		case !strings.HasPrefix(r.Header.Get("User-Agent"), "Mozilla/"):
			io.WriteString(w, "ICY 200 OK\r\nContent-Type:audio/mpeg\r\n\r\n")
			for ctx.Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		case r.URL.Path == "/7.html":
			io.WriteString(w, "ICY 200 OK\r\nContent-Type:text/html\r\n\r\n"+page)
		default:
			io.WriteString(w, "ICY 404 Resource Not Found\r\nicy-notice1:<BR>SHOUTcast Distributed Network Audio Server/Linux v1.9.8<BR>\r\n\r\n")
		}
	}
}

const sevenHead = `<HTML><meta http-equiv="Pragma" content="no-cache"></head><body>`

func TestStatus(t *testing.T) {
	cyrillic, err := text.ParseCharset("windows-1251")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		server replay.Server
		config shoutcast.Config
		want   upstream.Report
	}{
		{"2", two(`{"currentlisteners":12,"peaklisteners":31,"maxlisteners":500,"uniquelisteners":11,"averagetime":611,"servergenre":"Jazz","servertitle":"Jazz Radio","songtitle":"Miles Davis - So What","nexttitle":"Bill Evans - Peace Piece","streamstatus":1,"bitrate":"128","content":"audio/mpeg","version":"2.6.0.753"}`), shoutcast.Config{},
			upstream.Report{Station: "Jazz Radio", Listeners: listeners(12), Song: upstream.Song{Text: "Miles Davis - So What"}, Next: &upstream.Song{Text: "Bill Evans - Peace Piece"}}},
		{"2, with a DJ", two(`{"currentlisteners":"1","songtitle":"Ann\u0027s Show","streamstatus":"1","dj":"Ann &amp; Bob"}`), shoutcast.Config{Version: 2},
			upstream.Report{Listeners: listeners(1), Song: upstream.Song{Text: "Ann's Show"}, Live: true, DJ: "Ann & Bob"}},
		{"2, off the air", two(`{"currentlisteners":0,"songtitle":"","streamstatus":0,"version":"2.6.0"}`), shoutcast.Config{}, upstream.Report{State: upstream.Offline}},
		{"2, three spaces", two(`{"songtitle":"Miles Davis   So What","streamstatus":1}`), shoutcast.Config{}, upstream.Report{Song: upstream.Song{Text: "Miles Davis - So What"}}},
		{"2, three spaces and a dash", two(`{"songtitle":"Miles Davis - So   What","streamstatus":1}`), shoutcast.Config{}, upstream.Report{Song: upstream.Song{Text: "Miles Davis - So What"}}},
		{"2, a number", two(`{"songtitle":1979,"streamstatus":1}`), shoutcast.Config{}, upstream.Report{Song: upstream.Song{Text: "1979"}}},
		{"2, mojibake", two("{\"songtitle\":\"Beyonc\u00c3\u00a9\",\"streamstatus\":1}"), shoutcast.Config{}, upstream.Report{Song: upstream.Song{Text: "Beyoncé"}}},
		{"2, Latin-1 and a control character", two("{\"songtitle\":\"Beyonc\xe9\x01\",\"streamstatus\":1,}"), shoutcast.Config{}, upstream.Report{Song: upstream.Song{Text: "Beyoncé"}}},
		{"1", one(sevenHead + `5,1,31,100,4,128,Miles Davis - So What, Freddie? &amp; more</body></html>`), shoutcast.Config{},
			upstream.Report{Listeners: listeners(5), Song: upstream.Song{Text: "Miles Davis - So What, Freddie? & more"}}},
		{"1, said to be", one(sevenHead + "5,1,31,100,4,128,Beyonc\xe9   D\xe9j\xe0 Vu</body></html>"), shoutcast.Config{Version: 1},
			upstream.Report{Listeners: listeners(5), Song: upstream.Song{Text: "Beyoncé - Déjà Vu"}}},
		{"1, Cyrillic", one(sevenHead + "5,1,31,100,4,128,\xcf\xf0\xe8\xe2\xe5\xf2"), shoutcast.Config{Charset: cyrillic}, upstream.Report{Listeners: listeners(5), Song: upstream.Song{Text: "Привет"}}},
		{"1, off the air", one(sevenHead + `0,0,31,100,0,0,</body></html>`), shoutcast.Config{}, upstream.Report{State: upstream.Offline}},
		{"1, by HTTP", replay.Bytes(func(r *http.Request) string {
			if r.URL.Path != "/7.html" {
				return replay.Status("404 Not Found")
			}
			return replay.OK("text/html", "\r\n0,1,0,100,0,64,A,B")
		}), shoutcast.Config{}, upstream.Report{Listeners: listeners(0), Song: upstream.Song{Text: "A,B"}}},
		{"a title alone", replay.Bytes(func(r *http.Request) string {
			if r.URL.RequestURI() != "/currentsong?sid=1" {
				return replay.Status("403 Forbidden")
			}
			return replay.OK("text/html", "A   B\n")
		}), shoutcast.Config{}, upstream.Report{Song: upstream.Song{Text: "A - B"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			reports, err := observe(t, c.server, c.config, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range reports {
				if diff := cmp.Diff(c.want, r); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestPassword(t *testing.T) {
	closed := func(open string) replay.Server {
		return replay.Bytes(func(r *http.Request) string {
			user, password, given := r.BasicAuth()
			switch uri := r.URL.RequestURI(); {
			case uri == "/admin.cgi?sid=1&mode=viewjson&page=1" && user == "admin" && password == "secret":
				return replay.OK("application/json", `{"songtitle":"For the administrator","streamstatus":1}`)
			case given && uri != "/admin.cgi?sid=1&mode=viewjson&page=1":
				t.Errorf("the password is sent to %s", uri)
			case uri == open:
				return replay.OK("application/json", `{"songtitle":"For all","streamstatus":1}`)
			}
			return replay.Status("401 Unauthorized")
		})
	}
	for _, c := range []struct{ name, password, open, want, warning string }{
		{"right", "secret", "", "For the administrator", ""},
		{"wrong", "guessed", "/stats?sid=1&json=1", "For all", "viewjson&page=1: the server answers 401 Unauthorized; only"},
		{"none", "", "/stats?sid=1&json=1", "For all", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var warnings []string
			config := shoutcast.Config{Password: c.password, Warn: func(err error) { warnings = append(warnings, err.Error()) }}
			reports, err := observe(t, closed(c.open), config, 3)
			if err != nil || reports[2].Song.Text != c.want {
				t.Errorf("%v, %v", reports, err)
			}
			if all := strings.Join(warnings, "|"); !strings.Contains(all, c.warning) || (all == "") != (c.warning == "") || len(warnings) > 1 || strings.Contains(all, "guessed") {
				t.Errorf("warned: %q", all)
			}
		})
	}
}

// What was found out is not tried again.
func TestAsked(t *testing.T) {
	var asked []string
	server := one(sevenHead + `5,1,31,100,4,128,A</body></html>`)
	counted := replay.Server(func(ctx context.Context, r *http.Request, w io.Writer) {
		asked = append(asked, r.Proto+" "+r.URL.RequestURI())
		server(ctx, r, w)
	})
	if _, err := observe(t, counted, shoutcast.Config{SID: 3}, 3); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"HTTP/1.1 /stats?sid=3&json=1", "HTTP/1.0 /stats?sid=3&json=1", // refused by net/http, and asked again
		"HTTP/1.0 /7.html?sid=3", "HTTP/1.0 /7.html?sid=3", "HTTP/1.0 /7.html?sid=3",
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		version      int
		want         []string
		asked        int
	}{
		{"nobody there", "", 0, []string{"asking radio.example:8000 for /stats?sid=1&json=1: EOF"}, 3},
		{"something else", replay.Status("404 Not Found"), 0, []string{"/stats?sid=1&json=1: the server answers 404 Not Found; /7.html?sid=1: the server", "/currentsong?sid=1: the server"}, 9},
		{"a page", replay.OK("text/html", "<html><body>1,2,3,Hello"), 0, []string{"no JSON object", "not the seven fields", "a page and no title"}, 9},
		{"not seven", replay.OK("text/html", sevenHead+"a,b,c,d,e,f,g"), 1, []string{"field 1 of the answer should be a number"}, 3},
		{"an endless stream", replay.OK("audio/mpeg", strings.Repeat("\xff", 2<<20)), 1, []string{"it seems to play the stream"}, 3},
		{"other JSON", replay.OK("application/json", `{"icestats":{}}`), 2, []string{"this is no Shoutcast server"}, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := 0
			server := replay.Bytes(func(r *http.Request) string {
				asked++
				if c.version == 2 && r.URL.Path == "/7.html" {
					return "" // which ends the search
				}
				return c.answer
			})
			reports, err := observe(t, server, shoutcast.Config{Version: c.version}, 1)
			if err == nil || len(reports) > 0 || asked != c.asked {
				t.Errorf("%v, %v, asked %d times", reports, err, asked)
			}
			for _, want := range c.want {
				if err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("%v; want %s", err, want)
				}
			}
		})
	}
}

// One bad answer is no news, and a restart in between neither.
func TestOneBadAnswer(t *testing.T) {
	asked := 0
	server := replay.Bytes(func(r *http.Request) string {
		if asked++; asked%3 != 0 {
			return ""
		}
		return replay.OK("application/json", `{"songtitle":"A","streamstatus":1}`)
	})
	reports, err := observe(t, server, shoutcast.Config{}, 4)
	if err != nil || len(reports) != 4 || reports[3].Song.Text != "A" {
		t.Errorf("%v, %v", reports, err)
	}
}

func TestSlowServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := replay.Server(func(ctx context.Context, _ *http.Request, _ io.Writer) { <-ctx.Done() })
		u, err := shoutcast.New(shoutcast.Config{URL: "http://radio.example", Network: server.Network(t)})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := u.Watch(t.Context(), func(upstream.Report) {}); err == nil || time.Since(began) != 62*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		url   string
		sid   int
		asked string
	}{
		{"http://radio.example:8000", 0, "/stats?sid=1&json=1"},
		{"http://radio.example:8000/", 2, "/stats?sid=2&json=1"},
		{"http://radio.example:8000/stream/4/", 0, "/stats?sid=4&json=1"},
		{"http://radio.example:8000/stream/4", 2, "/stats?sid=2&json=1"},
		{"http://radio.example:8000/;stream.mp3", 0, "/stats?sid=1&json=1"},
		{"http://radio.example:8000/;", 0, "/stats?sid=1&json=1"},
		{"http://radio.example:8000/stats?sid=7", 0, "/stats?sid=7&json=1"},
		{"http://radio.example/jazz/index.html?sid=1#x", 0, "/jazz/stats?sid=1&json=1"},
	} {
		asked := ""
		server := replay.Bytes(func(r *http.Request) string {
			asked = r.URL.RequestURI()
			return replay.OK("application/json", `{"songtitle":"A","streamstatus":1}`)
		})
		if _, err := observe(t, server, shoutcast.Config{URL: c.url, SID: c.sid}, 1); err != nil || asked != c.asked {
			t.Errorf("%s: %s, %v; want %s", c.url, asked, err, c.asked)
		}
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		config  shoutcast.Config
		setting string
	}{
		{shoutcast.Config{URL: "radio.example:8000"}, "shoutcast"},
		{shoutcast.Config{URL: "http://radio.example", SID: -1}, "sid"},
		{shoutcast.Config{URL: "http://radio.example", Version: 3}, "version"},
		{shoutcast.Config{URL: "http://radio.example", Every: time.Millisecond}, "every"},
	} {
		_, err := shoutcast.New(c.config)
		if e, ok := err.(*sources.SettingError); !ok || e.Setting != c.setting {
			t.Errorf("%+v: %v", c.config, err)
		}
	}
}
