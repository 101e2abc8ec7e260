package sse_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wallcast/wallcast/stream/sse"
)

// The load is measured over real sockets. The viewers are a process of their
// own, this test binary started again, so that what they cost is not counted
// and descriptors suffice. Beside ours runs what every tutorial writes, in the
// same run: the figures of a machine drift, their ratio less.
//
//	make bench

const generatorVariable = "WALLCAST_LOAD_GENERATOR"

func TestMain(m *testing.M) {
	if job := os.Getenv(generatorVariable); job != "" {
		if err := generate(job); err != nil {
			fmt.Fprintln(os.Stderr, "generator:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// contender is a server under load.
type contender interface {
	http.Handler
	send(data string)
	viewers() int
	stop()
}

// ours is this package behind net/http.
type ours struct {
	*sse.Server
	m *memory
}

func newOurs() contender {
	m := newMemory("main")
	return ours{sse.New(sse.Config{Reader: m, Drain: time.Millisecond}), m}
}

func (o ours) ServeHTTP(w http.ResponseWriter, r *http.Request) { o.ServeEvents(w, r, "main") }
func (o ours) send(data string)                                 { o.m.publish("message", "", data) }
func (o ours) viewers() int                                     { return o.Viewers("main") }
func (o ours) stop()                                            { _ = o.Shutdown(context.Background()) }

// tutorial is what every tutorial writes: a goroutine and a channel per client,
// Fprintf, Flush; and a slice to replay from.
type tutorial struct {
	mu      sync.Mutex
	clients map[chan string]bool
	history []string
	quit    chan struct{}
}

func newTutorial() contender {
	return &tutorial{clients: map[chan string]bool{}, quit: make(chan struct{})}
}

func (h *tutorial) send(data string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.history = append(h.history, data)
	for c := range h.clients {
		c <- data
	}
}

func (h *tutorial) viewers() int { h.mu.Lock(); defer h.mu.Unlock(); return len(h.clients) }
func (h *tutorial) stop()        { close(h.quit) }

func (h *tutorial) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	events := make(chan string, 16)
	h.mu.Lock()
	h.clients[events] = true
	old := h.history
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.clients, events)
		h.mu.Unlock()
	}()
	flusher := w.(http.Flusher)
	fmt.Fprint(w, "event: hello\ndata: {}\n\n")
	flusher.Flush()
	id := 0
	if r.URL.Query().Get("lastEventId") != "" {
		for _, e := range old {
			id++
			fmt.Fprintf(w, "id: e1-%d\ndata: %s\n\n", id, e)
			flusher.Flush()
		}
	}
	for {
		select {
		case e := <-events:
			id++
			fmt.Fprintf(w, "id: e1-%d\ndata: %s\n\n", id, e)
			flusher.Flush()
		case <-r.Context().Done():
			return
		case <-h.quit:
			return
		}
	}
}

// trial is a contender under load.
type trial struct {
	contender
	t       *testing.T
	server  *httptest.Server
	address string
	over    string
}

// begin serves a contender; over is a job's.
func begin(t *testing.T, c contender, over string) *trial {
	server := httptest.NewUnstartedServer(c)
	server.EnableHTTP2 = over == "HTTP/2"
	switch _, our := c.(ours); {
	case over == "":
		server.Start()
	case our:
		startTLS(server)
	default:
		server.StartTLS()
	}
	return &trial{c, t, server, server.Listener.Addr().String(), over}
}

func (tr *trial) end() {
	tr.stop()
	tr.server.CloseClientConnections()
	tr.server.Close()
}

// generator is the process with the viewers.
type generator struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.Closer
	out *bufio.Scanner
}

// watch starts a generator.
func (tr *trial) watch(query string, viewers, events int) *generator {
	tr.t.Helper()
	j := must(json.Marshal(job{tr.address, query, tr.over, viewers, events}))
	cmd := exec.CommandContext(tr.t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), generatorVariable+"="+string(j))
	cmd.Stderr = os.Stderr
	g := &generator{t: tr.t, cmd: cmd, in: must(cmd.StdinPipe()), out: bufio.NewScanner(must(cmd.StdoutPipe()))}
	if err := cmd.Start(); err != nil {
		tr.t.Fatal(err)
	}
	return g
}

