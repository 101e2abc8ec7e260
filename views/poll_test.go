package views_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/embed"
	"github.com/wallcast/wallcast/stream/jetstream"
	"github.com/wallcast/wallcast/stream/sse"
	"github.com/wallcast/wallcast/views"
)

// proxied is a wall of the real store, behind something that treats streams badly.
type proxied struct {
	*server
	store *jetstream.Store
	head  stream.ID // what the page is rendered at

	mu      sync.Mutex
	streams string        // what becomes of streams: "", "held", "cut" or "refused"
	gate    chan struct{} // where not nil, a stream passes once it is closed
	busy    bool          // answer polls 503
	after   []string      // the ids that streams were asked to go on after
	held    int           // streams that are being held
	polls   int
	open    int // polls that are being answered
	refused int
}

func newProxied(t *testing.T) *proxied {
	t.Helper()
	nats, err := embed.Start(embed.Config{Folder: t.TempDir(), Unsynced: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nats.Close() })
	nc, err := nats.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	wall := jetstream.Wall{Name: "main", Events: 20, Age: time.Hour, Bytes: 1 << 20, History: 10, Payload: 1 << 10}
	store, err := jetstream.Open(t.Context(), nc, jetstream.Config{Walls: []jetstream.Wall{wall}, Identity: nats.Identity()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	events := sse.New(sse.Config{
		Reader: store, Build: "b1", Drain: time.Millisecond,
		Render: func(e stream.Event) ([]byte, error) { return views.RenderCard(demoWall, e) },
	})
	p := &proxied{server: &server{t: t, page: demoPage(time.Now())}, store: store}
	p.head = p.publish("before the page")
	p.page.Head, p.page.Events, p.page.Query = p.head, nil, "grant=g1"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /walls/main", p.servePage)
	mux.HandleFunc("GET /walls/main/events", func(w http.ResponseWriter, r *http.Request) { p.pass(w, r, events) })
	mux.Handle("/assets/", views.Assets())
	p.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		_ = events.Shutdown(t.Context()) // ends by itself with the connections
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

func (p *proxied) pass(w http.ResponseWriter, r *http.Request, events *sse.Server) {
	if r.FormValue("grant") != "g1" || r.FormValue("as") != "html" {
		p.t.Errorf("the page asked for %s", r.URL)
	}
	if r.Header.Get("Accept") == "application/json" {
		p.passPoll(w, r, events)
		return
	}
	p.mu.Lock()
	p.after = append(p.after, r.FormValue("lastEventId"))
	streams, gate := p.streams, p.gate
	p.mu.Unlock()
	switch streams {
	case "refused":
		http.Error(w, "bad gateway", http.StatusBadGateway)
	case "cut":
		w.Header().Set("Content-Type", "text/event-stream")
	case "held":
		p.set(func() { p.held++ })
		defer p.set(func() { p.held-- })
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush() // the header gets through, and nothing else
		<-r.Context().Done()
	default:
		if gate != nil {
			select {
			case <-gate:
			case <-r.Context().Done():
				return
			}
		}
		events.ServeEvents(w, r, "main")
	}
}

func (p *proxied) passPoll(w http.ResponseWriter, r *http.Request, events *sse.Server) {
	if wait := r.FormValue("wait"); wait != "25s" && wait != "" || r.FormValue("lastEventId") == "" {
		p.t.Errorf("the page polled %s", r.URL)
	}
	p.mu.Lock()
	p.polls++
	p.open++
	busy := p.busy
	if busy {
		p.refused++
	}
	p.mu.Unlock()
	defer p.set(func() { p.open-- })
	if busy {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "full", http.StatusServiceUnavailable)
		return
	}
	events.ServeEvents(w, r, "main")
}

func (p *proxied) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// await waits until condition, which is called under the lock, holds.
func (p *proxied) await(what string, condition func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		p.mu.Lock()
		ok := condition()
		p.mu.Unlock()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatal("waited in vain until ", what)
		}
	}
}

func (p *proxied) publish(text string) stream.ID {
	p.t.Helper()
	subject, err := stream.NewSubject("main", "", "")
	if err != nil {
		p.t.Fatal(err)
	}
	r, err := p.store.Publish(p.t.Context(), stream.Draft{Subject: subject, Data: []byte(text), Source: "test"})
	if err != nil {
		p.t.Fatal(err)
	}
	return r.ID
}

// shownAs is the expression for the card of an event.
func shownAs(id stream.ID) string { return fmt.Sprintf(`document.getElementById("e-%s")`, id) }

// visit opens the page and records the cards that are added to it.
func (p *proxied) visit(b *tab) {
	b.t.Helper()
	b.do(beforeScripts(`
		window.added = [];
		new MutationObserver((records) => {
			for (const r of records) for (const n of r.addedNodes) if (n.matches?.("article.card")) added.push(n.dataset.id);
		}).observe(document, {childList: true, subtree: true});`), chromedp.Navigate(p.URL+"/walls/main"))
}

