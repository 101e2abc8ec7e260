package sse_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/sourcetest"
	wallsource "github.com/wallcast/wallcast/sources/sse"
	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/embed"
	"github.com/wallcast/wallcast/stream/jetstream"
	"github.com/wallcast/wallcast/stream/sse"
)

// plain is a server of numbered events that resumes, as any on the web.
type plain struct {
	*httptest.Server

	mu     sync.Mutex
	blocks []string        // event i has the id i+1
	news   chan struct{}   // closed when there is one more
	asked  []*http.Request // every request, oldest first
}

func newPlain(t *testing.T, blocks ...string) *plain {
	t.Helper()
	p := &plain{blocks: blocks, news: make(chan struct{})}
	p.Server = httptest.NewServer(p)
	t.Cleanup(func() {
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

func (p *plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r)
	p.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	next, _ := strconv.Atoi(r.Header.Get("Last-Event-ID"))
	_ = http.NewResponseController(w).Flush()
	for {
		p.mu.Lock()
		blocks, news := p.blocks, p.news
		p.mu.Unlock()
		for ; next < len(blocks); next++ {
			fmt.Fprintf(w, "id: %d\n%s\n\n", next+1, blocks[next])
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-news:
		}
	}
}

func (p *plain) add(block string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blocks = append(p.blocks, block)
	close(p.news)
	p.news = make(chan struct{})
}

func (p *plain) request(i int) *http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i >= len(p.asked) {
		return nil
	}
	return p.asked[i]
}

// neighbour is another Wallcast: its store and its stream.
type neighbour struct {
	t      *testing.T
	store  *jetstream.Store
	http   *httptest.Server // stays at its address
	stream atomic.Pointer[sse.Server]
}

func newNeighbour(t *testing.T, keep int64) *neighbour {
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
	wall := jetstream.Wall{Name: "main", Events: keep, Age: time.Hour, Bytes: 64 << 20, History: 100, Payload: 64 << 10}
	store, err := jetstream.Open(t.Context(), nc, jetstream.Config{Walls: []jetstream.Wall{wall}, Identity: server.Identity()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	n := &neighbour{t: t, store: store}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /walls/{wall}/events", func(w http.ResponseWriter, r *http.Request) {
		streams := n.stream.Load()
		if streams == nil {
			panic(http.ErrAbortHandler)
		}
		streams.ServeEvents(w, r, r.PathValue("wall"))
	})
	n.http = httptest.NewServer(mux)
	t.Cleanup(n.http.Close)
	n.start()
	t.Cleanup(func() { n.stop(true) })
	return n
}

// start begins to serve.
func (n *neighbour) start() {
	n.stream.Store(sse.New(sse.Config{Reader: n.store, Build: "test", Log: slog.New(slog.DiscardHandler)}))
}

// stop ends serving: in order, or by cutting every connection. Who comes then
// is cut, too.
func (n *neighbour) stop(cut bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	streams := n.stream.Swap(nil)
	if cut {
		n.http.CloseClientConnections()
	}
	if err := streams.Shutdown(ctx); err != nil {
		n.t.Error(err)
	}
}

func (n *neighbour) url() string { return n.http.URL + "/walls/main/events" }

func (n *neighbour) publish(kind, key string, payloads ...string) (last stream.ID) {
	n.t.Helper()
	for _, p := range payloads {
		receipt, err := n.store.Publish(context.Background(), stream.Draft{
			Subject: stream.Subject{Wall: "main", Kind: kind, Key: key}, Data: []byte(p), Source: "someone", Time: time.Now(),
		})
		if err != nil {
			n.t.Fatal(err)
		}
		last = receipt.ID
	}
	return last
}

// running is a source under a supervisor.
type running struct {
	t     *testing.T
	store *sourcetest.Store
	sup   *sources.Supervisor
	stop  func()
}

func run(t *testing.T, store *sourcetest.Store, s *wallsource.Settings) *running {
	t.Helper()
	src, err := s.Source(sources.Env{Name: "test"}.Complete())
	if err != nil {
		t.Fatal(err)
	}
	return runSource(t, store, wallsource.Hurried(src, 10*time.Millisecond, 0))
}

func runSource(t *testing.T, store *sourcetest.Store, src sources.Source) *running {
	t.Helper()
	sup := sources.NewSupervisor(store, slog.New(slog.DiscardHandler))
	i := sources.Instance{Name: "test", Source: src, To: stream.Subject{Wall: "main", Kind: "default"}}
	if err := sup.Apply([]sources.Instance{i}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		sup.Run(ctx)
	}()
	r := &running{t, store, sup, func() {
		cancel()
		<-ended
	}}
	t.Cleanup(r.stop)
	return r
}

func (r *running) status() sources.Status { return r.sup.Status()[0] }

// eventually waits for something that nothing announces.
func eventually(t *testing.T, what func() string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what())
		}
	}
}

// shown waits until all of want, "kind[.key] payload", is stored, and no more.
func (r *running) shown(want ...string) {
	r.t.Helper()
	var got []string
	eventually(r.t, func() string { return fmt.Sprintf("stored %q, want %q; %+v", got, want, r.status()) }, func() bool {
		got = nil
		for _, d := range r.store.Drafts() {
			got = append(got, strings.TrimPrefix(d.Subject.String(), "wall.main.")+" "+string(d.Data))
		}
		return len(got) >= len(want)
	})
	if !slices.Equal(got, want) {
		r.t.Errorf("stored\n%q, want\n%q", got, want)
	}
}

// warns waits for a warning that holds part; "" for none.
func (r *running) warns(part string) {
	r.t.Helper()
	eventually(r.t, func() string { return fmt.Sprintf("want the warning %q: %+v", part, r.status()) }, func() bool {
		w := r.status().Warning
		return part == "" && w == "" || part != "" && strings.Contains(w, part)
	})
}

func handler(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

func sends(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, text)
	_ = http.NewResponseController(w).Flush()
}
