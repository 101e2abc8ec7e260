package main_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gosse "github.com/tmaxmax/go-sse"

	"github.com/wallcast/wallcast/stream"
)

var (
	herdSize   = flag.Int("herd", 1100, "how many viewers the test of the herd has")
	herdSecure = flag.Bool("herd-tls", false, "the viewers of the herd come over TLS")
)

// TestHerd restarts the program while many watch and some publish: each viewer is
// told when to come back, does so, and has then missed nothing.
//
//	go test ./cmd/wallcast -run TestHerd -herd 10000
func TestHerd(t *testing.T) {
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	folder, address := t.TempDir(), quietAddress(t, rng)
	h := &herd{t: t, address: address, base: "http://" + address, client: http.DefaultClient, ledger: newLedger(t), texts: map[uint64]string{}}
	if *herdSecure {
		h.base, h.client = "https://"+address, &http.Client{Transport: &http.Transport{TLSClientConfig: insecure()}}
	}
	p := h.start(folder)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	h.come(ctx, *herdSize)
	probe := h.probe(ctx)

	stop := make(chan struct{})
	h.publishing.Go(func() { h.publish(ctx, stop) })
	h.ledger.await(10, ctx.Done())
	h.stopped.Store(time.Now().UnixNano())
	p.stop()
	t.Logf("the program stopped within %s", time.Since(h.since(0)))
	h.ledger.mu.Lock()
	missed := h.ledger.count
	h.ledger.mu.Unlock()
	h.started.Store(true)
	p = h.start(folder)
	h.ledger.await(10, ctx.Done())
	for _, m := range h.members {
		select {
		case <-m.back:
		case <-ctx.Done():
			t.Fatalf("viewer %d is not back after %d visits", m.number, m.visits.Load())
		}
	}
	t.Logf("all are back after %s; %d events were published before", time.Since(h.since(0)), missed)
	close(stop)
	h.publishing.Wait()
	if !h.tryPublishing(ctx, -1, written{kind: stream.Message, text: theEnd}) {
		t.Fatal("the last event is not acknowledged")
	}
	h.watching.Wait()
	cancel()
	probe.Wait()
	h.check()
	if p.openFiles() > *herdSize+100 {
		t.Errorf("the program has %d files open", p.openFiles())
	}
}

const theEnd = "the end"

// herd is many viewers of one wall.
type herd struct {
	t       *testing.T
	address string
	base    string
	client  *http.Client // of publishers, and of who asks whether the program is ready
	ledger  *ledger
	members []*onlooker

	watching, publishing sync.WaitGroup
	stopped              atomic.Int64 // when the program was told to stop, in Unix nanoseconds; 0 before
	started              atomic.Bool  // it is being started again

	mu    sync.Mutex
	texts map[uint64]string // of what anybody got
}

// start starts the program and waits until it is ready.
func (h *herd) start(folder string) *process {
	configuration := "walls: {main: {keep: {events: 100000}}}\n"
	if !*herdSecure {
		return serveConfig(h.t, folder, h.address, configuration)
	}
	writeCertificate(h.t, folder, 1)
	configuration += "tls: {cert: cert.pem, key: key.pem}\n"
	if err := os.WriteFile(filepath.Join(folder, "wallcast.yaml"), []byte(configuration), 0o600); err != nil {
		h.t.Fatal(err)
	}
	p := launchProgram(h.t, folder, h.address, "serve")
	awaitSerial(h.t, h.address, 1)
	return p
}

// since is the time so long after the program was told to stop.
func (h *herd) since(d time.Duration) time.Time { return time.Unix(0, h.stopped.Load()).Add(d) }

// onlooker is one viewer, which does what a browser's EventSource does.
type onlooker struct {
	*herd
	number int
	dialer *net.Dialer
	last   string
	seq    uint64        // of the last event
	first  uint64        // the position at which it began
	retry  time.Duration // as it was told last
	visits atomic.Int64
	here   chan struct{} // closed at the first wall:hello
	back   chan struct{} // closed at the first one after the restart
	ended  bool
	wrong  string // what went wrong first

	told   []time.Duration // when a wall:bye came to an open stream, since the program was told to stop
	due    time.Duration   // the moment for which it was told to come back, the same
	closed bool            // back is
}

// come opens the viewers, and returns when all are there.
func (h *herd) come(ctx context.Context, n int) {
	entering := make(chan struct{}, 64)
	for i := range n {
		m := &onlooker{herd: h, number: i, here: make(chan struct{}), back: make(chan struct{}), retry: time.Second}
		// A loopback address has some 28,000 ports. As many viewers from another address
		// would be more than there may be by default.
		m.dialer = &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i/5000))}}
		h.members = append(h.members, m)
		entering <- struct{}{}
		h.watching.Go(func() { m.watch(ctx) })
		go func() {
			select {
			case <-m.here:
			case <-ctx.Done():
			}
			<-entering
		}()
	}
	for _, m := range h.members {
		select {
		case <-m.here:
		case <-ctx.Done():
			h.t.Fatalf("viewer %d is not there in time", m.number)
		}
	}
}

