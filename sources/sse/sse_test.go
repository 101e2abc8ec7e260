package sse_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/sourcetest"
	"github.com/wallcast/wallcast/sources/sse"
)

func settings(url string) *sse.Settings {
	s := sse.Type.New().(*sse.Settings)
	s.URL = url
	return s
}

func TestConformance(t *testing.T) {
	payloads := []string{"one", `{"text":"two"}`, "three\nlines\n", "four"}
	t.Run("any server", func(t *testing.T) {
		sourcetest.Run(t, sourcetest.Case{Type: sse.Type, Open: func(t *testing.T) sourcetest.Upstream {
			p := newPlain(t)
			for _, data := range payloads {
				p.blocks = append(p.blocks, "event: post\ndata: "+strings.ReplaceAll(data, "\n", "\ndata: "))
			}
			return sourcetest.Upstream{Settings: settings(p.URL), Want: payloads}
		}})
	})
	t.Run("another Wallcast", func(t *testing.T) {
		sourcetest.Run(t, sourcetest.Case{Type: sse.Type, Open: func(t *testing.T) sourcetest.Upstream {
			n := newNeighbour(t, 1000)
			n.publish("post", "", payloads...)
			return sourcetest.Upstream{Settings: settings(n.url() + "?last=100"), Want: payloads}
		}})
	})
}

func TestKinds(t *testing.T) {
	p := newPlain(t, "data: unnamed", "event: message\ndata: named so", "event: post\ndata: a", "event: status.update\ndata: b", "event: open\ndata: c", "event: Post\ndata: d")
	run(t, sourcetest.NewStore(), settings(p.URL)).AwaitEvents(
		"default unnamed", "default named so", "post a", "default b", "default c", "default d")
}

func TestEventsFilter(t *testing.T) {
	p := newPlain(t, "data: unnamed", "event: update\ndata: a", "event: delete\ndata: b", "event: status.update\ndata: c", "event: message\ndata: d")
	s := settings(p.URL)
	s.Events = map[string]string{"update": "post", "status.update": "post", "message": ""}
	s.Headers = map[string]string{"authorization": "Bearer secret"}
	run(t, sourcetest.NewStore(), s).AwaitEvents("default unnamed", "post a", "post c", "default d")
	if got := p.request(0).Header.Get("Authorization"); got != "Bearer secret" {
		t.Errorf("Authorization: %q", got)
	}
}

func TestResumesAfterABreak(t *testing.T) {
	p := newPlain(t, "data: 1")
	store := sourcetest.NewStore()
	r := run(t, store, settings(p.URL))
	r.AwaitEvents("default 1")
	p.CloseClientConnections()
	p.add("data: 2")
	r.AwaitEvents("default 1", "default 2")
	if got := p.request(1).Header.Get("Last-Event-ID"); got != "1" {
		t.Errorf("resumed with the id %q", got)
	}
	r.Stop()
	p.add("data: 3")
	r = run(t, store, settings(p.URL))
	r.AwaitEvents("default 1", "default 2", "default 3")
	r.Stop()
	// Another address begins anew.
	run(t, store, settings(p.URL+"/other")).AwaitEvents("default 1", "default 2", "default 3", "default 1", "default 2", "default 3")
}

func TestNoIDsNoCursor(t *testing.T) {
	url := handler(t, func(w http.ResponseWriter, r *http.Request) {
		sends(w, "data: a\n\n")
		<-r.Context().Done()
	})
	r := run(t, sourcetest.NewStore(), settings(url))
	r.AwaitEvents("default a")
	if d := r.Store.Drafts()[0]; d.Mark != nil {
		t.Errorf("the mark %+v", d.Mark)
	}
}

