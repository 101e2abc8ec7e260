package main_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// shelf is a feed that grows.
type shelf struct {
	mu    sync.Mutex
	items []string // titles, the oldest first
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.HasPrefix(r.UserAgent(), "Wallcast/") {
		w.WriteHeader(http.StatusForbidden) // who doesn't say who they are
		return
	}
	tag := fmt.Sprintf(`"%d"`, len(s.items))
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	fmt.Fprint(w, "<rss><channel>")
	for _, title := range slices.Backward(s.items) {
		fmt.Fprintf(w, "<item><guid>%s</guid><title>%[1]s</title></item>", title)
	}
	fmt.Fprint(w, "</channel></rss>")
}

// titles returns what the wall holds of a kind.
func (p *process) titles(kind string) []string {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+"/walls/main/events?last=1000&kinds="+kind, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Events []struct{ Data struct{ Title string } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		p.t.Fatal(err)
	}
	var all []string
	for _, e := range answer.Events {
		all = append(all, e.Data.Title)
	}
	return all
}

// TestUpstreamsThroughCrashes kills the program that follows a feed, another
// wall and a stream of another NATS server, and at times these as well.
func TestUpstreamsThroughCrashes(t *testing.T) {
	server, err := buildNATS()
	if err != nil {
		t.Fatal(err)
	}
	feed := &shelf{}
	blog := httptest.NewServer(feed)
	defer blog.Close()
	broker := startNATS(t, server, freeAddress(t), synced(t))
	neighbourFolder, neighbourAddress := t.TempDir(), freeAddress(t)
	neighbour := serveConfig(t, neighbourFolder, neighbourAddress, "walls: {main: {}}\n")
	folder, address := t.TempDir(), freeAddress(t)
	configuration := fmt.Sprintf(`
walls: {main: {keep: {events: 5000}}}
sources:
  news: {feed: {url: "%s", latest: 300}, to: wall.main.post}
  next: {sse: {url: "%s/walls/main/events?last=1000"}}
  shop: {nats: {url: "nats://%s", subject: "orders.*", stream: ORDERS, from: all}, to: wall.main.order}
`, blog.URL, neighbour.url, broker.address)

	want := map[string][]string{}
	grow := func(kind string) string {
		title := fmt.Sprintf("%s %d", kind, len(want[kind]))
		want[kind] = append(want[kind], title)
		return title
	}
	fill := func() {
		feed.mu.Lock()
		for range 1 + rand.N(24) {
			feed.items = append(feed.items, grow("post"))
		}
		feed.mu.Unlock()
		for range 1 + rand.N(20) {
			neighbour.publish("tick", fmt.Sprintf(`{"title":%q}`, grow("tick")))
		}
		nc, err := nats.Connect("nats://" + broker.address)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		js, err := nc.JetStream()
		if err == nil {
			_, err = js.AddStream(&nats.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}})
		}
		for range 1 + rand.N(20) {
			if err == nil {
				_, err = js.Publish("orders.new", fmt.Appendf(nil, `{"title":%q}`, grow("order")))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for life := range 10 {
		fill()
		p := serveConfig(t, folder, address, configuration)
		if life%3 == 1 {
			neighbour.kill()
			neighbour = startProgram(t, neighbourFolder, neighbourAddress, "serve")
		}
		if life%4 == 2 {
			broker.stop()
			broker.start()
		}
		if life%2 == 0 {
			fill()
		}
		time.Sleep(rand.N(300 * time.Millisecond))
		p.kill()
	}
	p := serveConfig(t, folder, address, configuration)
	for kind, titles := range want {
		var got []string
		for end := time.Now().Add(time.Minute); len(got) < len(titles) && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			got = p.titles(kind)
		}
		if !slices.Equal(got, titles) {
			t.Errorf("of kind %s the wall has %d events, and there were %d:\n%s", kind, len(got), len(titles), strings.Join(got, ", "))
		}
	}
	// Whatever comes twice comes late.
	time.Sleep(time.Second)
	for kind, titles := range want {
		if got := p.titles(kind); len(got) != len(titles) {
			t.Errorf("of kind %s the wall has %d events, and there were %d", kind, len(got), len(titles))
		}
	}
}
