package azuracast_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/azuracast"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// recorded returns the body of a recorded answer.
func recorded(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	_, body, ok := bytes.Cut(data, []byte("\r\n\r\n"))
	if !ok {
		t.Fatalf("%s has no body", name)
	}
	return body
}

// installation is a server with one station, jazz, numbered 1 and named azuratest_radio in its channel.
type installation struct {
	*httptest.Server
	api    atomic.Value // the answer of the interface; "" for none
	asked  atomic.Int64
	stream func(http.ResponseWriter, *http.Request)
}

func newInstallation(t *testing.T, stream func(http.ResponseWriter, *http.Request)) *installation {
	i := &installation{stream: stream}
	i.api.Store(object("A - T0", 7))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /radio/api/nowplaying/jazz", func(w http.ResponseWriter, _ *http.Request) {
		i.asked.Add(1)
		if answer := i.api.Load().(string); answer != "" {
			fmt.Fprint(w, answer)
			return
		}
		w.WriteHeader(http.StatusBadGateway)
	})
	mux.HandleFunc("GET /radio/api/live/nowplaying/sse", stream)
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func object(text string, id int) string {
	artist, title, _ := strings.Cut(text, " - ")
	return fmt.Sprintf(`{"station":{"name":"AzuraTest Radio","shortcode":"azuratest_radio"},"listeners":{"total":2,"unique":1,"current":2},
		"live":{"is_live":true,"streamer_name":"Ada"},"is_online":true,
		"now_playing":{"sh_id":%d,"played_at":1795330251,"duration":180,"song":{"text":%q,"artist":%q,"title":%q,"album":"","art":"/api/station/1/art/x.jpg"}},
		"playing_next":{"cued_at":1795330400,"played_at":1795330431,"duration":60,"song":{"text":"B - U","artist":"B","title":"U"}}}`, id, text, artist, title)
}

func (i *installation) config(t *testing.T) azuracast.Config {
	t.Helper()
	address, err := url.Parse(i.URL + "/radio")
	if err != nil {
		t.Fatal(err)
	}
	return azuracast.Config{Address: address, Station: "jazz", Every: 50 * time.Millisecond, Client: i.Client(), Streams: i.Client()}
}

// watch collects reports as rows until there are n.
func watch(t *testing.T, c azuracast.Config, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var rows []string
	err := c.Watch(ctx, func(r upstream.Report) {
		s := r.Song
		if rows = append(rows, fmt.Sprintf("%s - %s #%s", s.Artist, s.Title, s.PlayID)); len(rows) == n {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || len(rows) < n {
		t.Fatalf("Watch: %v, with %q", err, rows)
	}
	return rows[:n]
}

func TestEventStream(t *testing.T) {
	i := newInstallation(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("cf_connect"); got != `{"subs":{"station:azuratest_radio":{"recover":true}}}` {
			t.Errorf("it subscribes with %s", got)
		}
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		_, _ = w.Write(recorded(t, "02-sse-connect-cached-then-push-then-ping.http"))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	want := []string{"A - T0 #7", "A - T #1", "A - T #2"}
	if diff := cmp.Diff(want, watch(t, i.config(t), 3)); diff != "" {
		t.Error(diff)
	}
	if n := i.asked.Load(); n != 1 {
		t.Errorf("the interface was asked %d times beside the stream", n)
	}
}

func TestEventStreamThatEnds(t *testing.T) {
	var connections atomic.Int64
	i := newInstallation(t, func(w http.ResponseWriter, _ *http.Request) {
		connections.Add(1)
		_, _ = w.Write(recorded(t, "01-sse-connect-empty-cache.http"))
	})
	watch(t, i.config(t), 3) // it connects anew, and asks in between
	if n := connections.Load(); n < 2 {
		t.Errorf("it has connected %d times", n)
	}
}

func TestWithoutEventStream(t *testing.T) {
	for name, stream := range map[string]func(http.ResponseWriter, *http.Request){
		"not found": http.NotFound,
		"disconnect": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(recorded(t, "04-sse-with-legacy-global-time-sub.http"))
		},
		"no subscription": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(recorded(t, "06-sse-no-cf_connect.http"))
		},
		"a page": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>\n\ndata: {\n\n") },
	} {
		t.Run(name, func(t *testing.T) {
			var connections atomic.Int64
			i := newInstallation(t, func(w http.ResponseWriter, r *http.Request) {
				connections.Add(1)
				stream(w, r)
			})
			watch(t, i.config(t), 4)
			if n := connections.Load(); n != 1 {
				t.Errorf("it has tried the event stream %d times", n)
			}
		})
	}
}

func TestOneBadAnswerIsNoError(t *testing.T) {
	i := newInstallation(t, http.NotFound)
	c := i.config(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	reports := 0
	err := c.Watch(ctx, func(upstream.Report) {
		switch reports++; reports {
		case 1:
			i.api.Store(`{"code":500}`)
			time.AfterFunc(c.Every+c.Every/2, func() { i.api.Store(object("A - T", 1)) })
		case 2:
			i.api.Store("")
		}
	})
	if reports != 2 || err == nil || !strings.Contains(err.Error(), "502") {
		t.Errorf("after %d reports: %v", reports, err)
	}
	c.Station = "rock"
	if err := c.Watch(ctx, func(upstream.Report) {}); err == nil || !strings.Contains(err.Error(), `no station "rock"`) {
		t.Errorf("a station that doesn't exist: %v", err)
	}
}

func TestParse(t *testing.T) {
	base := &url.URL{Scheme: "https", Host: "radio.example", Path: "/x/"}
	r, err := azuracast.Parse([]byte(object("A - T", 7)), base)
	if err != nil {
		t.Fatal(err)
	}
	two := 2
	want := upstream.Report{
		Song: upstream.Song{Artist: "A", Title: "T", PlayID: "7", Art: "https://radio.example/api/station/1/art/x.jpg",
			StartedAt: time.Unix(1795330251, 0).UTC(), Duration: 3 * time.Minute},
		Next: &upstream.Song{Artist: "B", Title: "U", Duration: time.Minute},
		Live: true, DJ: "Ada", Listeners: &two, Station: "AzuraTest Radio",
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	offline, err := azuracast.Parse([]byte(`{"now_playing":{"song":{"text":"Station Offline"}},"is_online":false,"playing_next":null}`), base)
	if err != nil || offline.State != upstream.Offline {
		t.Errorf("offline: %+v, %v", offline, err)
	}
	for _, body := range []string{"", "[]", "{}", `{"code":404,"message":"Record not found"}`} {
		if _, err := azuracast.Parse([]byte(body), base); err == nil {
			t.Errorf("%q is taken for a station", body)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(object("A - T", 7)))
	for line := range bytes.Lines(recorded(f, "02-sse-connect-cached-then-push-then-ping.http")) {
		f.Add(bytes.TrimPrefix(line, []byte("data: ")))
	}
	f.Add([]byte(`{"is_online":true,"now_playing":{"sh_id":"1e9","played_at":1e300,"duration":-1}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := azuracast.Parse(body, &url.URL{Scheme: "https", Host: "x"})
		if err != nil {
			return
		}
		if _, err := json.Marshal(r.Song.StartedAt); err != nil {
			t.Error(err)
		}
		if r.Song.Duration < 0 || r.Song.Art != "" && !strings.HasPrefix(r.Song.Art, "http") {
			t.Errorf("%+v", r.Song)
		}
	})
}