func TestWarnings(t *testing.T) {
	var say atomic.Value
	url := handler(t, func(w http.ResponseWriter, r *http.Request) { say.Load().(http.HandlerFunc)(w, r) })
	set := func(h http.HandlerFunc) { say.Store(h) }
	set(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<p>hello") })
	r := run(t, sourcetest.NewStore(), settings(url+"/?token=secret"))
	r.AwaitWarning("no event stream")
	set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	r.AwaitWarning("answers 403 Forbidden; check the credentials")
	set(func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	r.AwaitWarning("EOF")
	if w := r.Status().Warning; strings.Contains(w, "secret") {
		t.Errorf("the warning tells the secret: %s", w)
	}
	set(func(w http.ResponseWriter, r *http.Request) {
		sends(w, "data: "+strings.Repeat("x", 2<<20)+"\n\n")
		<-r.Context().Done()
	})
	r.AwaitWarning("more than 1024 KiB")
	if r.Status().State != sources.Running {
		t.Errorf("%+v", r.Status())
	}
}

func TestNoContentEnds(t *testing.T) {
	for status, says := range map[int]string{204: "at its end (204)", 410: "410 Gone"} {
		var asked atomic.Int32
		url := handler(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(status)
		})
		r := run(t, sourcetest.NewStore(), settings(url))
		r.AwaitWarning(says)
		time.Sleep(100 * time.Millisecond) // ten times as long as it waits between two
		if asked.Load() != 1 {
			t.Errorf("%d: asked %d times", status, asked.Load())
		}
	}
}

func TestObeysRetry(t *testing.T) {
	times := make(chan time.Time, 10)
	url := handler(t, func(w http.ResponseWriter, _ *http.Request) {
		times <- time.Now()
		sends(w, "retry: 400\nid: 1\ndata: x\n\n")
	})
	run(t, sourcetest.NewStore(), settings(url))
	if waited := -(<-times).Sub(<-times); waited < 400*time.Millisecond {
		t.Errorf("it came back after %v", waited)
	}
}

func TestObeysRetryAfter(t *testing.T) {
	times := make(chan time.Time, 10)
	url := handler(t, func(w http.ResponseWriter, _ *http.Request) {
		times <- time.Now()
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	run(t, sourcetest.NewStore(), settings(url))
	if waited := -(<-times).Sub(<-times); waited < time.Second {
		t.Errorf("it came back after %v", waited)
	}
}

func TestASilentConnectionIsMadeAnew(t *testing.T) {
	var asked atomic.Int32
	url := handler(t, func(w http.ResponseWriter, r *http.Request) {
		sends(w, fmt.Sprintf("id: %d\ndata: %[1]d\n\n", asked.Add(1)))
		<-r.Context().Done()
	})
	runHurried(t, sourcetest.NewStore(), settings(url), 100*time.Millisecond).AwaitEvents("default 1", "default 2")
}

func TestAnotherWallcast(t *testing.T) {
	n := newNeighbour(t, 1000)
	store := sourcetest.NewStore()
	n.publish("post", "", "before it was followed")
	r := run(t, store, settings(n.url()))
	r.AwaitCheckpoint()
	id := n.publish("post", "", "one")
	n.publish("song", "jazz", `{"title":"So What"}`)
	n.publish("message", "", `{"kind":"x","data":"no envelope"}`, "flat text")
	r.AwaitEvents("post one", `song.jazz {"title":"So What"}`, `default {"kind":"x","data":"no envelope"}`, "default flat text")
	d := store.Drafts()[0]
	if d.EventID != id.String() || d.Source != "someone" || time.Since(d.Time) > time.Minute {
		t.Errorf("the origin is lost: %+v", d)
	}
	r.Stop()
	n.publish("post", "", "while it was away")
	r = run(t, store, settings(n.url()))
	r.AwaitEvents("post one", `song.jazz {"title":"So What"}`, `default {"kind":"x","data":"no envelope"}`, "default flat text", "post while it was away")
}

func TestAGapIsAWarning(t *testing.T) {
	n := newNeighbour(t, 5)
	store := sourcetest.NewStore()
	r := run(t, store, settings(n.url()))
	r.AwaitCheckpoint()
	n.publish("song", "jazz", "the song")
	r.AwaitEvents("song.jazz the song")
	r.Stop()
	for i := range 20 {
		n.publish("post", "", fmt.Sprint(i))
	}
	r = run(t, store, settings(n.url()))
	// The card that outlived the history was had before.
	r.AwaitEvents("song.jazz the song", "post 15", "post 16", "post 17", "post 18", "post 19")
}

func TestByeIsObeyed(t *testing.T) {
	times := make(chan time.Time, 10)
	url := handler(t, func(w http.ResponseWriter, _ *http.Request) {
		times <- time.Now()
		sends(w, "event: wall:hello\nid: e-1\ndata: {}\n\nevent: wall:bye\ndata: {\"reason\":\"full\",\"retry\":500}\n\n")
	})
	r := run(t, sourcetest.NewStore(), settings(url+"?as=json"))
	r.AwaitWarning("ends the stream (full)")
	if waited := -(<-times).Sub(<-times); waited < 500*time.Millisecond {
		t.Errorf("it came back after %v", waited)
	}
}

// Restarts of the other side, in order and by cutting, lose and double nothing.
func TestRestartsOfAnotherWallcast(t *testing.T) {
	n := newNeighbour(t, 10_000)
	store := sourcetest.NewStore()
	r := run(t, store, settings(n.url()+"?last=100000"))
	var want []string
	for round := range 12 {
		for range 1 + rand.N(40) {
			data := fmt.Sprint(len(want))
			n.publish("post", "", data)
			want = append(want, "post "+data)
		}
		n.stop(round%2 == 0)
		if round%3 == 0 {
			r.Stop()
			r = run(t, store, settings(n.url()+"?last=100000"))
		}
		n.publish("post", "", fmt.Sprint(len(want)))
		want = append(want, "post "+fmt.Sprint(len(want)))
		n.start()
	}
	r.AwaitEvents(want...)
	r.AwaitWarning("")
}

func TestWrongSettings(t *testing.T) {
	for setting, change := range map[string]func(*sse.Settings){
		"url":           func(s *sse.Settings) { s.URL = "ftp://example.com" },
		"headers":       func(s *sse.Settings) { s.Headers = map[string]string{"A": "b\nc"} },
		"events.update": func(s *sse.Settings) { s.Events = map[string]string{"update": "No Kind"} },
		"silence":       func(s *sse.Settings) { s.Silence = time.Second },
	} {
		s := settings("http://127.0.0.1/")
		change(s)
		_, err := s.Source(sources.Env{}.Complete())
		var wrong *sources.SettingError
		if !errors.As(err, &wrong) || wrong.Setting != setting {
			t.Errorf("%s: %v", setting, err)
		}
	}
	s := settings("https://example.com/%zz?token=secret")
	if _, err := s.Source(sources.Env{}.Complete()); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a bad address: %v", err)
	}
}

func TestCheck(t *testing.T) {
	p := newPlain(t, "data: x")
	for url, says := range map[string]string{p.URL: "", handler(t, http.NotFound): "404 Not Found"} {
		src, err := settings(url).Source(sources.Env{}.Complete())
		if err != nil {
			t.Fatal(err)
		}
		err = src.(sources.Checker).Check(t.Context())
		var wrong *sources.SettingError
		if says == "" && err != nil || says != "" && (!errors.As(err, &wrong) || wrong.Setting != "url" || !strings.Contains(err.Error(), says)) {
			t.Errorf("Check: %v, want %q", err, says)
		}
	}
}
