package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	gosse "github.com/tmaxmax/go-sse"
)

// configure replaces the configuration of a running program.
func (p *process) configure(configuration string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.cmd.Dir, "wallcast.yaml"), []byte(configuration), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.said.reset()
	hangUp(p.t, p, "the configuration was applied")
}

func (o *output) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Reset()
}

// guest is an open event stream of the wall main.
type guest struct {
	t      *testing.T
	conn   net.Conn
	events chan gosse.Event
}

// visit opens an event stream, which has to be answered 200. The header is made
// of names and values.
func (p *process) visit(query string, header ...string) *guest {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	lines := ""
	for i := 0; i < len(header); i += 2 {
		lines += header[i] + ": " + header[i+1] + "\r\n"
	}
	fmt.Fprintf(conn, "GET /walls/main/events%s HTTP/1.1\r\nHost: %s\r\n%s\r\n", query, p.address, lines)
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		p.t.Fatal("opening a stream: ", err)
	}
	_ = conn.SetReadDeadline(time.Time{})
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(resp.Body)
		p.t.Fatalf("a stream is answered %s: %s", resp.Status, body)
	}
	g := &guest{p.t, conn, make(chan gosse.Event, 1000)}
	go func() {
		defer close(g.events)
		for e, err := range gosse.Read(resp.Body, nil) {
			if err != nil {
				return
			}
			g.events <- e
		}
	}()
	return g
}

// next returns the next event; the zero one when the stream has ended.
func (g *guest) next() gosse.Event {
	g.t.Helper()
	select {
	case e := <-g.events:
		return e
	case <-time.After(20 * time.Second):
		g.t.Fatal("no event arrives")
		return gosse.Event{}
	}
}

// isIn reports whether the viewer was let in. One that was not has to get what
// brings a browser back.
func (g *guest) isIn() bool {
	g.t.Helper()
	e := g.next()
	if e.Type == "wall:hello" {
		return true
	}
	if e.Type != "wall:bye" || e.LastEventID != "" || !strings.Contains(e.Data, `"reason":"full","retry":`) {
		g.t.Errorf("a viewer too many gets %+v", e)
	}
	if e := g.next(); e.Type != "" {
		g.t.Errorf("behind the bye comes %+v", e)
	}
	return false
}

// awaits reads on until the event of an id.
func (g *guest) awaits(id string) {
	g.t.Helper()
	for e := g.next(); e.LastEventID != id || strings.HasPrefix(e.Type, "wall:"); e = g.next() {
		if e.Type == "wall:bye" || e == (gosse.Event{}) {
			g.t.Fatalf("before %s came %+v", id, e)
		}
	}
}

func TestFullProgram(t *testing.T) {
	p := serveConfig(t, t.TempDir(), freeAddress(t), "viewers: {most: 1}\n")
	first := p.visit("")
	if !first.isIn() {
		t.Fatal("the first viewer is not let in")
	}
	if p.visit("").isIn() {
		t.Error("a second viewer is let in where there may be one")
	}
	for _, query := range []string{"", "?wait=1s"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/walls/main/events"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		after, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		if resp.StatusCode != http.StatusServiceUnavailable || err != nil || after < 1 {
			t.Errorf("a poll %q is answered %s, %v", query, resp.Status, resp.Header)
		}
	}
	first.awaits(p.publish("", "who is in gets it"))
	p.status("/walls/main", http.StatusOK)
	p.status("/readyz", http.StatusOK)
	if _, metrics := p.status("/metrics", http.StatusOK); !strings.Contains(metrics, "\nwallcast_viewers_refused_total 3\n") {
		t.Errorf("the metrics do not tell of three who were refused:\n%s", metrics)
	}

	p.configure("viewers: {most: 2}\n")
	second := p.visit("")
	if !second.isIn() {
		t.Error("the new limit does not count")
	}
	p.configure("viewers: {most: 1}\n")
	id := p.publish("", "for both")
	first.awaits(id)
	second.awaits(id)
	if p.visit("").isIn() {
		t.Error("a third viewer is let in where there may be one")
	}
}

