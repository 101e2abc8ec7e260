package poll_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/poll"
	"github.com/wallcast/wallcast/sources/sourcetest"
	"github.com/wallcast/wallcast/stream"
)

// upstream is a server whose answer changes.
type upstream struct {
	*httptest.Server

	mu     sync.Mutex
	answer http.HandlerFunc
	asked  []*http.Request
	times  []time.Time
	bodies []string
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // of a test's own request
		u.mu.Lock()
		defer u.mu.Unlock()
		u.asked, u.times, u.bodies = append(u.asked, r), append(u.times, time.Now()), append(u.bodies, string(body))
		u.answer(w, r)
	}))
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) set(h http.HandlerFunc) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answer = h
}

// say answers data, with an ETag.
func (u *upstream) say(data string) {
	u.set(func(w http.ResponseWriter, r *http.Request) {
		tag := fmt.Sprintf("%q", fmt.Sprint(len(data), data[:1]))
		w.Header().Set("ETag", tag)
		w.Header().Set("Content-Type", "application/json")
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprint(w, data)
	})
}

func (u *upstream) requests() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.asked)
}

func settings(u *upstream) *poll.Settings {
	s := poll.Type.New().(*poll.Settings)
	s.URL, s.Every = u.URL+"/?token=secret", 5*time.Millisecond
	return s
}

func TestConformance(t *testing.T) {
	sourcetest.Run(t, sourcetest.Case{Type: poll.Type, Open: func(t *testing.T) sourcetest.Upstream {
		u := newUpstream(t)
		want := []string{`{"n": 1}`, "two", `[3, "three"]`}
		return sourcetest.Upstream{Settings: settings(u), Want: want, Next: func(i int) { u.say(want[i]) }}
	}})
}

func run(t *testing.T, store *sourcetest.Store, s *poll.Settings) *sourcetest.Running {
	t.Helper()
	return runIn(t, store, s, sources.Env{Name: "test"})
}

func runIn(t *testing.T, store *sourcetest.Store, s *poll.Settings, env sources.Env) *sourcetest.Running {
	t.Helper()
	return sourcetest.Start(t, store, sources.Instance{
		Name: "test", Source: sourcetest.Make(t, s, env), To: stream.Subject{Wall: "main"},
	})
}

// polled waits until the server was asked so many times more.
func polled(t *testing.T, r *sourcetest.Running, u *upstream, times int) {
	t.Helper()
	before := u.requests()
	r.Await("it is not asked", func() bool { return u.requests() >= before+times })
}

func TestChanges(t *testing.T) {
	u := newUpstream(t)
	u.say("one")
	store := sourcetest.NewStore()
	r := run(t, store, settings(u))
	r.AwaitData("one")
	polled(t, r, u, 3)
	u.mu.Lock()
	if got := u.asked[len(u.asked)-1].Header.Get("If-None-Match"); got != `"3o"` {
		t.Errorf("asked without a condition: %q", got)
	}
	u.mu.Unlock()
	// The same bytes under another tag are no news; neither is nothing.
	u.set(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "one\n") })
	polled(t, r, u, 3)
	u.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	polled(t, r, u, 3)
	u.set(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=iso-8859-1")
		fmt.Fprint(w, "caf\xe9")
	})
	r.AwaitData("one", "café")
	r.Stop()
	r = run(t, store, settings(u))
	polled(t, r, u, 3)
	r.AwaitData("one", "café")
	r.Stop()
	s := settings(u)
	s.URL += "&another"
	run(t, store, s).AwaitData("one", "café", "café")
}

func TestAnArrayWithoutAMapIsAWarning(t *testing.T) {
	u := newUpstream(t)
	u.say(`[1, 2]`)
	r := runIn(t, sourcetest.NewStore(), settings(u), sources.Env{Name: "test", Unmapped: true})
	r.AwaitWarning("say with map what events it makes")
	u.say(`{"n": 1}`)
	r.AwaitData(`{"n": 1}`)
	r.AwaitWarning("")
}

func TestPost(t *testing.T) {
	u := newUpstream(t)
	u.say("one")
	s := settings(u)
	s.Method, s.Body, s.Headers = "POST", `{"query":"x"}`, map[string]string{"x-key": "k"}
	run(t, sourcetest.NewStore(), s).AwaitData("one")
	u.mu.Lock()
	defer u.mu.Unlock()
	if r := u.asked[0]; r.Method != "POST" || u.bodies[0] != s.Body || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Key") != "k" {
		t.Errorf("%s %v %q", r.Method, r.Header, u.bodies[0])
	}
}

