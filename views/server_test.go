package views_test

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/views"
)

// server serves a page and the streams of its viewers, which the test writes
// frame by frame as the protocol has them.
type server struct {
	*httptest.Server
	t       *testing.T
	viewers chan *viewer // one for each stream that a browser opens

	mu      sync.Mutex
	page    views.Page
	refuse  bool // answer event streams 502
	refused int
	mute    bool // open event streams and say nothing

	staleBuild string // the build that pages are rendered with, where it is another than that of the streams
}

// viewer is one open stream.
type viewer struct {
	t      *testing.T
	after  string // the id that it asked for
	frames chan string
	gone   chan struct{}
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, viewers: make(chan *viewer, 100), page: demoPage(time.Now())}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /walls/main", s.servePage)
	mux.HandleFunc("GET /walls/main/events", s.serveEvents)
	mux.Handle("/assets/", views.Assets())
	mux.HandleFunc("GET /cover.png", serveCover)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// serveCover serves a picture.
func serveCover(w http.ResponseWriter, _ *http.Request) {
	cover := image.NewRGBA(image.Rect(0, 0, 160, 160))
	for x := range 160 {
		for y := range 160 {
			cover.Set(x, y, color.RGBA{uint8(x), uint8(80 + y/2), 160, 255})
		}
	}
	w.Header().Set("Content-Type", "image/png")
	_ = png.Encode(w, cover) // an error means that the browser has gone
}

func (s *server) edit(change func(p *views.Page)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.page)
}

func (s *server) servePage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	p := s.page
	if s.staleBuild != "" {
		p.Build = s.staleBuild
	}
	s.mu.Unlock()
	p.View = r.FormValue("view")
	w.Header().Set("Content-Security-Policy", views.ContentSecurityPolicy(p.Wall, "'none'"))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := views.PageComponent(p).Render(r.Context(), w); err != nil {
		s.t.Error(err)
	}
}

func (s *server) serveEvents(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	refuse := s.refuse
	if refuse {
		s.refused++
	}
	head, build, mute := s.page.Head, s.page.Build, s.mute
	s.mu.Unlock()
	if refuse {
		http.Error(w, "bad gateway", http.StatusBadGateway)
		return
	}
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = r.FormValue("lastEventId")
	}
	if r.FormValue("as") != "html" {
		s.t.Errorf("the page asked for %s", r.URL)
	}
	v := &viewer{t: s.t, after: after, frames: make(chan string, 2000), gone: make(chan struct{})}
	w.Header().Set("Content-Type", "text/event-stream")
	if !mute {
		fmt.Fprintf(w, "retry: 100\nid: %s\nevent: wall:hello\ndata: {\"wall\":\"main\",\"build\":%q,\"head\":%q,\"kinds\":[{\"kind\":\"message\",\"label\":\"\"},{\"kind\":\"friend\",\"label\":\"New friend\"},{\"kind\":\"song\"},{\"kind\":\"alert\"},{\"kind\":\"headline\"}]}\n\n", after, build, head)
	}
	w.(http.Flusher).Flush()
	select {
	case s.viewers <- v:
	default:
	}
	defer close(v.gone)
	for {
		select {
		case f, ok := <-v.frames:
			if !ok {
				return
			}
			fmt.Fprint(w, f)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// viewer waits for the next stream to be opened.
func (s *server) viewer() *viewer {
	s.t.Helper()
	select {
	case v := <-s.viewers:
		return v
	case <-time.After(30 * time.Second):
		s.t.Fatal("no stream was opened")
		return nil
	}
}

// frame writes one SSE frame.
func (v *viewer) frame(id, event, data string) {
	var b strings.Builder
	if id != "" {
		b.WriteString("id: " + id + "\n")
	}
	if event != "" {
		b.WriteString("event: " + event + "\n")
	}
	for line := range strings.SplitSeq(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(data), "\n") {
		b.WriteString("data: " + line + "\n")
	}
	v.frames <- b.String() + "\n"
}

// send writes an event as the stream does for as=html.
func (v *viewer) send(e stream.Event) {
	v.t.Helper()
	html, err := views.RenderCard(demoWall, e)
	if err != nil {
		v.t.Fatal(err)
	}
	name := e.Subject.Kind
	if name == stream.Message {
		name = ""
	}
	v.frame(e.ID.String(), name, string(html))
}

// wait returns when the browser has let go of the stream, or it was ended.
func (v *viewer) wait() {
	v.t.Helper()
	select {
	case <-v.gone:
	case <-time.After(30 * time.Second):
		v.t.Fatal("the stream stays open")
	}
}

// end closes the stream from the server's side.
func (v *viewer) end() { close(v.frames) }
