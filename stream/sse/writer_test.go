package sse_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gosse "github.com/tmaxmax/go-sse"

	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/sse"
)

// dial opens an event stream by hand, with little room for what is not read.
func (s *site) dial(query string) net.Conn {
	s.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(s.t.Context(), "tcp", s.http.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	_ = conn.(*net.TCPConn).SetReadBuffer(256 << 10)
	if strings.HasPrefix(s.http.URL, "https:") {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // of this test
	}
	if _, err := fmt.Fprintf(conn, "GET /walls/main/events%s HTTP/1.1\r\nHost: x\r\n\r\n", query); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// read decodes the response on a connection that dial opened.
func (s *site) read(conn net.Conn) *reader {
	s.t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return decode(s.t, resp.Body)
}

// wants reads on until n messages have come that are numbered upwards from first.
func (r *reader) wants(first, n int) {
	r.t.Helper()
	for i := first; i < first+n; {
		e := r.next()
		if e.Type == "wall:bye" || e.Type == "wall:gap" {
			r.t.Fatalf("before %d came %+v", i, e)
		}
		if e.Type != "" {
			continue
		}
		if number, _, _ := strings.Cut(e.Data, " "); number != fmt.Sprint(i) {
			r.t.Fatalf("got %.40q, want %d", e.Data, i)
		}
		i++
	}
}

func TestViewersTakeNoGoroutines(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("connections are taken over on Linux alone")
	}
	m := newMemory("main")
	s := serve(t, sse.Config{Reader: m})
	s.dial("")
	eventually(t, "the viewer is not there", func() bool { return s.Viewers("main") == 1 })
	before := runtime.NumGoroutine()
	for range 100 {
		s.dial("")
	}
	eventually(t, "the viewers are not there", func() bool { return s.Viewers("main") == 101 })
	eventually(t, "viewers hold goroutines", func() bool { return runtime.NumGoroutine() < before+10 })
}

// Viewers that come and go, in the midst of what they are sent, leave nothing
// behind.
func TestViewersComeAndGo(t *testing.T) { inAllWays(t, checkViewersComeAndGo) }

func checkViewersComeAndGo(t *testing.T) {
	m := newMemory("main")
	s := serve(t, sse.Config{Reader: m, WindowEntries: 30})
	for i := range 60 {
		m.publish("message", "", fmt.Sprintf("%d %020000d", i, 0))
	}
	round := func() {
		var conns []net.Conn
		for i := range 60 {
			conns = append(conns, s.dial([]string{"", "?last=5", "?lastEventId=e1-0"}[i%3])) // live, from the window, from the store
			if i%10 == 0 {
				m.publish("message", "", strings.Repeat("x", 20_000))
			}
		}
		for _, conn := range conns {
			conn.Close()
		}
		eventually(t, "viewers stay", func() bool { return s.Viewers("main") == 0 })
	}
	round()
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors()
	for range 5 {
		round()
	}
	eventually(t, "goroutines stay", func() bool { return runtime.NumGoroutine() <= goroutines+5 })
	eventually(t, "descriptors stay open", func() bool { return openDescriptors() <= descriptors+5 })
}

// openDescriptors counts, where the system shows them.
func openDescriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

// A viewer that stops reading while much comes, and then reads again, gets all
// of it; part of that comes from the store.
func TestSlowViewerOverTCP(t *testing.T) { inAllWays(t, checkSlowViewerOverTCP) }

func checkSlowViewerOverTCP(t *testing.T) {
	m := newMemory("main")
	s := serve(t, sse.Config{Reader: m, WindowEntries: 20})
	slow := s.dial("")
	eventually(t, "the viewer is not there", func() bool { return s.Viewers("main") == 1 })
	quick, _ := s.watch("", "")
	const n = 300
	for i := range n {
		m.publish("message", "", fmt.Sprintf("%d %060000d", i, 0))
		if i%10 == 9 {
			quick.wants(i-9, 10)
		}
	}
	ranges := m.ranges.Load()
	r := s.read(slow)
	r.wants(0, n)
	if m.ranges.Load() == ranges {
		t.Error("nothing was read from the store: the test tests nothing")
	}
	m.publish("message", "", fmt.Sprint(n, " live"))
	r.wants(n, 1)
}

// What was made ready for one viewer must not be given to another after a
// retraction.
func TestRetractionIsNotOvertaken(t *testing.T) { inAllWays(t, checkRetractionIsNotOvertaken) }

func checkRetractionIsNotOvertaken(t *testing.T) {
	s := newSite(t, mainWall(), sse.Config{})
	var ids []stream.ID
	for i := range 1000 {
		ids = append(ids, s.publish("wall.main.message", fmt.Sprint(i)))
	}
	first, _ := s.watch("", before(ids[0]).String())
	first.wants(0, len(ids))
	for _, gone := range ids[10:20] {
		if _, err := s.store.Retract(t.Context(), "main", gone); err != nil {
			t.Fatal(err)
		}
		r, _ := s.watch("", before(ids[0]).String())
		for e := r.next(); e.LastEventID != ids[len(ids)-1].String(); e = r.next() {
			if e.LastEventID == gone.String() {
				t.Fatalf("%s is given to a viewer that came after its retraction", gone)
			}
		}
		r.close()
	}
}

// A listener may wrap its connections.
func TestWrappedConnections(t *testing.T) {
	m := newMemory("main")
	s := sse.New(sse.Config{Reader: m, Drain: time.Millisecond})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeEvents(w, r, "main")
	}))
	var open atomic.Int64
	server.Listener = wrapping{server.Listener, &open}
	server.Start()
	defer server.Close()
	resp, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := decode(t, resp.Body)
	for i := range 10 {
		m.publish("message", "", fmt.Sprint(i))
		r.wants(i, 1)
	}
	shutdown(t, s)
	if last := r.ended(); last.Type != "wall:bye" {
		t.Errorf("the stream ends with %+v", last)
	}
	eventually(t, "the connection stays open", func() bool { return open.Load() == 0 })
}