// status gets an address of the program.
func (p *process) status(path string, want int) (*http.Response, string) {
	p.t.Helper()
	resp, err := http.Get(p.url + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if resp.StatusCode != want {
		p.t.Errorf("%s is answered %s: %.300s", path, resp.Status, body)
	}
	return resp, string(body)
}

// The address that counts is the one that trusted proxies report.
func TestViewersOfOneAddress(t *testing.T) {
	p := serveConfig(t, t.TempDir(), freeAddress(t), "proxies: 127.0.0.0/8\nviewers: {address: 1}\n")
	for _, test := range []struct {
		address string
		in      bool
	}{
		{"203.0.113.5", true}, {"203.0.113.6", true}, {"203.0.113.5", false},
		{"2001:db8::1", true}, {"2001:db8::2", false}, {"2001:db8:0:1::1", true},
		{"127.0.0.1", true}, {"127.0.0.1", false}, // the limit was given, so it counts here too
	} {
		if in := p.visit("", "X-Forwarded-For", test.address).isIn(); in != test.in {
			t.Errorf("a viewer from %s is let in: %v, want %v", test.address, in, test.in)
		}
	}
	if p.visit("", "X-Forwarded-For", "2001:db8:0:2::1").isIn() != true {
		t.Error("another network is not let in")
	}
	p.configure("proxies: 127.0.0.0/8\nviewers: {address: 0}\n")
	for range 3 {
		if !p.visit("", "X-Forwarded-For", "203.0.113.5").isIn() {
			t.Error("0 is not taken for no limit")
		}
	}
}

// The browser knows nothing but the standard, and comes back until there is a
// place, with its id.
func TestChromiumWaitsForAPlace(t *testing.T) {
	t.Parallel() // it mostly waits
	b, _ := foreignPage(t)
	p := serveConfig(t, t.TempDir(), freeAddress(t), "")
	gate := newProxy(t, p.address)
	eval[bool](b, fmt.Sprintf(`(listen(%q).addEventListener("wall:bye", (e) => { if (e.data.includes("full")) window.full = (window.full || 0) + 1 }), true)`, gate.URL+"/walls/main/events?last=10"))
	var want []string
	publish := func() { text := fmt.Sprint("event ", len(want)); p.publish("", text); want = append(want, text) }
	publish()
	eval[bool](b, `new Promise(done => { const look = () => got.length >= 1 ? done(true) : setTimeout(look, 5); look() })`)
	other := p.visit("")
	if !other.isIn() {
		t.Fatal("another viewer is not let in")
	}
	p.configure("viewers: {most: 1}\n")
	gate.cut()
	publish()
	eval[bool](b, `new Promise(done => { const look = () => window.full >= 1 ? done(true) : setTimeout(look, 5); look() })`)
	publish()
	other.conn.Close()
	eval[bool](b, `new Promise(done => { const look = () => got.length >= 3 ? done(true) : setTimeout(look, 5); look() })`)
	publish()
	texts := eval[[]string](b, `new Promise(done => { const look = () => got.length >= 4 ? done(got.map((e) => e.Data)) : setTimeout(look, 5); look() })`)
	if fmt.Sprint(texts) != fmt.Sprint(want) {
		t.Errorf("the browser got %q, want %q", texts, want)
	}
}

// Who may no longer read is shown out when the configuration is applied, and
// when a link has expired.
func TestRightToReadEnds(t *testing.T) {
	annSecret, ann := token(t, "ann", "read main")
	bobSecret, bob := token(t, "bob", "read main")
	adminSecret, admin := token(t, "root", "admin")
	configuration := func(tokens ...string) string {
		return "tokens:\n  " + strings.Join(append(tokens, admin), "\n  ") + "\nwalls: {main: {private: true}}\n"
	}
	p := serveConfig(t, t.TempDir(), freeAddress(t), configuration(ann, bob))
	goes := p.visit("", "Authorization", "Bearer "+annSecret)
	stays := p.visit("", "Authorization", "Bearer "+bobSecret)
	link := p.link("main", "1s", "Bearer "+adminSecret)
	guests := p.visit("?grant=" + link)
	long := p.visit("?grant=" + p.link("main", "1h", "Bearer "+adminSecret))
	for _, g := range []*guest{goes, stays, guests, long} {
		if !g.isIn() {
			t.Fatal("who may read is not let in")
		}
	}
	p.configure(configuration(bob))
	for _, g := range []*guest{goes, guests} {
		if e := g.next(); e.Type != "wall:bye" || !strings.Contains(e.Data, `"reason":"access"`) {
			t.Errorf("the stream of who may no longer read goes on with %+v", e)
		}
		if e := g.next(); e != (gosse.Event{}) {
			t.Errorf("behind the bye comes %+v", e)
		}
	}
	id := p.publish("", "for those who may read", "Authorization", "Bearer "+adminSecret)
	stays.awaits(id)
	long.awaits(id)
}

// link makes a signed link and returns its grant.
func (p *process) link(wall, life, authorization string) string {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"/control/links?wall="+wall+"&for="+life, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	_, grant, ok := strings.Cut(strings.Trim(string(body), "{}\"\n"), "?grant=")
	if !ok {
		p.t.Fatalf("making a link is answered %s: %s", resp.Status, body)
	}
	return grant
}

// How many there are is known as a metric and in JSON; the stream tells it in wall:ping.
func TestViewersAreCounted(t *testing.T) {
	p := serveConfig(t, t.TempDir(), freeAddress(t), "walls: {main: {}, quiet: {}}\n")
	var in []*guest
	for range 3 {
		g := p.visit("")
		if !g.isIn() {
			t.Fatal("a viewer is not let in")
		}
		in = append(in, g)
	}
	counted := func(n int) bool {
		_, answer := p.status("/control/walls", http.StatusOK)
		_, metrics := p.status("/metrics", http.StatusOK)
		return strings.TrimSpace(answer) == fmt.Sprintf(`{"walls":[{"wall":"main","viewers":%d},{"wall":"quiet","viewers":0}]}`, n) &&
			strings.Contains(metrics, fmt.Sprintf("wallcast_viewers{wall=\"main\"} %d\nwallcast_viewers{wall=\"quiet\"} 0\n", n))
	}
	if !counted(3) {
		t.Error("three viewers are not told of")
	}
	in[0].conn.Close()
	in[1].conn.Close()
	for began := time.Now(); !counted(1); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("viewers who have left are still told of")
		}
	}
}
