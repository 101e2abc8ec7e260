package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	gosse "github.com/tmaxmax/go-sse"
)

// heard is one event as a client reports it.
type heard struct{ Kind, ID, Data string }

// listener collects what a client reports.
type listener struct {
	t    *testing.T
	mu   sync.Mutex
	all  []heard
	news chan struct{}
}

func newListener(t *testing.T) *listener {
	return &listener{t: t, news: make(chan struct{}, 1)}
}

func (l *listener) hear(h heard) {
	l.mu.Lock()
	l.all = append(l.all, h)
	l.mu.Unlock()
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// want waits until as many events were heard, and compares.
func (l *listener) want(want []heard) {
	l.t.Helper()
	deadline := time.After(40 * time.Second)
	for {
		l.mu.Lock()
		all := slices.Clone(l.all)
		l.mu.Unlock()
		if len(all) >= len(want) || !slices.Equal(all, want[:len(all)]) {
			if !slices.Equal(all, want) {
				l.t.Fatalf("the client heard\n%q, want\n%q", all, want)
			}
			return
		}
		select {
		case <-l.news:
		case <-deadline:
			l.t.Fatalf("the client heard\n%q, want\n%q", all, want)
		}
	}
}

// epoch waits for the first event and returns its id's first half.
func (l *listener) epoch() string {
	l.t.Helper()
	for deadline := time.After(40 * time.Second); ; {
		l.mu.Lock()
		if len(l.all) > 0 {
			defer l.mu.Unlock()
			epoch, _, _ := strings.Cut(l.all[0].ID, "-")
			return epoch
		}
		l.mu.Unlock()
		select {
		case <-l.news:
		case <-deadline:
			l.t.Fatal("the client heard nothing")
		}
	}
}

// payloads are what the clients are sent, by kind. A line feed makes a second
// data field, and the colon, the space and the id are for careless parsers.
var payloads = [][2]string{
	{"message", "hello"},
	{"message", "two\nlines, and: a colon"},
	{"song", `{"artist":"Trio","title":"Blue Hour"}`},
	{"message", " a space before"},
	{"alert", "id: 5"},
	{"message", "kőszeg 🎷 \u2028 end"},
}

// tryClient starts a client that reads address, which lies behind a proxy, and
// cuts its connection off twice. The client must hear each event once, and
// resume by itself with the id of the last.
func tryClient(t *testing.T, start func(l *listener, address string)) {
	p := serveConfig(t, t.TempDir(), freeAddress(t), townWall)
	gate := newProxy(t, p.address)
	l := newListener(t)
	var want []heard
	send := func() {
		for _, e := range payloads {
			want = append(want, heard{e[0], p.publish(e[0], e[1]), e[1]})
		}
	}
	send()
	start(l, gate.URL+"/walls/main/events?last=100")
	l.want(want)
	for range 2 {
		last := want[len(want)-1].ID
		before := len(gate.streams())
		gate.cut()
		send()
		l.want(want)
		if resumed := gate.streams()[before:]; !slices.Contains(resumed, last) {
			t.Errorf("the client came back with Last-Event-ID %q, want %s", resumed, last)
		}
		send()
		l.want(want)
	}
}

// foreignPage serves a page of another site, whose function listen reads a
// stream, and opens it. It returns the site's origin, too.
func foreignPage(t *testing.T) (*tab, string) {
	t.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, `<!DOCTYPE html><title>Another site</title><script>
			window.got = [];
			function listen(address) {
				const source = new EventSource(address);
				const hear = (e) => got.push({Kind: e.type, ID: e.lastEventId, Data: e.data});
				source.onmessage = hear;
				for (const kind of ["song", "alert"]) source.addEventListener(kind, hear);
				return source;
			}</script>`)
	}))
	t.Cleanup(site.Close)
	b := newTab(t, startBrowser(t))
	b.open(site.URL)
	return b, site.URL
}

func TestChromiumsEventSourceOnAnotherSite(t *testing.T) {
	b, _ := foreignPage(t)
	tryClient(t, func(l *listener, address string) {
		eval[bool](b, fmt.Sprintf(`(listen(%q), true)`, address))
		ctx, cancel := context.WithCancel(t.Context())
		var polling sync.WaitGroup
		polling.Go(func() {
			for n := 0; ctx.Err() == nil; {
				news, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]heard](fmt.Sprintf(
					`new Promise(done => { const look = () => got.length > %d ? done(got.slice(%[1]d)) : setTimeout(look, 5); look() })`, n), chromedp.EvalAwaitPromise))
				if err != nil {
					return
				}
				for _, h := range news {
					l.hear(h)
				}
				n += len(news)
			}
		})
		t.Cleanup(func() {
			cancel()
			eval[bool](b, `(got.push(...Array(1000).fill({})), true)`) // lets the last look end
			polling.Wait()
		})
	})
}

