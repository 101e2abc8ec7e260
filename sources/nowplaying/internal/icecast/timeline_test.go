package icecast_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/icecast"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/replay"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// moment is what a server answered from some time on.
type moment struct {
	at     time.Duration
	answer string // "": it could not be reached
}

var timelineLine = regexp.MustCompile(`^ *([0-9.]+) (json|raw) +(.*)$`)

// starting is what Icecast answers in its first moments.
const starting = `{"icestats":"server_start":"Sun, 22 Nov 2026 06:42:44 +0000","server_start_iso8601":"2026-11-22T06:42:44+0000","dummy":null}}`

// timeline reads the moments of a recording: the answers themselves where they are
// in it, else made again of what it says of them.
func timeline(t *testing.T, name string) (all []moment) {
	t.Helper()
	for lines := bufio.NewScanner(strings.NewReader(replay.Recorded(t, name))); lines.Scan(); {
		m := timelineLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		seconds, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		answer := ""
		switch {
		case strings.Contains(m[3], "ConnectionRefused"):
		case m[2] == "raw":
			answer = replay.Python(t, m[3])
		case strings.HasPrefix(m[3], "UNPARSABLE"):
			answer = starting
		default:
			answer = status(t, m[3][strings.Index(m[3], "["):])
		}
		all = append(all, moment{time.Duration(seconds * float64(time.Second)), answer})
	}
	return all
}

// status is the public status that has these mounts: path, title, listeners, start.
func status(t *testing.T, list string) string {
	t.Helper()
	var mounts [][4]string
	if err := json.Unmarshal([]byte(list), &mounts); err != nil {
		t.Fatalf("%s: %v", list, err)
	}
	var all []string
	for _, m := range mounts {
		s := fmt.Sprintf(`{"listeners":%s,"listenurl":"http://localhost:18000%s",`, m[2][1:], m[0])
		if start := strings.TrimPrefix(m[3], "start="); start != "" {
			s += `"server_type":"audio/mpeg","stream_start_iso8601":"2026-11-22T` + start + `+0000",`
		}
		if m[1] != "<absent>" {
			s += fmt.Sprintf(`"title":%q,`, m[1])
		}
		all = append(all, s+`"dummy":null}`)
	}
	source := ""
	switch len(all) {
	case 0:
	case 1:
		source = `"source":` + all[0] + ","
	default:
		source = `"source":[` + strings.Join(all, ",") + `],`
	}
	return `{"icestats":{"server_id":"Icecast 2.4.4",` + source + `"dummy":null}}`
}

// follow watches a recording as long as it goes on, and says what changed: titles
// in quotes, "offline", and "error" where the upstream gave up; it is then asked
// again, as a station does.
func follow(t *testing.T, all []moment, mount string) (changes []string) {
	t.Helper()
	note := func(s string) {
		if len(changes) == 0 || changes[len(changes)-1] != s {
			changes = append(changes, s)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		server := replay.Server(func(_ context.Context, r *http.Request, w io.Writer) {
			answer := ""
			for _, m := range all {
				if time.Since(begin) >= m.at {
					answer = m.answer
				}
			}
			switch {
			case answer == "":
			case r.URL.Path == "/status-json.xsl":
				io.WriteString(w, replay.OK("application/json", answer))
			default:
				io.WriteString(w, replay.Status("404 File Not Found"))
			}
		})
		u, err := icecast.New(icecast.Config{URL: "http://radio.example:8000", Mount: mount, Every: time.Second, Network: server.Network(t)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), all[len(all)-1].at+5*time.Second)
		defer cancel()
		for ctx.Err() == nil {
			err := u.Watch(ctx, func(r upstream.Report) {
				if r.State == upstream.Offline {
					note("offline")
				} else {
					note(strconv.Quote(r.Song.Text))
				}
			})
			if ctx.Err() == nil && err != nil {
				note("error")
			}
		}
	})
	return changes
}

// Recordings begin before their server does, or just then.
func TestRecordedTimelines(t *testing.T) {
	for _, c := range []struct {
		file, mount string
		want        []string
	}{
		// A source that stalls keeps its title until Icecast drops it; then its
		// mount is listed without a start, while listeners hear the other one.
		{"40-timeline-disconnect-stall-fallback.txt", "/main.mp3", []string{
			"offline", `""`, `"Main - Song 1"`, `"Main - Song 2"`, `"Main - Fast 2"`, "offline", `""`, `"Main - Back"`, "offline",
		}},
		{"40-timeline-disconnect-stall-fallback.txt", "/backup.mp3", []string{`""`, `"Backup - Loop"`, "offline"}},
		{"41-timeline-server-restart.txt", "/main.mp3", []string{
			`""`, `"Before - Restart"`, "error", "offline", `""`, `"After - Restart"`, `"Pipe | In & Title"`, `"Ünï - cöde"`, "offline",
		}},
		{"43-raw-bytes-at-restart-and-ghost.txt", "/backup.mp3", []string{"error", "offline", `""`, "offline"}},
		{"43-raw-bytes-at-restart-and-ghost.txt", "/main.mp3", []string{"error", "offline"}},
	} {
		t.Run(c.file[:2]+c.mount, func(t *testing.T) {
			if diff := cmp.Diff(c.want, follow(t, timeline(t, c.file), c.mount)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A restart that is over soon leaves no trace: the first moments of the new server
// say nothing of what is on air.
func TestShortRestart(t *testing.T) {
	song := status(t, `[["/main.mp3", "A - B", "L0", "start=06:39:46"]]`)
	all := []moment{{0, song}, {1500 * time.Millisecond, ""}, {2500 * time.Millisecond, starting}, {3500 * time.Millisecond, song}, {6 * time.Second, song}}
	if diff := cmp.Diff([]string{`"A - B"`}, follow(t, all, "/main.mp3")); diff != "" {
		t.Error(diff)
	}
}
