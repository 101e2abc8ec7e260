package sse_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wallcast/wallcast/stream/sse"
)

// eventually waits for what follows a client's leaving, which nothing announces.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

func TestFullServer(t *testing.T) { inAllWays(t, checkFullServer) }

func checkFullServer(t *testing.T) {
	m := newMemory("main")
	s := serve(t, sse.Config{Reader: m, Viewers: 2})
	first, _ := s.watch("", "")
	s.watch("", "")
	r := s.watchRaw("", "")
	last := r.ended()
	if last.Type != "wall:bye" || last.LastEventID != "" || !strings.Contains(last.Data, `"reason":"full","retry":`) {
		t.Errorf("a viewer too many gets %+v", last)
	}
	resp := s.get("?wait=1s", map[string]string{"Accept": "application/json"})
	defer resp.Body.Close()
	if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); resp.StatusCode != 503 || err != nil || after < 1 || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("a poll too many gets %s %v", resp.Status, resp.Header)
	}
	first.close()
	eventually(t, "the place of a viewer that left is not free", func() bool { return s.Viewers("main") == 1 })
	s.watch("", "")
}

func TestFullAddress(t *testing.T) { inAllWays(t, checkFullAddress) }

func checkFullAddress(t *testing.T) {
	s := serve(t, sse.Config{Reader: newMemory("main"), PerAddress: 1})
	s.watch("", "")
	if last := s.watchRaw("", "").ended(); !strings.Contains(last.Data, `"full"`) {
		t.Errorf("a second viewer of an address gets %+v", last)
	}
}

func TestEndWall(t *testing.T) { inAllWays(t, checkEndWall) }

func checkEndWall(t *testing.T) {
	m := newMemory("main")
	var gone atomic.Bool
	s := serve(t, sse.Config{Reader: m, Walls: func(string) bool { return !gone.Load() }})
	r, _ := s.watch("", "")
	id := m.publish("message", "", "0")
	gone.Store(true)
	s.EndWall("main")
	last := r.ended()
	if last.Type != "wall:bye" || !strings.Contains(last.Data, `"removed"`) {
		t.Errorf("the stream of a removed wall ends with %+v", last)
	}
	resp := s.get("", nil)
	resp.Body.Close()
	if resp.StatusCode != 404 {
		t.Errorf("a removed wall: %s", resp.Status)
	}
	gone.Store(false)
	r, _ = s.watch("", before(id).String())
	r.want("", id, "0")
}

func TestClientLeaves(t *testing.T) { inAllWays(t, checkClientLeaves) }

func checkClientLeaves(t *testing.T) {
	s := serve(t, sse.Config{Reader: newMemory("main")})
	r, _ := s.watch("", "")
	if n := s.Viewers("main"); n != 1 {
		t.Errorf("Viewers is %d, want 1", n)
	}
	began := time.Now()
	r.close()
	eventually(t, "the stream of a client that left stays", func() bool { return s.TotalViewers() == 0 })
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s to see that a client left", took)
	}
}

// The HTTP server's timeouts are for requests that end.
func TestServerTimeoutsDoNotMatter(t *testing.T) {
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0", "h2c"} {
		t.Run(protocol, func(t *testing.T) {
			m := newMemory("main")
			s := sse.New(sse.Config{Reader: m, Ping: 200 * time.Millisecond, Drain: time.Millisecond, WriteTimeout: 100 * time.Millisecond})
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s.ServeEvents(w, r, "main")
			}))
			server.Config.ReadTimeout = 100 * time.Millisecond
			server.Config.WriteTimeout = 100 * time.Millisecond
			var client *http.Client
			switch protocol {
			case "HTTP/1.1":
				server.Start()
				client = server.Client()
			case "HTTP/2.0":
				server.EnableHTTP2 = true
				server.StartTLS()
				client = server.Client()
			case "h2c":
				server.Config.Protocols = new(http.Protocols)
				server.Config.Protocols.SetUnencryptedHTTP2(true)
				server.Start()
				only := new(http.Protocols)
				only.SetUnencryptedHTTP2(true)
				client = &http.Client{Transport: &http.Transport{Protocols: only}}
			}
			t.Cleanup(func() {
				if err := s.Shutdown(context.Background()); err != nil {
					t.Error(err)
				}
				client.CloseIdleConnections()
				server.Close()
			})
			resp, err := client.Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(resp.Proto, "HTTP/2") && protocol != "HTTP/1.1" {
				t.Fatalf("spoke %s", resp.Proto)
			}
			r := decode(t, resp.Body)
			began := time.Now()
			for time.Since(began) < 500*time.Millisecond {
				r.next()
			}
			m.publish("message", "", "still here")
			for r.next().Data != "still here" {
			}
		})
	}
}

func TestHeaders(t *testing.T) { inAllWays(t, checkHeaders) }

func checkHeaders(t *testing.T) {
	s := serve(t, sse.Config{Reader: newMemory("main")})
	for accept, kind := range map[string]string{
		"":                       "text/event-stream",
		"*/*":                    "text/event-stream",
		"text/event-stream":      "text/event-stream",
		"application/json":       "application/json",
		"application/json, */*":  "application/json",
		"application/json;q=0.5": "application/json",
		"application/json;q=0.5, text/event-stream": "text/event-stream",
		"text/html, garbage/;;,":                    "text/event-stream",
	} {
		resp := s.get("", map[string]string{"Accept": accept})
		resp.Body.Close()
		h := resp.Header
		if h.Get("Content-Type") != kind || h.Get("Cache-Control") != "no-store" || h.Get("Vary") != "Accept" {
			t.Errorf("Accept %q: %v", accept, h)
		}
		if kind == "text/event-stream" && h.Get("X-Accel-Buffering") != "no" {
			t.Errorf("Accept %q: X-Accel-Buffering is %q", accept, h.Get("X-Accel-Buffering"))
		}
	}
}

// One write carries all that is pending: what a viewer gets at once arrives in
// few pieces however many events it is.
func TestPendingGoesOutInOneWrite(t *testing.T) {
	m := newMemory("main")
	for range 200 {
		m.publish("message", "", "0123456789")
	}
	s := sse.New(sse.Config{Reader: m})
	t.Cleanup(func() { _ = s.Shutdown(context.Background()) })
	w := &writes{header: http.Header{}}
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/?last=200", nil)
	done := make(chan struct{})
	go func() { defer close(done); s.ServeEvents(w, r, "main") }()
	eventually(t, "nothing is written", func() bool { return w.n.Load() > 0 })
	cancel()
	<-done
	if n := w.n.Load(); n != 1 {
		t.Errorf("200 pending events went out in %d writes", n)
	}
}

// writes counts writes.
type writes struct {
	header http.Header
	n      atomic.Int64
}

func (w *writes) Header() http.Header         { return w.header }
func (w *writes) WriteHeader(int)             {}
func (w *writes) Write(b []byte) (int, error) { w.n.Add(1); return len(b), nil }
func (w *writes) Flush()                      {}

// A client that vanishes without a word is found by its pings.
func TestStuckConnection(t *testing.T) { inAllWays(t, checkStuckConnection) }

func checkStuckConnection(t *testing.T) {
	m := newMemory("main")
	s := serve(t, sse.Config{Reader: m, WriteTimeout: 100 * time.Millisecond, WindowEntries: 50})
	s.dial("")
	eventually(t, "the viewer is not there", func() bool { return s.Viewers("main") == 1 })
	big := strings.Repeat("x", 60<<10)
	eventually(t, "a viewer that reads nothing stays", func() bool {
		m.publish("message", "", big)
		return s.Viewers("main") == 0
	})
}