func TestWhoMayReadFromAnotherSite(t *testing.T) {
	b, origin := foreignPage(t)
	p := serveConfig(t, t.TempDir(), freeAddress(t), fmt.Sprintf(`
walls:
  main: {}
  ours: {origins: [%q]}
  theirs: {origins: ["https://example.com"]}
`, origin))
	id := p.publish("", "hello")
	for wall, want := range map[string]string{"main": "open", "ours": "open", "theirs": "error"} {
		got := eval[string](b, fmt.Sprintf(`new Promise(done => {
			const source = listen(%q);
			for (const what of ["open", "error"]) source.addEventListener(what, () => { source.close(); done(what) });
		})`, p.url+"/walls/"+wall+"/events"))
		if got != want {
			t.Errorf("another site's EventSource on the wall %s ends with %q, want %q", wall, got, want)
		}
		// With the header a fetch is asked for by a preflight request.
		got = eval[string](b, fmt.Sprintf(`fetch(%q, {headers: {Accept: "application/json", "Last-Event-ID": %q}}).then((r) => r.ok ? "open" : "error", () => "error")`,
			p.url+"/walls/"+wall+"/events", id))
		if got != want {
			t.Errorf("another site's fetch on the wall %s ends with %q, want %q", wall, got, want)
		}
		// Writing is something else: no foreign page may, on any wall.
		eval[bool](b, fmt.Sprintf(`fetch(%q, {method: "POST", mode: "no-cors", body: "from a foreign page"}).then(() => true, () => true)`, p.url+"/walls/"+wall+"/events"))
	}
	if _, held := p.request(http.MethodGet, "?last=10", "", "", "Accept", "application/json"); strings.Contains(held, "foreign") {
		t.Errorf("a foreign page has published: %s", held)
	}
	b.forgive("CORS policy")
}

func TestCurl(t *testing.T) {
	curl := need(t, "curl")
	p := serveConfig(t, t.TempDir(), freeAddress(t), townWall)
	var want []heard
	send := func() {
		for _, e := range payloads {
			want = append(want, heard{e[0], p.publish(e[0], e[1]), e[1]})
		}
	}
	read := func(l *listener, args ...string) (stop func()) {
		cmd := exec.Command(curl, append([]string{"-sSN"}, args...)...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var reading sync.WaitGroup
		reading.Go(func() { readBlocks(out, l) })
		return sync.OnceFunc(func() {
			cmd.Process.Kill() // curl would go on for ever
			reading.Wait()
			cmd.Wait()
		})
	}
	send()
	l := newListener(t)
	stop := read(l, p.url+"/walls/main/events?last=100")
	t.Cleanup(stop)
	l.want(want)
	send()
	l.want(want)
	stop()

	last, seen := want[len(want)-1].ID, len(want)
	send()
	l = newListener(t)
	stop = read(l, "-H", "Last-Event-ID: "+last, p.url+"/walls/main/events")
	t.Cleanup(stop)
	send()
	l.want(want[seen:])
}

// readBlocks reads what a person sees in a terminal: a block of lines for each event.
func readBlocks(r io.Reader, l *listener) {
	var h heard
	var data []string
	for lines := bufio.NewScanner(r); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			h.Kind = value
		case "id":
			h.ID = value
		case "data":
			data = append(data, value)
		case "":
			if h.Kind == "" {
				h.Kind = "message"
			}
			h.Data = strings.Join(data, "\n")
			if data != nil && !strings.HasPrefix(h.Kind, "wall:") {
				l.hear(h)
			}
			h, data = heard{}, nil
		}
	}
}

func TestGoSSEClient(t *testing.T) {
	tryClient(t, func(l *listener, address string) {
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		connection := gosse.NewConnection(req)
		connection.SubscribeToAll(func(e gosse.Event) {
			if strings.HasPrefix(e.Type, "wall:") {
				return
			}
			if e.Type == "" {
				e.Type = "message"
			}
			l.hear(heard{e.Type, e.LastEventID, e.Data})
		})
		ended := make(chan error, 1)
		go func() { ended <- connection.Connect() }()
		t.Cleanup(func() {
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error("the client ended: ", err)
			}
		})
	})
}

// npmClient is the release of npm's eventsource that is tried; it wants Node.js 20.
const npmClient = "eventsource@4.1.1"

func TestNPMEventSource(t *testing.T) {
	node, npm := need(t, "node"), need(t, "npm")
	folder := t.TempDir()
	const script = `
		import { EventSource } from "eventsource";
		const source = new EventSource(process.argv[2]);
		const hear = (e) => console.log(JSON.stringify({Kind: e.type, ID: e.lastEventId, Data: e.data}));
		source.onmessage = hear;
		for (const kind of ["song", "alert"]) source.addEventListener(kind, hear);`
	if err := os.WriteFile(filepath.Join(folder, "client.mjs"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, npmClient)
	install.Dir = folder
	if out, err := install.CombinedOutput(); err != nil {
		missing(t, "%s can't be installed (%v: %.300s)", npmClient, err, out)
	}
	tryClient(t, func(l *listener, address string) {
		cmd := exec.Command(node, "client.mjs", address)
		cmd.Dir = folder
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var reading sync.WaitGroup
		reading.Go(func() {
			for lines := bufio.NewScanner(out); lines.Scan(); {
				var h heard
				if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
					t.Errorf("node printed %q", lines.Text())
				}
				l.hear(h)
			}
		})
		t.Cleanup(func() {
			cmd.Process.Kill()
			reading.Wait()
			cmd.Wait()
		})
	})
}