func (m *onlooker) watch(ctx context.Context) {
	for !m.ended && ctx.Err() == nil {
		m.visits.Add(1)
		m.visit(ctx)
		if m.ended {
			return
		}
		select {
		case <-time.After(m.retry):
		case <-ctx.Done():
		}
	}
	if !m.ended {
		m.fail("the time is over at %s", m.last)
	}
}

func (m *onlooker) fail(format string, args ...any) {
	if m.wrong == "" {
		m.wrong = fmt.Sprintf(format, args...)
	}
}

// visit reads one stream to its end. A connection that is refused is none.
func (m *onlooker) visit(ctx context.Context) {
	conn, err := m.dialer.DialContext(ctx, "tcp", m.address)
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if *herdSecure {
		conn = tls.Client(conn, insecure())
	}
	header := ""
	if m.last != "" {
		header = "Last-Event-ID: " + m.last + "\r\n"
	}
	fmt.Fprintf(conn, "GET /walls/main/events HTTP/1.1\r\nHost: %s\r\n%s\r\n", m.address, header)
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 2<<10), nil)
	if err != nil {
		return
	}
	if resp.StatusCode != http.StatusOK {
		m.fail("a stream was answered %s, which ends a browser's for good", resp.Status)
		m.ended = true
		return
	}
	open := false
	for e, err := range gosse.Read(resp.Body, nil) {
		if err != nil {
			return
		}
		m.see(e, &open)
		if m.ended {
			return
		}
	}
}

// see takes one block of a stream, which is open once it was greeted.
func (m *onlooker) see(e gosse.Event, open *bool) {
	switch e.Type {
	case "wall:hello":
		m.greet(e)
		*open = true
	case "wall:bye":
		m.leave(e, *open)
	case "":
		m.take(e)
	case "wall:ping", "wall:kind":
	default:
		m.fail("got %+v", e)
	}
	if e.LastEventID != "" {
		m.last = e.LastEventID
	}
}

func (m *onlooker) greet(e gosse.Event) {
	if m.last == "" {
		m.first = m.ledger.seq(e.LastEventID)
		m.seq = m.first
		close(m.here)
	} else if e.LastEventID != m.last {
		m.fail("came with %s, and the hello says %s", m.last, e.LastEventID)
	}
	if m.started.Load() && !m.closed {
		m.closed = true
		close(m.back)
	}
}

// leave notes when the viewer was told to come back.
func (m *onlooker) leave(e gosse.Event, open bool) {
	var bye struct {
		Reason string
		Retry  int64
	}
	err := json.Unmarshal([]byte(e.Data), &bye)
	if bye.Reason == "unavailable" && !open { // a machine that is too busy
		return
	}
	if err != nil || bye.Reason != "shutdown" || m.stopped.Load() == 0 {
		m.fail("got the bye %s, %v", e.Data, err)
		return
	}
	m.retry = time.Duration(bye.Retry) * time.Millisecond
	// A second and a half of two, or of one for each 3,000 viewers.
	longest := max(3*time.Second, time.Duration(len(m.members)+100)*time.Second/2000)
	if m.retry < time.Second || m.retry > longest {
		m.fail("is told to come back after %s", m.retry)
	}
	if open {
		at := time.Since(m.since(0))
		m.told, m.due = append(m.told, at), at+m.retry
	}
}

// take checks an event: it is the next one, and the same for all.
func (m *onlooker) take(e gosse.Event) {
	seq := m.ledger.seq(e.LastEventID)
	if seq != m.seq+1 {
		m.fail("got %d after %d", seq, m.seq)
	}
	m.seq = seq
	m.mu.Lock()
	defer m.mu.Unlock()
	if other, known := m.texts[seq]; known && other != e.Data {
		m.fail("got %q as %d, and others got %q", e.Data, seq, other)
	}
	m.texts[seq] = e.Data
	m.ended = e.Data == theEnd
}

// publish publishes until stop is closed. Each event is tried until it is
// acknowledged.
func (h *herd) publish(ctx context.Context, stop <-chan struct{}) {
	pace := time.NewTicker(max(50*time.Millisecond, time.Duration(len(h.members))*25*time.Microsecond))
	defer pace.Stop()
	for n := 0; ; n++ {
		e := written{kind: stream.Message, text: fmt.Sprintf("event %d %0200d", n, 0)}
		for !h.tryPublishing(ctx, n, e) {
			time.Sleep(50 * time.Millisecond)
			if ctx.Err() != nil {
				h.t.Error("the time is over, and an event is not acknowledged")
				return
			}
		}
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case <-pace.C:
		}
	}
}

