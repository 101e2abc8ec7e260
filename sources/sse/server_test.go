package sse_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
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

// run runs a source that is in a hurry to connect again.
func run(t *testing.T, store *sourcetest.Store, s *wallsource.Settings) *sourcetest.Running {
	t.Helper()
	return runHurried(t, store, s, 0)
}

// runHurried sets the time, too, after which a silent connection is made anew;
// zero leaves it as it is.
func runHurried(t *testing.T, store *sourcetest.Store, s *wallsource.Settings, silence time.Duration) *sourcetest.Running {
	t.Helper()
	src := sourcetest.Make(t, s, sources.Env{Name: "test"})
	return sourcetest.Start(t, store, sources.Instance{
		Name: "test", Source: wallsource.Hurried(src, 10*time.Millisecond, silence), To: stream.Subject{Wall: "main", Kind: "default"},
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
