package sse_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	gosse "github.com/tmaxmax/go-sse"

	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/sse"
)

// TestEverythingOnceInOrder lets publishers and viewers loose on a wall. The
// viewers' connections are cut anywhere, in mid-frame too.
func TestEverythingOnceInOrder(t *testing.T) { inAllWays(t, checkEverythingOnceInOrder) }

func checkEverythingOnceInOrder(t *testing.T) {
	t.Run("all is kept", func(t *testing.T) { testRandom(t, 100_000) })
	t.Run("little is kept", func(t *testing.T) { testRandom(t, 60) })
}

// world is what has been published.
type world struct {
	mu        sync.Mutex
	events    map[uint64]string // kind by sequence
	retracted map[uint64]bool
	end       uint64 // the last sequence; 0 while more is to come
}

func testRandom(t *testing.T, held int64) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("SEED=%d", seed)
	wall := mainWall()
	wall.Events = held
	s := newSite(t, wall, sse.Config{WindowEntries: 40, Ping: 20 * time.Millisecond})
	w := &world{events: map[uint64]string{}, retracted: map[uint64]bool{}}
	epoch := must(s.store.State(t.Context(), "main")).Epoch

	var publishers, viewers sync.WaitGroup
	for i := range 4 {
		publishers.Go(func() { w.publish(t, s, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	for i := range 8 {
		v := &visitor{t: t, site: s, world: w, rng: rand.New(rand.NewPCG(seed, uint64(100+i))), last: epoch + "-0", name: fmt.Sprint("viewer ", i)}
		if i%3 == 1 {
			v.kind = "friend"
		}
		viewers.Go(func() {
			if i%4 == 3 {
				v.polls()
			} else {
				v.streams()
			}
		})
	}
	publishers.Wait()
	last := s.publish("wall.main.friend", "the end")
	w.mu.Lock()
	w.events[last.Seq], w.end = "friend", last.Seq
	w.mu.Unlock()
	viewers.Wait()
}

// publish publishes, and retracts now and then.
func (w *world) publish(t *testing.T, s *site, rng *rand.Rand) {
	var mine []stream.ID
	for i := range 150 {
		kind, key := []string{"message", "friend", "song"}[rng.IntN(3)], ""
		if kind == "song" {
			key = fmt.Sprint("station-", rng.IntN(3))
		}
		subject := must(stream.NewSubject("main", kind, key))
		r, err := s.store.Publish(t.Context(), stream.Draft{Subject: subject, Data: fmt.Appendf(nil, "%d\n%s", i, kind)})
		if err != nil {
			t.Error(err)
			return
		}
		w.mu.Lock()
		w.events[r.ID.Seq] = kind
		w.mu.Unlock()
		if kind != "song" {
			mine = append(mine, r.ID)
		}
		if rng.IntN(20) == 0 && len(mine) > 0 {
			target := mine[rng.IntN(len(mine))]
			w.mu.Lock()
			w.retracted[target.Seq] = true
			w.mu.Unlock()
			// It fails where the wall has evicted the event meanwhile.
			if control, err := s.store.Retract(t.Context(), "main", target); err == nil {
				w.mu.Lock()
				w.events[control.Seq] = "wall:retract"
				w.mu.Unlock()
			}
		}
	}
}

// visitor is a viewer that checks what it gets.
type visitor struct {
	t     *testing.T
	site  *site
	world *world
	rng   *rand.Rand
	name  string
	kind  string // its filter
	last  string // the id that it resumes with

	pos   uint64 // everything that passes up to here was received, or was said to be missing
	got   int
	until uint64 // after a gap, sequences below this are surviving cards
	gaps  int
}

// receive notes an event.
func (v *visitor) receive(kind, id string) {
	seq := must(stream.ParseID(id)).Seq
	v.got++
	if seq < v.until {
		return
	}
	if seq <= v.pos {
		v.t.Errorf("%s: %s came after %d", v.name, id, v.pos)
	}
	if v.kind != "" && kind != v.kind && kind != "wall:retract" {
		v.t.Errorf("%s: %s is of kind %s", v.name, id, kind)
	}
	v.skip(seq - 1)
	v.pos = seq
}

// skip moves on to seq: what lies between must be none of its.
func (v *visitor) skip(seq uint64) {
	for ; v.pos < seq; v.pos++ {
		at := v.pos + 1
		v.world.mu.Lock()
		kind, known := v.world.events[at]
		if known && !v.world.retracted[at] && (v.kind == "" || v.kind == kind || kind == "wall:retract") {
			v.t.Errorf("%s: %s %d is missing", v.name, kind, at)
		}
		v.world.mu.Unlock()
	}
}

// miss notes a gap.
func (v *visitor) miss(data []byte) {
	var gap struct{ From, First, Reason string }
	if err := json.Unmarshal(data, &gap); err != nil || gap.Reason != "expired" {
		v.t.Errorf("%s: gap %s", v.name, data)
		return
	}
	v.gaps++
	v.until = must(stream.ParseID(gap.First)).Seq
	v.pos = max(v.pos, v.until-1)
}

// done reports whether it has come to the end.
func (v *visitor) done() bool {
	v.world.mu.Lock()
	end := v.world.end
	v.world.mu.Unlock()
	return end > 0 && v.pos >= end || v.t.Failed()
}

func (v *visitor) streams() {
	for !v.done() {
		v.stream()
	}
	v.t.Logf("%s: %d events, %d gaps", v.name, v.got, v.gaps)
}

func (v *visitor) stream() {
	address, header := "?kinds="+v.kind, v.last
	if v.rng.IntN(2) == 0 {
		address, header = address+"&lastEventId="+v.last, ""
	}
	ctx, cancel := context.WithTimeout(v.t.Context(), 20*time.Second)
	defer cancel()
	req := must(http.NewRequestWithContext(ctx, http.MethodGet, v.site.url+address, nil))
	req.Header.Set("Last-Event-ID", header)
	resp, err := anyClient.Do(req)
	if err != nil {
		v.t.Error(err)
		return
	}
	defer resp.Body.Close()
	cut := &cutReader{resp.Body, 100 + v.rng.IntN(8000)}
	for e, err := range gosse.Read(cut, nil) {
		if err != nil {
			return
		}
		v.last = e.LastEventID
		switch e.Type {
		case "wall:gap":
			v.miss([]byte(e.Data))
		case "wall:ping":
			v.skip(must(stream.ParseID(e.LastEventID)).Seq)
		case "wall:hello", "wall:kind", "wall:bye":
		case "":
			v.receive(stream.Message, e.LastEventID)
		default:
			v.receive(e.Type, e.LastEventID)
		}
		if v.done() {
			return
		}
		if v.rng.IntN(200) == 0 {
			time.Sleep(time.Duration(v.rng.IntN(20)) * time.Millisecond) // a slow one
		}
	}
}

// cutReader breaks after some bytes.
type cutReader struct {
	io.Reader
	left int
}

func (c *cutReader) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.Reader.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}

func (v *visitor) polls() {
	for !v.done() {
		a, ok := v.poll("?wait=1s&kinds=" + v.kind + "&lastEventId=" + v.last)
		if !ok {
			continue
		}
		if a.Gap != nil {
			v.miss(must(json.Marshal(a.Gap)))
		}
		for _, e := range a.Events {
			v.receive(e.Kind, e.ID)
		}
		v.skip(must(stream.ParseID(a.Next)).Seq)
		v.last = a.Next
	}
	v.t.Logf("%s: %d events, %d gaps", v.name, v.got, v.gaps)
}

// poll asks once. The store may be slow on a busy machine; then it says 503.
func (v *visitor) poll(query string) (a answer, ok bool) {
	resp := v.site.get(query, map[string]string{"Accept": "application/json"})
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusServiceUnavailable {
		return a, false
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || resp.StatusCode != http.StatusOK {
		v.t.Errorf("%s: %s, %v", v.name, resp.Status, err)
		return a, false
	}
	return a, true
}