// wrapping counts its open connections.
type wrapping struct {
	net.Listener
	open *atomic.Int64
}

func (w wrapping) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	if err == nil {
		w.open.Add(1)
	}
	return &wrapped{Conn: conn, open: w.open}, err
}

type wrapped struct {
	net.Conn
	open *atomic.Int64
	once sync.Once
}

func (w *wrapped) Close() error {
	w.once.Do(func() { w.open.Add(-1) })
	return w.Conn.Close()
}

func TestShutdownOverTCP(t *testing.T) { inAllWays(t, checkShutdownOverTCP) }

func checkShutdownOverTCP(t *testing.T) {
	m := newMemory("main")
	s := serve(t, sse.Config{Reader: m, Drain: time.Second})
	const n = 60
	var readers []*reader
	for range n {
		r, _ := s.watch("", "")
		readers = append(readers, r)
	}
	began := time.Now()
	var quarters [4]atomic.Int64
	var all sync.WaitGroup
	for _, r := range readers {
		all.Go(func() {
			var last gosse.Event
			for e := range r.events {
				last = e
			}
			quarters[min(3, time.Since(began)/(250*time.Millisecond))].Add(1)
			if last.Type != "wall:bye" || !strings.Contains(last.Data, `"shutdown"`) {
				t.Errorf("a stream ends with %+v", last)
			}
		})
	}
	shutdown(t, s.Server)
	all.Wait()
	for i := range quarters {
		if quarters[i].Load() == 0 {
			t.Errorf("no stream ends in quarter %d of the time", i)
		}
	}
}

func TestShutdownInAHurryOverTCP(t *testing.T) { inAllWays(t, checkShutdownInAHurryOverTCP) }

func checkShutdownInAHurryOverTCP(t *testing.T) {
	s := serve(t, sse.Config{Reader: newMemory("main"), Drain: time.Hour})
	r, _ := s.watch("", "")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err == nil {
		t.Error("Shutdown says that all went as planned")
	}
	if last := r.ended(); last.Type != "wall:bye" {
		t.Errorf("the stream ends with %+v", last)
	}
	eventually(t, "the viewer is still counted", func() bool { return s.TotalViewers() == 0 })
}
