package icy_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/icy"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/replay"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// observe watches until there were n reports, and returns them, or the error.
func observe(t *testing.T, server replay.Server, c icy.Config, n int) ([]upstream.Report, error) {
	t.Helper()
	if c.URL == "" {
		c.URL = "http://192.0.2.1:8000/live.mp3"
	}
	return replay.Watch(t, server, n, func(network sources.Network) (upstream.Upstream, error) {
		c.Network = network
		return icy.New(c)
	})
}

func answers(s string) replay.Server { return replay.Bytes(func(*http.Request) string { return s }) }

func playing(station, text string) upstream.Report {
	return upstream.Report{Station: station, Song: upstream.Song{Text: text}}
}

var offline = upstream.Report{State: upstream.Offline}

func TestRecordedStreams(t *testing.T) {
	reports, err := observe(t, answers(replay.Recorded(t, "01-icy-mp3-raw.bin")), icy.Config{}, 2)
	if err != nil {
		t.Fatal(err)
	}
	// The second block is empty: nothing changed.
	if diff := cmp.Diff([]upstream.Report{playing("Café ☕ Radio", "Artist One - Title One"), playing("Café ☕ Radio", "Artist One - Title One")}, reports); diff != "" {
		t.Error(diff)
	}
	reports, err = observe(t, answers(replay.Recorded(t, "04-mpd-httpd-icy.bin")), icy.Config{}, 9)
	if err != nil {
		t.Fatal(err)
	}
	var titles []string
	for _, r := range reports {
		if len(titles) == 0 || titles[len(titles)-1] != r.Song.Text {
			titles = append(titles, r.Song.Text)
		}
	}
	if diff := cmp.Diff([]string{
		"The Album - Normal Artist - Normal Title", "Déjà Vu - 宇多田ヒカル - 初恋 🎵", `A\B - Simon & Garfunkel - Don't; "Stop" & Go`,
	}, titles); diff != "" {
		t.Error(diff)
	}
	for file, want := range map[string]string{
		"02-icy-ogg-raw.bin":            "listening to 192.0.2.1:8000/live.mp3: this is Ogg",
		"03-mp3-without-icy-header.bin": "the server sends no titles within the stream",
	} {
		asked := 0
		server := replay.Bytes(func(*http.Request) string { asked++; return replay.Recorded(t, file) })
		if reports, err := observe(t, server, icy.Config{}, 1); err == nil || !strings.Contains(err.Error(), want) || len(reports) > 0 || asked != 1 {
			t.Errorf("%s: %v, %v, asked %d times", file, reports, err, asked)
		}
	}
}

// stream is an answer that has these blocks, each with its length byte, after as
// much audio as it takes.
func stream(head string, blocks ...string) string {
	var b strings.Builder
	b.WriteString(head + "Content-Type: audio/mpeg\r\nicy-name: M\r\nicy-metaint: 1000\r\n\r\n")
	for _, block := range blocks {
		b.WriteString(strings.Repeat("\xff", 1000) + block)
	}
	return b.String()
}

// block makes a block of text, padded.
func block(text, padding string) string {
	n := (len(text) + 15) / 16
	return string([]byte{byte(n)}) + text + strings.Repeat(padding, n*16-len(text))
}

const ok = "HTTP/1.0 200 OK\r\nServer: Icecast 2.4.4\r\n"