// fallBack opens the page where streams are held back, and lets the times pass
// that it takes to give them up.
func (p *proxied) fallBack(b *tab) {
	b.t.Helper()
	p.set(func() { p.streams = "held" })
	p.visit(b)
	for n := range 2 {
		p.await("a stream is asked for", func() bool { return len(p.after) > n })
		b.until(`document.getElementById("state")`)
		eval[bool](b, `(skipped += 13_000, true)`)
	}
	p.await("the page polls", func() bool { return p.polls > 0 })
}

func TestPagePollsWhereStreamsAreHeldBack(t *testing.T) {
	p, b := newProxied(t), browser(t)
	p.fallBack(b)
	first, second := p.publish("one"), p.publish("two")
	b.until(shownAs(first) + ` && ` + shownAs(second) + ` && ` + live)
	if _, err := p.store.Retract(t.Context(), "main", first); err != nil {
		t.Fatal(err)
	}
	b.until(shownAs(first) + ` === null`)

	p.await("a poll is out", func() bool { return p.open > 0 })
	p.set(func() { p.busy = true })
	third := p.publish("the answer that is out")
	b.until(shownAs(third))
	p.await("a poll is refused", func() bool { return p.refused > 0 })
	var missed []stream.ID
	for i := range 30 { // of which the wall holds 20
		missed = append(missed, p.publish(fmt.Sprint("missed ", i)))
	}
	refused := time.Now()
	p.await("another poll is refused", func() bool { return p.refused > 1 })
	if waited := time.Since(refused); waited > 3*time.Second {
		t.Errorf("the page polled again after %v, though it was asked to within a second", waited)
	}
	p.set(func() { p.busy = false })
	b.until(shownAs(missed[29]) + ` && ` + live)
	if got := timeline(b); len(got) != 21 || got[20] != "gap" {
		t.Errorf("after the gap the timeline is %v", got)
	}

	// A poll that is refused has a stream tried soon; it is in vain.
	p.await("a stream is tried", func() bool { return len(p.after) == 3 && p.held == 1 })
	eval[bool](b, `(skipped += 13_000, true)`)
	p.await("the stream is given up", func() bool { return p.held == 0 })

	// A stream is let through, and the poll is ahead of it when it begins.
	gate := make(chan struct{})
	var tried int
	p.set(func() { p.streams, p.gate, tried = "", gate, len(p.after) })
	eval[bool](b, `(skipped += 190_000, true)`)
	p.await("a stream is tried again", func() bool { return len(p.after) > tried })
	ahead := p.publish("by the poll, while the stream begins")
	b.until(shownAs(ahead))
	p.set(func() { p.gate = nil })
	close(gate)
	p.await("the page is back to one stream", func() bool {
		return len(p.after) > tried+1 && p.after[len(p.after)-1] == ahead.String() && p.open == 0
	})
	polls := 0
	p.set(func() { polls = p.polls })
	for i := range 5 {
		b.until(shownAs(p.publish(fmt.Sprint("by the stream ", i))))
	}
	b.until(live)
	p.await("no poll goes on", func() bool { return p.open == 0 && p.polls == polls })
	added := eval[[]string](b, `added`)
	if slices.Sort(added); len(slices.Compact(slices.Clone(added))) != len(added) {
		t.Errorf("a card came twice: %v", added)
	}
	if got := strings.Join(timeline(b)[:7], " "); !strings.HasSuffix(got, fmt.Sprint(ahead.Seq, " ", missed[29].Seq)) {
		t.Errorf("the timeline begins %s", got)
	}
}

func TestPageTriesTheStreamAgainWhenItIsLookedAt(t *testing.T) {
	p, b := newProxied(t), browser(t)
	p.fallBack(b)
	b.until(live)
	var tried int
	p.set(func() { p.streams, tried = "", len(p.after) })
	eval[bool](b, `document.dispatchEvent(new Event("visibilitychange"))`)
	p.await("the page is back to a stream", func() bool { return len(p.after) == tried+1 && p.open == 0 })
	b.until(shownAs(p.publish("by the stream")))
	b.until(live)
}

func TestPagePollsWhereStreamsAreCut(t *testing.T) {
	p, b := newProxied(t), browser(t)
	p.streams = "cut"
	p.visit(b)
	p.await("the page polls", func() bool { return p.open > 0 })
	b.until(shownAs(p.publish("by a poll")) + ` && ` + live)
	p.await("the page polls", func() bool { return p.open > 0 })
	eval[bool](b, `dispatchEvent(new PageTransitionEvent("pagehide", {persisted: true}))`)
	p.await("the poll is let go", func() bool { return p.open == 0 })
}

func TestRefusedStreamIsNoReasonToPoll(t *testing.T) {
	p, b := newProxied(t), browser(t)
	p.streams = "refused"
	p.visit(b)
	p.await("the page has tried often", func() bool { return len(p.after) > 4 })
	p.set(func() { p.streams = "" })
	b.until(live)
	p.await("nothing was polled", func() bool { return p.polls == 0 })
}
