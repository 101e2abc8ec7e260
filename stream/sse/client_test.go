package sse_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	gosse "github.com/tmaxmax/go-sse"

	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/embed"
	"github.com/wallcast/wallcast/stream/jetstream"
	"github.com/wallcast/wallcast/stream/sse"
)

// site is a Server over HTTP with the real store behind it.
type site struct {
	*sse.Server
	reader  stream.Reader
	store   *jetstream.Store                     // nil with another reader
	publish func(subject, data string) stream.ID // into the store
	url     string                               // of the wall's events
	http    *httptest.Server
	t       *testing.T
}

// in is the site for a subtest.
func (s *site) in(t *testing.T) *site {
	in := *s
	in.t = t
	return &in
}

func newSite(t *testing.T, wall jetstream.Wall, cfg sse.Config) *site {
	t.Helper()
	server, err := embed.Start(embed.Config{Folder: t.TempDir(), Unsynced: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	nc, err := server.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	store, err := jetstream.Open(t.Context(), nc, jetstream.Config{Walls: []jetstream.Wall{wall}, Identity: server.Identity()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	cfg.Reader = store
	s := serve(t, cfg)
	s.store = store
	s.publish = func(subject, data string) stream.ID {
		t.Helper()
		r, err := store.Publish(t.Context(), stream.Draft{Subject: must(stream.ParseSubject(subject)), Data: []byte(data), Source: "test"})
		if err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	return s
}

// mainWall has limits that no test reaches by accident.
func mainWall() jetstream.Wall {
	return jetstream.Wall{Name: "main", Events: 100_000, Age: 24 * time.Hour, Bytes: 256 << 20, History: 100, Payload: 64 << 10}
}

// ways are how a viewer can be served.
var ways = []string{"writers", "writers over TLS", "goroutines", "HTTP/2"}

// way is the one that is tested.
var way = ways[0]

// inAllWays runs a test with writers that own the connections, where the system
// has them, and with a goroutine for each viewer.
func inAllWays(t *testing.T, test func(*testing.T)) {
	for _, w := range ways {
		t.Run(w, func(t *testing.T) {
			way = w
			defer func() { way = ways[0] }()
			test(t)
		})
	}
}

// anyClient is a client that speaks HTTP/2 where the server does, and trusts it.
var anyClient = &http.Client{Transport: &http.Transport{
	TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 2,
}}

// kept is a response whose connection can't be taken over.
type kept struct{ w http.ResponseWriter }

func (k kept) Header() http.Header         { return k.w.Header() }
func (k kept) Write(b []byte) (int, error) { return k.w.Write(b) }
func (k kept) WriteHeader(status int)      { k.w.WriteHeader(status) }
func (k kept) FlushError() error           { return http.NewResponseController(k.w).Flush() }
func (k kept) SetWriteDeadline(at time.Time) error {
	return http.NewResponseController(k.w).SetWriteDeadline(at)
}

// serve puts a Server on a real port.
func serve(t *testing.T, cfg sse.Config) *site {
	t.Helper()
	if cfg.Drain == 0 {
		cfg.Drain = 10 * time.Millisecond
	}
	s := &site{Server: sse.New(cfg), reader: cfg.Reader, t: t}
	keep := way == "goroutines"
	s.http = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if keep {
			w = kept{w}
		}
		wall, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/walls/"), "/")
		s.ServeEvents(w, r, wall)
	}))
	switch way {
	case "writers over TLS":
		startTLS(s.http, s.Server)
	case "HTTP/2":
		s.http.EnableHTTP2 = true
		startTLS(s.http, s.Server)
	default:
		s.http.Start()
	}
	s.url = s.http.URL + "/walls/main/events"
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		anyClient.CloseIdleConnections()
		s.http.Close()
	})
	return s
}

// reader is an open event stream, decoded by somebody else's decoder.
type reader struct {
	t      *testing.T
	events chan gosse.Event
	close  func()
}

// watch opens an event stream and reads its wall:hello.
func (s *site) watch(query, lastEventID string) (*reader, gosse.Event) {
	s.t.Helper()
	r := s.watchRaw(query, lastEventID)
	hello := r.next()
	if hello.Type != "wall:hello" {
		s.t.Fatalf("first event: %+v, want wall:hello", hello)
	}
	return r, hello
}

func (s *site) watchRaw(query, lastEventID string) *reader {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	if lastEventID != "" {
		req.Header.Set("Last-Event-ID", lastEventID)
	}
	resp, err := anyClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Fatalf("GET %s: %s, %s", query, resp.Status, resp.Header.Get("Content-Type"))
	}
	if s.http.EnableHTTP2 != (resp.ProtoMajor == 2) {
		s.t.Fatalf("the server speaks %s", resp.Proto)
	}
	r := decode(s.t, resp.Body)
	r.close = cancel
	s.t.Cleanup(cancel)
	return r
}

func decode(t *testing.T, body io.ReadCloser) *reader {
	r := &reader{t: t, events: make(chan gosse.Event, 100_000)}
	go func() {
		defer close(r.events)
		defer body.Close()
		for e, err := range gosse.Read(body, &gosse.ReadConfig{MaxEventSize: 1 << 20}) {
			if err != nil {
				return
			}
			r.events <- e
		}
	}()
	return r
}

// next returns the next event.
func (r *reader) next() gosse.Event {
	r.t.Helper()
	select {
	case e, ok := <-r.events:
		if !ok {
			r.t.Fatal("the stream has ended")
		}
		return e
	case <-time.After(10 * time.Second):
		r.t.Fatal("no event arrives")
	}
	return gosse.Event{}
}

// want reads the next event and compares it.
func (r *reader) want(name string, id stream.ID, data string) {
	r.t.Helper()
	if e := r.next(); e.Type != name || e.LastEventID != id.String() || data != "*" && e.Data != data {
		r.t.Fatalf("got event %q id %q data %q\nwant event %q id %q data %q", e.Type, e.LastEventID, e.Data, name, id, data)
	}
}

// ended reads to the end of the stream and returns the last event.
func (r *reader) ended() gosse.Event {
	r.t.Helper()
	var last gosse.Event
	for {
		select {
		case e, ok := <-r.events:
			if !ok {
				return last
			}
			last = e
		case <-time.After(10 * time.Second):
			r.t.Fatal("the stream does not end")
		}
	}
}

// poll asks for JSON.
func (s *site) poll(query, lastEventID string) answer {
	s.t.Helper()
	resp := s.get(query, map[string]string{"Accept": "application/json", "Last-Event-ID": lastEventID})
	defer resp.Body.Close()
	var a answer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s: %s, %v", query, resp.Status, err)
	}
	return a
}

func (s *site) get(query string, header map[string]string) *http.Response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := anyClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp
}

type answer struct {
	Events []struct {
		ID, Kind, Key, Source, HTML string
		Time                        time.Time
		Data                        json.RawMessage
	}
	Next string
	Gap  *struct{ From, First, Reason string }
}

func (a answer) ids() []string {
	var ids []string
	for _, e := range a.Events {
		ids = append(ids, e.ID)
	}
	return ids
}

// before is the position before id.
func before(id stream.ID) stream.ID { return stream.ID{Epoch: id.Epoch, Seq: id.Seq - 1} }