func TestRecordedMatrix(t *testing.T) {
	replay.Titles(t, nil, func(t *testing.T, title replay.Title) {
		raw := block("StreamTitle='"+title.Want+"';", "\x00")
		if title.Case != replay.Long {
			raw = replay.Python(t, title.Block)
		}
		reports, err := observe(t, answers(stream(ok, raw)), icy.Config{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(playing("M", title.Want), reports[0]); diff != "" {
			t.Error(diff)
		}
	})
}

// TestRecordedTimelines replays what a listener of a mount was sent while its
// source stalled, was replaced by the fallback and came back, and while titles
// changed.
func TestRecordedTimelines(t *testing.T) {
	line := regexp.MustCompile(`^ *[0-9.]+ (icy\w*) +@audio byte [0-9]+: len byte 0x(..) (b.*)$`)
	for _, c := range []struct {
		file, listener string
		want           []string
	}{
		{"40-timeline-disconnect-stall-fallback.txt", "icyA", []string{
			"Main - Song 1", "Main - Song 2", "Main - Fast 2", "Main - Fast 2", "Backup - Loop", "", "Main - Back", "Backup - Loop",
		}},
		{"41-timeline-server-restart.txt", "icyA", []string{"Before - Restart"}},
		{"41-timeline-server-restart.txt", "icyB", []string{"", "After - Restart", "Pipe | In & Title", "Ünï - cöde"}},
		{"43-raw-bytes-at-restart-and-ghost.txt", "icy", []string{"M - 1", ""}},
		{"02-timeline-json-vs-icy.txt", "icy", []string{
			"Unknown", "NL - Line1 Line2", "First;Second - Duet", "Beyoncé - Déjà Vu", "Normal Artist - Normal Title",
			"宇多田ヒカル - 初恋 🎵", `Simon & Garfunkel - Don't; "Stop" & Go`,
		}},
	} {
		t.Run(c.file[:2]+c.listener, func(t *testing.T) {
			var blocks []string
			for text := range strings.SplitSeq(replay.Recorded(t, c.file), "\n") {
				if m := line.FindStringSubmatch(text); m != nil && m[1] == c.listener {
					length, err := strconv.ParseUint(m[2], 16, 8)
					if err != nil {
						t.Fatal(err)
					}
					blocks = append(blocks, string([]byte{byte(length)})+replay.Python(t, m[3]), "\x00")
				}
			}
			reports, err := observe(t, answers(stream(ok, blocks...)), icy.Config{}, len(blocks))
			if err != nil {
				t.Fatal(err)
			}
			var titles []string
			for i, r := range reports {
				if i%2 == 0 {
					titles = append(titles, r.Song.Text)
				} else if !cmp.Equal(r, reports[i-1]) {
					t.Errorf("an empty block brought %+v", r)
				}
			}
			if diff := cmp.Diff(c.want, titles); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBlocks(t *testing.T) {
	for _, c := range []struct {
		name, block string
		want        upstream.Song
	}{
		{"padded with spaces", block("StreamTitle='A - B';", " "), upstream.Song{Text: "A - B"}},
		{"quotes", block("StreamTitle='Don't; 'Stop'; Now';", "\x00"), upstream.Song{Text: "Don't; 'Stop'; Now"}},
		{"the end of a title in a title", block("StreamTitle='A';B';", "\x00"), upstream.Song{Text: "A';B"}},
		{"that, and an address", block("StreamTitle='A';B';StreamUrl='https://radio.example/';", "\x00"), upstream.Song{Text: "A';B"}},
		{"a picture", block("StreamTitle='A';StreamUrl='https://radio.example/a.JPG?x';", "\x00"), upstream.Song{Text: "A", Art: "https://radio.example/a.JPG?x"}},
		{"no picture", block("StreamTitle='A';StreamUrl='javascript:a.png';", "\x00"), upstream.Song{Text: "A"}},
		{"an advertisement", block("StreamTitle='Buy';adw_ad='true';durationMilliseconds='30000';", "\x00"), upstream.Song{Text: "Buy", Type: "ad", Duration: 30 * time.Second}},
		{"Latin-1 and an entity", block("StreamTitle='Beyonc\xe9 &#8211; D\xe9j\xe0';", "\x00"), upstream.Song{Text: "Beyoncé – Déjà"}},
		{"an entity's semicolon", block("StreamTitle='&#23431;&#22810;';", "\x00"), upstream.Song{Text: "宇多"}},
		{"empty", block("StreamTitle='';", "\x00"), upstream.Song{}},
		{"cut short", block("StreamTitle='A - B'", "\x00"), upstream.Song{Text: "A - B"}},
		{"cut shorter", block("StreamTitle='A - B", "\x00"), upstream.Song{Text: "A - B"}},
		{"another key first", block("StreamUrl='';StreamTitle='A';", "\x00"), upstream.Song{Text: "A"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			reports, err := observe(t, answers(stream(ok, block("StreamTitle='Before';", "\x00"), c.block)), icy.Config{}, 2)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, reports[1].Song); diff != "" {
				t.Error(diff)
			}
		})
	}
	// What says nothing of a title changes nothing.
	reports, err := observe(t, answers(stream(ok, block("StreamTitle='Before';", "\x00"), "\x00", block("StreamUrl='x';", "\x00"), block("   ", " "))), icy.Config{}, 4)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range reports {
		if r.Song.Text != "Before" {
			t.Errorf("%+v", r)
		}
	}
}

func TestRequest(t *testing.T) {
	for name, head := range map[string]string{"HTTP": ok, "ICY": "ICY 200 OK\r\n"} {
		server := replay.Bytes(func(r *http.Request) string {
			if r.Header.Get("Icy-Metadata") != "1" || r.URL.Path != "/live.mp3" || r.Header.Get("Accept-Encoding") != "identity" {
				t.Errorf("%s: %s %v", name, r.URL, r.Header)
			}
			return stream(head, block("StreamTitle='A';", "\x00"))
		})
		reports, err := observe(t, server, icy.Config{}, 1)
		if err != nil || !cmp.Equal(reports[0], playing("M", "A")) {
			t.Errorf("%s: %v, %v", name, reports, err)
		}
	}
}

func TestOffAndBack(t *testing.T) {
	for name, off := range map[string]string{
		"Icecast":            "HTTP/1.0 404 File Not Found\r\nServer: Icecast 2.4.4\r\n\r\n",
		"Shoutcast 1":        "ICY 404 Resource Not Found\r\nicy-notice2:SHOUTcast\r\n\r\n",
		"Shoutcast 1, later": "ICY 401 Service Unavailable\r\n\r\n",
		"Shoutcast 2":        "HTTP/1.1 503 Server limit reached\r\nContent-Length: 0\r\nicy-notice2:Shoutcast DNAS\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			asked := map[string]int{}
			server := replay.Bytes(func(r *http.Request) string {
				if asked[r.Proto]++; asked[r.Proto] < 8 {
					return off
				}
				return stream(ok, block("StreamTitle='A';", "\x00"))
			})
			reports, err := observe(t, server, icy.Config{}, 8)
			if err != nil || len(reports) != 8 || !cmp.Equal(reports[0], offline) || !cmp.Equal(reports[6], offline) || !cmp.Equal(reports[7], playing("M", "A")) {
				t.Errorf("%v, %v", reports, err)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name, answer, want string
		asked              int
	}{
		{"nobody there", "", "listening to 192.0.2.1:8000/live.mp3: EOF", 3},
		{"wrong address", replay.Status("404 Not Found"), "the server answers 404 Not Found", 3},
		{"full", "HTTP/1.0 401 Authentication Required\r\nServer: Icecast 2.4.4\r\n\r\n", "the server answers 401", 3},
		{"a page", replay.OK("text/html", "<html>"), "this is text/html and no stream", 1},
		{"a wrong interval", "HTTP/1.0 200 OK\r\nicy-metaint: -1\r\n\r\n", "which can't be", 1},
		{"a huge interval", "HTTP/1.0 200 OK\r\nicy-metaint: 99999999999999999999999\r\n\r\n", "which can't be", 1},
		{"ends in the audio", stream(ok) + "\xff\xff", "the stream has ended", 3},
		{"ends in a block", stream(ok, "\x02Stream"), "unexpected EOF", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := 0
			server := replay.Bytes(func(*http.Request) string { asked++; return c.answer })
			reports, err := observe(t, server, icy.Config{}, 1)
			if err == nil || !strings.Contains(err.Error(), c.want) || len(reports) > 0 || asked != c.asked {
				t.Errorf("%v, %v, asked %d times", reports, err, asked)
			}
		})
	}
}

// A stream that ends is listened to again, and not pressed if it ends at once.
func TestEndAndBack(t *testing.T) {
	began := time.Time{}
	var waits []time.Duration
	server := replay.Bytes(func(*http.Request) string {
		if !began.IsZero() {
			waits = append(waits, time.Since(began))
		}
		began = time.Now()
		return stream(ok, block("StreamTitle='A';", "\x00"))
	})
	reports, err := observe(t, server, icy.Config{Every: 7 * time.Second}, 3)
	if err != nil || len(reports) != 3 {
		t.Errorf("%v, %v", reports, err)
	}
	if diff := cmp.Diff([]time.Duration{7 * time.Second, 7 * time.Second}, waits); diff != "" {
		t.Error(diff)
	}
}

func TestStall(t *testing.T) {
	for name, begin := range map[string]string{
		"before the head": "",
		"in the audio":    stream(ok) + "\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			server := replay.Server(func(ctx context.Context, _ *http.Request, w io.Writer) {
				io.WriteString(w, begin)
				<-ctx.Done()
			})
			began := time.Now()
			var took time.Duration
			synctest.Test(t, func(t *testing.T) {
				began = time.Now()
				u, err := icy.New(icy.Config{URL: "http://radio.example/", Stall: 10 * time.Second, Network: server.Network(t)})
				if err != nil {
					t.Fatal(err)
				}
				if err := u.Watch(t.Context(), func(upstream.Report) {}); err == nil || !strings.Contains(err.Error(), "brings nothing any more, for 10s") {
					t.Error(err)
				}
				took = time.Since(began)
			})
			if took != 32*time.Second {
				t.Errorf("gave up after %v", took)
			}
		})
	}
}

// A slow stream is none that stalls.
func TestSlow(t *testing.T) {
	server := replay.Server(func(ctx context.Context, _ *http.Request, w io.Writer) {
		head, body, _ := strings.Cut(stream(ok, block("StreamTitle='Slow';", "\x00")), "\r\n\r\n")
		io.WriteString(w, head+"\r\n\r\n")
		for chunk := range slices.Chunk([]byte(body), 50) {
			w.Write(chunk)
			select {
			case <-ctx.Done():
				return
			case <-time.After(9 * time.Second):
			}
		}
	})
	reports, err := observe(t, server, icy.Config{Stall: 10 * time.Second}, 1)
	if err != nil || reports[0].Song.Text != "Slow" {
		t.Errorf("%v, %v", reports, err)
	}
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := replay.Server(func(ctx context.Context, _ *http.Request, w io.Writer) {
			io.WriteString(w, stream(ok, block("StreamTitle='A';", "\x00")))
			<-ctx.Done()
		})
		u, err := icy.New(icy.Config{URL: "http://radio.example/", Network: server.Network(t)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := u.Watch(ctx, func(upstream.Report) {}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestPlaylists(t *testing.T) {
	const address = "http://192.0.2.1:8000/live.mp3"
	for _, c := range []struct{ name, url, kind, body, want string }{
		{"m3u", "http://192.0.2.1/a", "audio/x-mpegurl", "#EXTM3U\r\n#EXTINF:-1,Radio\r\n\r\n" + address + "\r\nhttp://192.0.2.1/other", ""},
		{"pls", "http://192.0.2.1/a", "audio/x-scpls; charset=utf-8", "[playlist]\nNumberOfEntries=1\nFile1=" + address + "\nTitle1=R", ""},
		{"by its name", "http://192.0.2.1/a.PLS", "text/plain", "[playlist]\nfile1 = " + address, ""},
		{"relative", "http://192.0.2.1:8000/x/a.m3u", "application/octet-stream", "\ufeff../live.mp3", ""},
		{"elsewhere", "http://198.51.100.7/a.m3u", "audio/mpegurl", address, ""},
		{"within a network", "http://10.0.0.1/a.m3u", "audio/mpegurl", "http://10.0.0.2/live.mp3", ""},
		{"into a network", "http://192.0.2.1/a.m3u", "audio/mpegurl", "http://127.0.0.1:8222/live.mp3", "is in this network"},
		{"into another network", "http://192.0.2.1/a.m3u", "audio/mpegurl", "http://[::ffff:10.0.0.1]/live.mp3", "is in this network"},
		{"a file", "http://192.0.2.1/a.m3u", "audio/mpegurl", "file:///etc/passwd", "only http and https"},
		{"no address", "http://192.0.2.1/a.m3u", "audio/mpegurl", "http://%zz", "is no address"},
		{"nothing", "http://192.0.2.1/a.pls", "audio/x-scpls", "[playlist]\nLength1=-1", "there is no address"},
		{"HLS", "http://192.0.2.1/a.m3u8", "application/vnd.apple.mpegurl", "#EXTM3U\n#EXT-X-VERSION:3\nlow.m3u8", "HLS"},
		{"a playlist again", "http://192.0.2.1/a.m3u", "audio/mpegurl", "http://192.0.2.1/b.m3u", "another playlist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := replay.Bytes(func(r *http.Request) string {
				if r.URL.Path == "/live.mp3" {
					return stream(ok, block("StreamTitle='A';", "\x00"))
				}
				return replay.OK(c.kind, c.body)
			})
			reports, err := observe(t, server, icy.Config{URL: c.url}, 1)
			switch {
			case c.want == "" && (err != nil || !cmp.Equal(reports[0], playing("M", "A"))):
				t.Errorf("%v, %v", reports, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, %v; want %s", reports, err, c.want)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		config  icy.Config
		setting string
	}{
		{icy.Config{URL: "radio.example:8000"}, "icy"},
		{icy.Config{URL: "file:///x"}, "icy"},
		{icy.Config{URL: "http://radio.example", Every: time.Millisecond}, "every"},
	} {
		_, err := icy.New(c.config)
		if e, ok := err.(*sources.SettingError); !ok || e.Setting != c.setting {
			t.Errorf("%+v: %v", c.config, err)
		}
	}
}
