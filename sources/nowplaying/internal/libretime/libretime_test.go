package libretime_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/libretime"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// answer is what LibreTime answers, as its source says.
const answer = `{
	"station": {"env": "production", "schedulerTime": "2026-11-22 13:01:30", "timezone": "Europe/Paris", "source_enabled": "Scheduled"},
	"tracks": {
		"previous": {"starts": "2026-11-22 12:57:00", "ends": "2026-11-22 13:00:00", "type": "track", "name": "Z - Zero", "metadata": {"artist_name": "Z", "track_title": "Zero"}},
		"current": {"starts": "2026-11-22 13:00:00", "ends": "2026-11-22 13:03:20.5", "type": "track", "media_item_played": true,
			"name": "Simon &amp; Garfunkel - Don&#039;t &quot;Stop&quot;", "metadata": {"id": 7, "artist_name": "Simon &amp; Garfunkel", "track_title": "Don&#039;t &quot;Stop&quot;", "album_title": "A &lt; B", "filepath": "/srv/1.mp3"}},
		"next": {"starts": "2026-11-22 13:03:20", "ends": "2026-11-22 13:06:00", "type": "track", "name": "C - Three", "metadata": {"artist_name": "C", "track_title": "Three"}}
	},
	"shows": {"previous": [], "current": {"name": "Morning &amp; more", "starts": "2026-11-22 13:00:00"}, "next": []},
	"sources": {"livedj": "off", "masterdj": "off", "scheduledplay": "on"}
}`

var now = time.Date(2026, 11, 22, 12, 1, 31, 0, time.UTC)

func parse(t *testing.T, body string, zone *time.Location) upstream.Report {
	t.Helper()
	r, err := libretime.Parse([]byte(body), zone, now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestParse(t *testing.T) {
	want := upstream.Report{
		Song: upstream.Song{
			Artist: "Simon & Garfunkel", Title: `Don't "Stop"`, Album: "A < B", PlayID: "2026-11-22 13:00:00",
			StartedAt: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), Duration: 200*time.Second + 500*time.Millisecond,
		},
		Next: &upstream.Song{Artist: "C", Title: "Three"},
	}
	if diff := cmp.Diff(want, parse(t, answer, nil)); diff != "" {
		t.Error(diff)
	}
}

func TestTimesWithoutZone(t *testing.T) {
	nowhere := strings.Replace(answer, "Europe/Paris", "", 1)
	for name, c := range map[string]struct {
		body string
		zone *time.Location
		want string
	}{
		"the station's zone":             {answer, nil, "12:00:00"},
		"a zone that is set":             {answer, time.FixedZone("", -3600), "14:00:00"},
		"none: from the scheduler's now": {nowhere, nil, "12:00:01"}, // 90 s ago
		"an unknown one":                 {strings.Replace(answer, "Europe/Paris", "Mars", 1), nil, "12:00:01"},
		"none at all":                    {strings.Replace(nowhere, `"2026-11-22 13:01:30"`, `""`, 1), nil, "00:00:00"},
	} {
		r := parse(t, c.body, c.zone)
		if got := r.Song.StartedAt.Format(time.TimeOnly); got != c.want {
			t.Errorf("%s: it began at %s, want %s", name, got, c.want)
		}
	}
}

func TestStates(t *testing.T) {
	current := answer[strings.Index(answer, `"current": {"starts"`):strings.Index(answer, `"next": {"starts"`)]
	for name, c := range map[string]struct {
		current, want string
	}{
		"nothing":        {`"current": null,`, "1 false"},
		"an empty list":  {`"current": [],`, "1 false"},
		"an empty text":  {`"current": "",`, "1 false"},
		"an empty track": {`"current": {},`, "1 false"},
		"a live show":    {`"current": {"type": "livestream", "name": "Live from the harbour", "starts": "2026-11-22 13:00:00"},`, "0 true Live from the harbour Morning & more"},
		"a name alone":   {`"current": {"type": "track", "name": "A - T"},`, "0 false A - T"},
	} {
		r := parse(t, strings.Replace(answer, current, c.current, 1), nil)
		got := strings.TrimSpace(fmt.Sprint(int(r.State), " ", r.Live, " ", r.Song.Text, " ", r.DJ))
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for _, body := range []string{"", "[]", "{}", `{"station":{}}`, "<html>"} {
		if _, err := libretime.Parse([]byte(body), nil, now); err == nil {
			t.Errorf("%q is taken for an answer", body)
		}
	}
}

func TestWatch(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/radio/api/live-info-v2" {
			t.Errorf("it asks for %s", r.URL)
		}
		if n := asked.Add(1); n == 2 || n > 3 { // one bad answer is no error
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		fmt.Fprint(w, answer)
	}))
	defer server.Close()
	address, err := url.Parse(server.URL + "/radio/")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c := libretime.Config{Address: address, Every: 10 * time.Millisecond, Client: server.Client()}
	reports := 0
	err = c.Watch(ctx, func(upstream.Report) { reports++ })
	if reports != 2 || err == nil || !strings.Contains(err.Error(), "502") || asked.Load() != 6 {
		t.Errorf("after %d reports and %d looks: %v", reports, asked.Load(), err)
	}
	cancel()
	if err := c.Watch(ctx, func(upstream.Report) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("told to stop: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(answer))
	f.Add([]byte(`{"station":{"timezone":"Local","schedulerTime":"0000-00-00 00:00:00"},"tracks":{"current":{"name":"&#x110000;","starts":"9999-12-31 23:59:59"}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := libretime.Parse(body, nil, now)
		if err != nil {
			return
		}
		if r.Song.Duration < 0 || r.Song.Duration > 24*time.Hour {
			t.Errorf("%+v", r.Song)
		}
		if _, err := json.Marshal(r.Song.Text + r.Song.Artist + r.Song.Title); err != nil {
			t.Error(err)
		}
	})
}
