package sse_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gosse "github.com/tmaxmax/go-sse"

	"github.com/wallcast/wallcast/stream/sse"
)

// pipe is the response of a request in a synctest bubble, which knows no network.
type pipe struct {
	net.Conn
	header http.Header
}

func (p *pipe) Header() http.Header             { return p.header }
func (p *pipe) WriteHeader(int)                 {}
func (p *pipe) FlushError() error               { return nil }
func (p *pipe) SetReadDeadline(time.Time) error { return nil }

// request serves one event stream. It returns the client's side, a function
// that ends the request as a client that leaves does, and a channel that is
// closed when the handler has returned.
func request(t *testing.T, s *sse.Server, query string) (net.Conn, context.CancelFunc, <-chan struct{}) {
	client, server := net.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/walls/main/events"+query, nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer server.Close()
		s.ServeEvents(&pipe{server, http.Header{}}, r, "main")
	}()
	return client, cancel, done
}

// timed is an event and when it came.
type timed struct {
	gosse.Event
	at time.Time
}

// attend reads a stream to its end.
func attend(t *testing.T, s *sse.Server, query string) (events func() []timed, leave context.CancelFunc) {
	conn, leave, _ := request(t, s, query)
	var got []timed
	go func() {
		defer conn.Close()
		for e, err := range gosse.Read(conn, nil) {
			if err != nil {
				return
			}
			got = append(got, timed{e, time.Now()})
		}
	}()
	return func() []timed { synctest.Wait(); return slices.Clone(got) }, leave
}

// started makes a Server that is stopped at the end of the test.
func started(t *testing.T, cfg sse.Config) *sse.Server {
	s := sse.New(cfg)
	t.Cleanup(func() { _ = s.Shutdown(context.Background()) }) // checked where it is the subject
	return s
}

func shutdown(t *testing.T, s *sse.Server) {
	t.Helper()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func named(events []timed, name string) []timed {
	return slices.DeleteFunc(slices.Clone(events), func(e timed) bool { return e.Type != name })
}

func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("main")
		s := started(t, sse.Config{Reader: m})
		m.publish("message", "", "0")
		filtered, _ := attend(t, s, "?kinds=song")
		all, _ := attend(t, s, "?last=1")
		synctest.Wait()
		time.Sleep(10 * time.Second)
		id := m.publish("message", "", "1")
		time.Sleep(21 * time.Second) // two pings
		for _, events := range [][]timed{filtered(), all()} {
			pings := named(events, "wall:ping")
			if len(pings) != 2 {
				t.Fatalf("%d pings in 31 s, want 2: %v", len(pings), events)
			}
			var data struct {
				Time    int64
				Viewers int
			}
			if err := json.Unmarshal([]byte(pings[1].Data), &data); err != nil {
				t.Fatal(err)
			}
			if data.Viewers != 2 || data.Time != pings[1].at.UnixMilli() || pings[1].LastEventID != id.String() {
				t.Errorf("got ping %+v, want 2 viewers, the time it was sent and the id %s", pings[1], id)
			}
			if gap := pings[1].at.Sub(pings[0].at); gap != 15*time.Second {
				t.Errorf("pings are %s apart", gap)
			}
		}
		if got := named(filtered(), ""); len(got) != 0 {
			t.Errorf("the filtered viewer got %v", got)
		}
	})
}

func TestReaderStopsWhenNobodyWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("main")
		s := started(t, sse.Config{Reader: m})
		_, leave := attend(t, s, "")
		_, leaveToo := attend(t, s, "")
		synctest.Wait()
		if n := m.following(); n != 1 {
			t.Fatalf("%d readers for two viewers, want 1", n)
		}
		if n, total := s.Viewers("main"), s.TotalViewers(); n != 2 || total != 2 {
			t.Errorf("Viewers is %d, TotalViewers %d, want 2", n, total)
		}
		leave()
		leaveToo()
		synctest.Wait()
		if n := s.Viewers("main"); n != 0 {
			t.Errorf("Viewers is %d after all have left", n)
		}
		time.Sleep(59 * time.Second)
		_, leave = attend(t, s, "") // in time
		synctest.Wait()
		if m.ranges.Load() != 1 {
			t.Errorf("the window was loaded %d times, want once", m.ranges.Load())
		}
		leave()
		time.Sleep(59 * time.Second)
		if n := m.following(); n != 1 {
			t.Errorf("%d readers before a minute is over, want 1", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := m.following(); n != 0 {
			t.Errorf("%d readers a minute after the last viewer left", n)
		}
	})
}

func TestShutdownIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("main")
		s := started(t, sse.Config{Reader: m, Drain: 4 * time.Second})
		var viewers []func() []timed
		for range 200 {
			events, _ := attend(t, s, "")
			viewers = append(viewers, events)
		}
		synctest.Wait()
		began := time.Now()
		go func() {
			time.Sleep(time.Second)
			m.publish("message", "", "late")
		}()
		shutdown(t, s)
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("Shutdown took %s, want at most 4 s", took)
		}
		quarters, retries, late := [4]int{}, map[string]bool{}, 0
		for _, events := range viewers {
			got := events()
			last := got[len(got)-1]
			var bye struct {
				Reason string
				Retry  int64
			}
			if err := json.Unmarshal([]byte(last.Data), &bye); err != nil || last.Type != "wall:bye" || bye.Reason != "shutdown" {
				t.Fatalf("a stream ends with %+v, %v", last, err)
			}
			if bye.Retry < 1000 || bye.Retry > 3000 {
				t.Errorf("retry is %d ms, want 1000 to 3000", bye.Retry)
			}
			retries[last.Data] = true
			quarters[last.at.Sub(began)/time.Second]++
			late += len(named(got, ""))
		}
		for i, n := range quarters {
			if n < 20 {
				t.Errorf("only %d of 200 streams end in second %d", n, i)
			}
		}
		if len(retries) < 100 {
			t.Errorf("only %d different times to come back", len(retries))
		}
		if late < 100 {
			t.Errorf("only %d viewers got the event during the shutdown", late)
		}
		events, _ := attend(t, s, "")
		if got := events(); len(got) != 1 || !strings.Contains(got[0].Data, "shutdown") {
			t.Errorf("who comes after the shutdown gets %v", got)
		}
	})
}

func TestShutdownInAHurry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := started(t, sse.Config{Reader: newMemory("main"), Drain: time.Hour})
		events, _ := attend(t, s, "")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err == nil {
			t.Error("Shutdown says that all went as planned")
		}
		if got := named(events(), "wall:bye"); len(got) != 1 {
			t.Errorf("got %v, want a wall:bye", events())
		}
	})
}

func TestStuckViewerIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("main")
		s := started(t, sse.Config{Reader: m, WindowEntries: 10, Ping: time.Hour})
		conn, _, done := request(t, s, "")
		defer conn.Close()
		healthy, _ := attend(t, s, "")
		synctest.Wait()
		for i := range 100 {
			m.publish("message", "", fmt.Sprint(i))
			synctest.Wait()
			time.Sleep(10 * time.Millisecond)
		}
		if got := named(healthy(), ""); len(got) != 100 || got[99].at.Sub(got[0].at) > time.Second {
			t.Errorf("beside a stuck viewer another got %d of 100 events", len(got))
		}
		time.Sleep(15 * time.Second)
		synctest.Wait()
		select {
		case <-done:
		default:
			t.Error("the stuck viewer is still there after 15 s")
		}
	})
}

func TestPollWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("main")
		s := started(t, sse.Config{Reader: m})
		poll := func(query string) (answer, time.Duration) {
			began := time.Now()
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/walls/main/events"+query, nil)
			r.Header.Set("Accept", "application/json")
			s.ServeEvents(w, r, "main")
			var a answer
			if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
				t.Fatalf("%s: %v", w.Body, err)
			}
			return a, time.Since(began)
		}
		m.publish("message", "", "0")
		if a, took := poll(""); len(a.Events) != 0 || a.Next != "e1-1" || took != 0 {
			t.Errorf("without an id: %+v after %s", a, took)
		}
		if a, took := poll("?last=1"); len(a.Events) != 1 || string(a.Events[0].Data) != `"0"` || took != 0 {
			t.Errorf("last=1: %+v after %s", a, took)
		}
		go func() {
			time.Sleep(3 * time.Second)
			m.publish("message", "", "1")
			time.Sleep(3 * time.Second)
			m.publish("song", "", "2")
		}()
		a, took := poll("?wait=25s&kinds=song&lastEventId=e1-1")
		if len(a.Events) != 1 || a.Next != "e1-3" || took.Round(time.Second) != 6*time.Second {
			t.Errorf("waiting for a song: %+v after %s", a, took)
		}
		go func() {
			time.Sleep(3 * time.Second)
			m.publish("message", "", "3")
		}()
		a, took = poll("?wait=25s&kinds=song&lastEventId=" + a.Next)
		if len(a.Events) != 0 || a.Events == nil || a.Next != "e1-4" || took != 25*time.Second {
			t.Errorf("waiting in vain: %+v after %s", a, took)
		}
		if _, took = poll("?wait=1h"); took != time.Minute {
			t.Errorf("an hour's wait took %s, want a minute", took)
		}
	})
}