func TestErrorsAreWarnings(t *testing.T) {
	u := newUpstream(t)
	u.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	r := run(t, sourcetest.NewStore(), settings(u))
	r.AwaitWarning("answers 500 Internal Server Error")
	u.set(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	r.AwaitWarning("EOF")
	if w := r.Status(); strings.Contains(w.Warning, "secret") || w.State != sources.Running {
		t.Errorf("%+v", w)
	}
	u.say("well")
	r.AwaitData("well")
	r.AwaitWarning("")
}

func TestBackoffGrows(t *testing.T) {
	u := newUpstream(t)
	u.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	r := run(t, sourcetest.NewStore(), settings(u))
	r.Await("it is asked again", func() bool { return u.requests() >= 7 })
	u.mu.Lock()
	defer u.mu.Unlock()
	if first, last := u.times[1].Sub(u.times[0]), u.times[6].Sub(u.times[5]); last < 3*first && last < 80*time.Millisecond {
		t.Errorf("it waits %v at first and %v at last", first, last)
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusOK} {
		u := newUpstream(t)
		u.set(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(status)
		})
		r := run(t, sourcetest.NewStore(), settings(u))
		r.Await("it is asked again", func() bool { return u.requests() >= 2 })
		u.mu.Lock()
		if waited := u.times[1].Sub(u.times[0]); waited < time.Second {
			t.Errorf("%d: asked again after %v", status, waited)
		}
		u.mu.Unlock()
	}
}

func TestGoneIsNotAskedAgain(t *testing.T) {
	u := newUpstream(t)
	u.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	r := run(t, sourcetest.NewStore(), settings(u))
	r.AwaitWarning("410 Gone, which means for good")
	time.Sleep(100 * time.Millisecond)
	if n := u.requests(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestMovedForGoodIsRemembered(t *testing.T) {
	for status, remembered := range map[int]bool{http.StatusMovedPermanently: true, http.StatusPermanentRedirect: true, http.StatusFound: false} {
		target, old := newUpstream(t), newUpstream(t)
		target.say("here")
		old.set(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target.URL, status) })
		r := run(t, sourcetest.NewStore(), settings(old))
		r.AwaitData("here")
		polled(t, r, target, 3)
		if asked := old.requests(); (asked == 1) != remembered {
			t.Errorf("%d: the old address was asked %d times", status, asked)
		}
		r.Stop()
	}
	// With a header of its own it might be another's secret.
	target, old := newUpstream(t), newUpstream(t)
	target.say("here")
	old.set(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, target.URL, http.StatusMovedPermanently)
	})
	s := settings(old)
	s.Headers = map[string]string{"X-Key": "k"}
	r := run(t, sourcetest.NewStore(), s)
	r.AwaitData("here")
	polled(t, r, target, 2)
	if old.requests() < 2 {
		t.Error("the old address is not asked again")
	}
}

func TestCheck(t *testing.T) {
	u := newUpstream(t)
	u.say("fine")
	src, err := settings(u).Source(sources.Env{}.Complete())
	if err != nil {
		t.Fatal(err)
	}
	check := src.(sources.Checker)
	if err := check.Check(t.Context()); err != nil {
		t.Error(err)
	}
	u.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	var wrong *sources.SettingError
	if err := check.Check(t.Context()); !errors.As(err, &wrong) || wrong.Setting != "url" || !strings.Contains(err.Error(), "404 Not Found; check url") {
		t.Errorf("Check: %v", err)
	}
}

func TestWrongSettings(t *testing.T) {
	for setting, change := range map[string]func(*poll.Settings){
		"url":     func(s *poll.Settings) { s.URL = "example.com" },
		"headers": func(s *poll.Settings) { s.Headers = map[string]string{"Host": "x"} },
		"every":   func(s *poll.Settings) { s.Every = 0 },
		"method":  func(s *poll.Settings) { s.Method = "PUT" },
		"body":    func(s *poll.Settings) { s.Body = "x" },
	} {
		s := poll.Type.New().(*poll.Settings)
		s.URL = "http://127.0.0.1"
		change(s)
		_, err := s.Source(sources.Env{}.Complete())
		var wrong *sources.SettingError
		if !errors.As(err, &wrong) || wrong.Setting != setting {
			t.Errorf("%s: %v", setting, err)
		}
	}
}