func (h *herd) tryPublishing(ctx context.Context, n int, e written) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.base+"/walls/main/events", strings.NewReader(e.text))
	if err != nil {
		h.t.Error(err)
		return true
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	req.Header.Set("Idempotency-Key", fmt.Sprint(n))
	resp, err := h.client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	var receipt struct{ ID string }
	if err := json.NewDecoder(resp.Body).Decode(&receipt); err != nil || resp.StatusCode != http.StatusCreated {
		return false
	}
	h.ledger.acknowledge(h.ledger.seq(receipt.ID), e)
	return true
}

// probe asks again and again whether the program is ready, and where it says so
// whether it serves. It must not say so between its end and its new start.
func (h *herd) probe(ctx context.Context) *sync.WaitGroup {
	var probing sync.WaitGroup
	probing.Go(func() {
		refused, again := 0, 0
		for ctx.Err() == nil {
			stopped, started := h.stopped.Load() > 0, h.started.Load()
			ready, answered := h.isReady(ctx)
			switch {
			case ctx.Err() != nil:
			case ready && refused > 0 && !started && !h.started.Load():
				h.t.Error("the program is ready again while it stops")
			case ready && (!stopped && h.stopped.Load() == 0 || started):
				again++
				h.tryStream(ctx)
			case answered && !ready:
				refused++
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		if refused == 0 || again == 0 {
			h.t.Errorf("while it stops the program was not ready %d times; it was ready %d times", refused, again)
		}
	})
	return &probing
}

func (h *herd) isReady(ctx context.Context) (ready, answered bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.base+"/readyz", nil)
	if err != nil {
		h.t.Error(err)
		return false, false
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return false, false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusOK, true
}

// tryStream opens a stream of a program that has said that it is ready.
func (h *herd) tryStream(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	stopped := h.stopped.Load()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.base+"/walls/main/events", nil)
	if err != nil {
		h.t.Error(err)
		return
	}
	resp, err := h.client.Do(req)
	what := fmt.Sprint(err)
	if err == nil {
		defer resp.Body.Close()
		for e := range gosse.Read(resp.Body, nil) {
			if e.Type == "wall:hello" {
				return
			}
			what = fmt.Sprintf("%s: %+v", resp.Status, e)
			break
		}
	}
	if ctx.Err() == nil && h.stopped.Load() == stopped {
		h.t.Error("the program is ready, and a viewer gets ", what)
	}
}

// check looks at what all viewers have seen.
func (h *herd) check() {
	wrong := 0
	for _, m := range h.members {
		if len(m.told) != 1 && m.wrong == "" {
			m.fail("got %d times a bye on an open stream", len(m.told))
		}
		if m.wrong != "" {
			if wrong++; wrong <= 10 {
				h.t.Errorf("viewer %d %s", m.number, m.wrong)
			}
		}
	}
	if wrong > 0 {
		h.t.Fatalf("%d of %d viewers have seen what is wrong", wrong, len(h.members))
	}
	for seq, e := range h.ledger.acked {
		if h.texts[seq] != e.text && seq > h.members[0].first {
			h.t.Errorf("%d was acknowledged as %.20q, and viewers got %.20q", seq, e.text, h.texts[seq])
		}
	}
	// The streams end over three seconds, and each viewer waits from one to three.
	var told, due []time.Duration
	for _, m := range h.members {
		told, due = append(told, m.told[0]), append(due, m.due)
	}
	h.isSpread("the ends of streams", told, 2*time.Second)
	h.isSpread("the times to come back", due, 3*time.Second)
}

// isSpread checks that moments lie within a time that is at least so long, and no
// large part of them in a small part of it.
func (h *herd) isSpread(what string, at []time.Duration, atLeast time.Duration) {
	slices.Sort(at)
	span := at[len(at)*99/100] - at[len(at)/100]
	const bit = 250 * time.Millisecond
	most := 0
	for i, j := 0, 0; i < len(at); i++ {
		for at[i]-at[j] > bit {
			j++
		}
		most = max(most, i-j+1)
	}
	share := 100 * most / len(at)
	h.t.Logf("%s lie within %s; at most %d %% of them within %s", what, span.Round(time.Millisecond), share, bit)
	if span < atLeast || share > 40 {
		h.t.Errorf("%s lie within %s, and %d %% of them within %s", what, span, share, bit)
	}
}