// opened waits until all viewers have their hello.
func (g *generator) opened() {
	g.t.Helper()
	if !g.out.Scan() || g.out.Text() != "open" {
		g.t.Fatalf("the generator says %q", g.out.Text())
	}
}

// tally waits until all viewers have got all.
func (g *generator) tally() tally {
	g.t.Helper()
	var t tally
	if !g.out.Scan() {
		g.t.Fatal("the generator has ended early")
	}
	if err := json.Unmarshal(g.out.Bytes(), &t); err != nil {
		g.t.Fatal(err)
	}
	if t.Wrong > 0 {
		g.t.Errorf("%d viewers missed events or got them twice", t.Wrong)
	}
	return t
}

func (g *generator) close() {
	_ = g.in.Close()
	_ = g.cmd.Wait()
}

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is this process's resident memory in bytes.
func resident(t *testing.T) int {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("the resident memory can't be read here")
	}
	return must(strconv.Atoi(strings.Fields(string(b))[1])) * os.Getpagesize()
}

// rows are the figures that are promised.
var rows = []struct {
	name    string
	measure func(*testing.T, func() contender) []figure
}{
	{"saturated, 1,000 viewers", func(t *testing.T, c func() contender) []figure { return saturated(t, c, 1000, 1500) }},
	{"saturated, 9,000 viewers", func(t *testing.T, c func() contender) []figure { return saturated(t, c, 9000, 150) }},
	{"paced, 1,000 viewers, 20/s", func(t *testing.T, c func() contender) []figure { return paced(t, c, 1000, 20) }},
	{"paced, 9,000 viewers, 5/s", func(t *testing.T, c func() contender) []figure { return paced(t, c, 9000, 5) }},
	{"10,000 events to one viewer", func(t *testing.T, c func() contender) []figure { return replay(t, c, 1) }},
	{"10,000 events to 1,000 viewers", func(t *testing.T, c func() contender) []figure { return replay(t, c, 1000) }},
	{"idle, 9,000 viewers", func(t *testing.T, c func() contender) []figure { return idle(t, c, "", 9000) }},
	{"idle, 2,000 viewers, TLS", func(t *testing.T, c func() contender) []figure { return idle(t, c, "TLS", 2000) }},
	{"idle, 2,000 viewers, HTTP/2", func(t *testing.T, c func() contender) []figure { return idle(t, c, "HTTP/2", 2000) }},
}

const (
	loadVariable   = "WALLCAST_LOAD"           // set to have TestLoad run
	serverVariable = "WALLCAST_LOAD_CONTENDER" // in a process that measures: "plain" or "ours"
)

// TestLoad prints the table. Each figure is measured in a process of its own,
// so that none is told by what another has left behind.
func TestLoad(t *testing.T) {
	if os.Getenv(loadVariable) == "" {
		t.Skip("takes a minute and wants a quiet machine: make bench")
	}
	fmt.Printf("%s, %d processors\n%-32s %-20s %12s %12s %8s\n", runtime.Version(), runtime.NumCPU(), "", "", "plain hub", "ours", "ratio")
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			plain, our := apart(t, "plain"), apart(t, "ours")
			for i, f := range our {
				fmt.Printf("%-32s %-20s %12.4g %12.4g %8.2f\n", row.name, f.Unit, plain[i].Value, f.Value, f.Value/plain[i].Value)
			}
		})
	}
}

// apart measures the test's row in a process of its own.
func apart(t *testing.T, contender string) (figures []figure) {
	t.Helper()
	pattern := strings.NewReplacer("TestLoad/", "^TestLoadApart$/^").Replace(t.Name()) + "$"
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", pattern)
	cmd.Env = append(os.Environ(), serverVariable+"="+contender)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	line, _, _ := bytes.Cut(out, []byte("\n"))
	if err := json.Unmarshal(line, &figures); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return figures
}

