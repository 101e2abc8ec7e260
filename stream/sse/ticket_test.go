package sse_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wallcast/wallcast/stream/sse"
)

// doors lets in who names a door that is open.
type doors struct {
	mu     sync.Mutex
	closed map[string]bool
}

func (d *doors) close(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed[name] = true
}

func (d *doors) pass(r *http.Request, _ string) *sse.Pass {
	name := r.URL.Query().Get("door")
	if name == "" {
		return nil
	}
	p := &sse.Pass{Holds: func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return !d.closed[name]
	}}
	if after, err := time.ParseDuration(r.URL.Query().Get("for")); err == nil {
		p.Until = time.Now().Add(after)
	}
	return p
}

func endsWithAccess(t *testing.T, r *reader) {
	t.Helper()
	last := r.ended()
	if last.Type != "wall:bye" || !strings.Contains(last.Data, `"reason":"access"`) || last.LastEventID == "" {
		t.Errorf("the stream ends with %+v", last)
	}
}

func TestReview(t *testing.T) { inAllWays(t, checkReview) }

func checkReview(t *testing.T) {
	m := newMemory("main")
	d := &doors{closed: map[string]bool{}}
	s := serve(t, sse.Config{Reader: m, Pass: d.pass})
	free, _ := s.watch("", "")
	front, _ := s.watch("?door=front", "")
	back, _ := s.watch("?door=back", "")
	s.Review()
	id := m.publish("message", "", "0")
	front.want("wall:kind", before(id), "*")
	front.want("", id, "0")

	d.close("front")
	s.Review()
	endsWithAccess(t, front)
	endsWithAccess(t, s.watchRaw("?door=front", "")) // the caller has let it in with what held before
	id = m.publish("message", "", "1")
	for _, r := range []*reader{free, back} {
		for e := r.next(); e.LastEventID != id.String(); e = r.next() {
		}
	}
	eventually(t, "who had to go is still counted", func() bool { return s.Viewers("main") == 2 })
}

func TestPassExpires(t *testing.T) { inAllWays(t, checkPassExpires) }

func checkPassExpires(t *testing.T) {
	m := newMemory("main")
	d := &doors{closed: map[string]bool{}}
	s := serve(t, sse.Config{Reader: m, Pass: d.pass})
	began := time.Now()
	long, _ := s.watch("?door=a&for=1h", "")
	short, _ := s.watch("?door=a&for=300ms", "")
	endsWithAccess(t, short)
	if took := time.Since(began); took < 300*time.Millisecond || took > 5*time.Second {
		t.Errorf("a pass for 300 ms lasts %s", took)
	}
	endsWithAccess(t, s.watchRaw("?door=a&for=-1s", ""))
	resp := s.get("?wait=30s&door=a&for=100ms", map[string]string{"Accept": "application/json"})
	defer resp.Body.Close()
	var a answer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("a waiting poll whose pass expires gets %s, %v", resp.Status, err)
	}
	id := m.publish("message", "", "still here")
	long.want("wall:kind", before(id), "*")
	long.want("", id, "still here")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

// A viewer that must go while it reads slowly gets no more than was on its way.
func TestReviewOfSlowViewer(t *testing.T) { inAllWays(t, checkReviewOfSlowViewer) }

func checkReviewOfSlowViewer(t *testing.T) {
	m := newMemory("main")
	d := &doors{closed: map[string]bool{}}
	s := serve(t, sse.Config{Reader: m, Pass: d.pass})
	conn := s.dial("?door=front")
	eventually(t, "the viewer is not there", func() bool { return s.Viewers("main") == 1 })
	const n = 300
	for i := range n {
		m.publish("message", "", fmt.Sprintf("%d %060000d", i, 0))
	}
	d.close("front")
	s.Review()
	r := s.read(conn)
	got := 0
	for e := range r.events {
		if e.Type == "" {
			got++
		}
		if e.Type == "wall:bye" && !strings.Contains(e.Data, `"access"`) {
			t.Errorf("it ends with %+v", e)
		}
	}
	if got == n {
		t.Errorf("it got all of %d events", n)
	}
	eventually(t, "who had to go is still counted", func() bool { return s.Viewers("main") == 0 })
}