func TestLoadApart(t *testing.T) {
	newContender := map[string]func() contender{"plain": newTutorial, "ours": newOurs}[os.Getenv(serverVariable)]
	if newContender == nil {
		t.Skip("a part of TestLoad")
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			fmt.Printf("%s\n", must(json.Marshal(row.measure(t, newContender))))
		})
	}
}

// figure is something measured.
type figure struct {
	Unit  string
	Value float64
}

// lead is how far a publisher that publishes as fast as it can is ahead of what
// a viewer has received, in events.
const lead = 256

// probe is one more viewer, in this process. The channel gets a token for each
// event that it receives.
func (tr *trial) probe() <-chan struct{} {
	before := tr.viewers()
	conn := must(net.Dial("tcp", tr.address))
	tr.t.Cleanup(func() { conn.Close() })
	fmt.Fprint(conn, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
	taken := make(chan struct{}, 2*lead)
	go func() {
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), marker) {
				taken <- struct{}{}
			}
		}
	}()
	eventually(tr.t, "the probe is not there", func() bool { return tr.viewers() > before })
	return taken
}

// saturated publishes as fast as it is taken.
func saturated(t *testing.T, make func() contender, viewers, events int) []figure {
	tr := begin(t, make(), "")
	defer tr.end()
	if _, our := tr.contender.(ours); our {
		events *= 8
	}
	g := tr.watch("", viewers, events)
	defer g.close()
	g.opened()
	taken := tr.probe()
	began, used := time.Now(), cpu()
	for i := range events {
		tr.send(message(i, time.Time{}))
		if i >= lead {
			<-taken
		}
	}
	g.tally()
	n := float64(viewers * events)
	return []figure{
		{"deliveries/s", n / time.Since(began).Seconds()},
		{"CPU µs a delivery", float64((cpu() - used).Microseconds()) / n},
	}
}

// paced publishes at a rate.
func paced(t *testing.T, make func() contender, viewers, rate int) []figure {
	tr := begin(t, make(), "")
	defer tr.end()
	const seconds = 6
	g := tr.watch("", viewers, seconds*rate)
	defer g.close()
	g.opened()
	used := cpu()
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for i := range seconds * rate {
		<-tick.C
		tr.send(message(i, time.Now()))
	}
	seen := g.tally()
	return []figure{
		{"CPU µs a delivery", float64((cpu() - used).Microseconds()) / float64(viewers*seconds*rate)},
		{"p50 ms", seen.P50},
		{"p99 ms", seen.P99},
	}
}

// replay lets viewers read 10,000 events from the beginning, again and again.
func replay(t *testing.T, make func() contender, viewers int) []figure {
	tr := begin(t, make(), "")
	defer tr.end()
	const events = 10_000
	for i := range events {
		tr.send(message(i, time.Time{}))
	}
	var took []float64
	for range 5 {
		g := tr.watch("?lastEventId=e1-0", viewers, events)
		g.opened()
		took = append(took, g.tally().Took)
		g.close()
		if viewers > 1 && len(took) == 2 {
			break
		}
	}
	// The first has had the wall loaded and its events encoded.
	took = took[1:]
	slices.Sort(took)
	return []figure{{"ms", took[len(took)/2]}}
}

// idle measures what viewers hold.
func idle(t *testing.T, make func() contender, over string, viewers int) []figure {
	tr := begin(t, make(), over)
	defer tr.end()
	few := tr.watch("", 100, 0)
	defer few.close()
	few.opened()
	tr.send(message(0, time.Time{}))
	debug.FreeOSMemory()
	before := resident(t)
	g := tr.watch("", viewers, 0)
	defer g.close()
	g.opened()
	time.Sleep(time.Second)
	debug.FreeOSMemory()
	if n := tr.viewers(); n < viewers {
		t.Errorf("%d of %d viewers are still there", n, viewers)
	}
	return []figure{{"bytes a viewer", float64(resident(t)-before) / float64(viewers)}}
}
