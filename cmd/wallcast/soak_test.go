package main_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
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
)

var soakTime = flag.Duration("soak", 20*time.Second, "how long the soak takes")

// TestSoak lets viewers of all sorts come and go while events flow, and looks at
// what the program holds: after a while it must not be more and more.
//
//	go test ./cmd/wallcast -run TestSoak -soak 10m -timeout 20m
func TestSoak(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		name := "plain"
		if secure {
			name = "tls"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel() // two programs share the machine
			soak(t, secure)
		})
	}
}

// soaking is a program with viewers that come and go.
type soaking struct {
	t      *testing.T
	p      *process
	base   string
	client *http.Client // for HTTP/2 where there is TLS; else HTTP/1.1
	secure bool
	visits atomic.Int64
}

// kinds of visits; the number of workers for each.
var soakVisits = []struct {
	name    string
	workers int
	visit   func(*soaking, context.Context, *rand.Rand)
}{
	{"quick", 20, (*soaking).quick},
	{"slow", 6, (*soaking).slow},
	{"stuck", 6, (*soaking).stuck},
	{"half a request", 2, (*soaking).halfRequest},
	{"poll", 6, (*soaking).poll},
	{"through the client", 12, (*soaking).throughClient},
	{"page", 2, (*soaking).page},
}

func soak(t *testing.T, secure bool) {
	folder := t.TempDir()
	configuration := "walls: {main: {keep: {events: 500}, history: 10}}\n"
	s := &soaking{t: t, secure: secure}
	transport := &http.Transport{TLSClientConfig: insecure(), ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 20}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: transport}
	if secure {
		writeCertificate(t, folder, 1)
		configuration += "tls: {cert: cert.pem, key: key.pem}\n"
	}
	s.start(folder, configuration)

	cycles := max(4, int(*soakTime/(30*time.Second)))
	each := *soakTime / time.Duration(cycles)
	var all []soakSample
	for i := range cycles {
		sample := s.cycle(each, uint64(i))
		transport.CloseIdleConnections()
		s.rest(&sample)
		t.Logf("after %s: %s, %d visits", (time.Duration(i+1) * each).Round(time.Second), sample, s.visits.Load())
		all = append(all, sample)
	}
	s.check(all[max(1, cycles/4):])
}

// insecure trusts the certificates that the tests make themselves.
func insecure() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// start starts the program and waits until it answers.
func (s *soaking) start(folder, configuration string) {
	if !s.secure {
		s.p = serveConfig(s.t, folder, freeAddress(s.t), configuration)
		s.base = s.p.url
		return
	}
	if err := os.WriteFile(filepath.Join(folder, "wallcast.yaml"), []byte(configuration), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.p = launchProgram(s.t, folder, freeAddress(s.t), "serve")
	s.base = "https://" + s.p.address
	awaitSerial(s.t, s.p.address, 1)
}

// soakSample is what the program holds: at rest, but for the heap, which is that
// of a busy program after a collection.
type soakSample struct{ goroutines, files, heap int }

func (s soakSample) String() string {
	return fmt.Sprintf("%d goroutines, %d files, %d KiB of heap", s.goroutines, s.files, s.heap>>10)
}

// cycle lets viewers come and go for a while, and waits until all have left.
func (s *soaking) cycle(length time.Duration, number uint64) soakSample {
	ctx, cancel := context.WithTimeout(s.t.Context(), length)
	defer cancel()
	var working sync.WaitGroup
	worker := number << 32
	for _, v := range soakVisits {
		for range v.workers {
			worker++
			rng := rand.New(rand.NewPCG(worker, 7))
			working.Go(func() {
				for ctx.Err() == nil {
					v.visit(s, ctx, rng)
					s.visits.Add(1)
				}
			})
		}
	}
	working.Go(func() { s.publish(ctx, rand.New(rand.NewPCG(number, 8))) })
	var heaps []int
	for ctx.Err() == nil {
		heaps = append(heaps, s.metrics()["go_memstats_next_gc_bytes"]/2)
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
	working.Wait()
	slices.Sort(heaps)
	return soakSample{heap: heaps[len(heaps)/2]}
}

// rest waits until the program holds as little as it does, which may take the
// while in which idle connections and stuck viewers are dropped.
func (s *soaking) rest(sample *soakSample) {
	settled := 0
	for began := time.Now(); settled < 10 && time.Since(began) < 30*time.Second; time.Sleep(50 * time.Millisecond) {
		m := s.metrics()
		now := soakSample{m["go_goroutines"], s.p.openFiles(), sample.heap}
		if sample.goroutines == 0 || now.goroutines < sample.goroutines || now.files < sample.files {
			settled = 0
			sample.goroutines, sample.files = now.goroutines, now.files
		}
		if m[`wallcast_viewers{wall="main"}`] == 0 {
			settled++
		}
	}
	if settled == 0 {
		s.t.Error("viewers who have left are still counted")
	}
}

// metrics are the program's figures about itself.
func (s *soaking) metrics() map[string]int {
	resp, err := s.client.Get(s.base + "/metrics")
	if err != nil {
		s.t.Error(err)
		return nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Error(err)
	}
	return parseMetrics(string(text))
}

// openFiles counts what the program has open; 0 where the system does not show it.
func (p *process) openFiles() int {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	return len(entries)
}

// check compares the first third of the samples with the last.
func (s *soaking) check(all []soakSample) {
	third := max(1, len(all)/3)
	early, late := highest(all[:third]), highest(all[len(all)-third:])
	if late.goroutines > early.goroutines+8 {
		s.t.Errorf("goroutines grew from %d to %d", early.goroutines, late.goroutines)
	}
	if late.files > early.files+8 {
		s.t.Errorf("open files grew from %d to %d", early.files, late.files)
	}
	room := 4 << 20
	if *soakTime < 5*time.Minute {
		room += 16 << 20 // the wall's window in memory is still being filled
	}
	if late.heap > early.heap*5/4+room {
		s.t.Errorf("the heap grew from %d to %d KiB", early.heap>>10, late.heap>>10)
	}
}

func highest(samples []soakSample) (h soakSample) {
	for _, s := range samples {
		h.goroutines, h.files, h.heap = max(h.goroutines, s.goroutines), max(h.files, s.files), max(h.heap, s.heap)
	}
	return h
}

// publish publishes small events and large ones, and takes some off again.
func (s *soaking) publish(ctx context.Context, rng *rand.Rand) {
	for n := 0; ctx.Err() == nil; n++ {
		size := 1 + rng.IntN(3000)
		if n%20 == 0 {
			size = 50_000 // so that who doesn't read is stuck soon
		}
		kind := []string{"message", "friend", "song/jazz"}[n%3]
		answer := s.send(ctx, http.MethodPost, kind, strings.Repeat("x", size))
		if _, id, ok := strings.Cut(answer, `"id":"`); ok && n%10 == 0 {
			id, _, _ = strings.Cut(id, `"`)
			s.send(ctx, http.MethodDelete, id, "")
		}
		wait(ctx, time.Duration(10+rng.IntN(60))*time.Millisecond)
	}
}

func (s *soaking) send(ctx context.Context, method, where, body string) string {
	req, err := http.NewRequestWithContext(ctx, method, s.base+"/walls/main/events/"+where, strings.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return ""
	}
	req.Header.Set("Content-Type", "text/plain")
	resp, err := s.client.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body) // one that breaks off has no id
	if resp.StatusCode >= 400 && resp.StatusCode != http.StatusNotFound {
		s.t.Errorf("%s %s is answered %s %s", method, where, resp.Status, answer)
	}
	return string(answer)
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// soakQuery draws what a viewer asks for.
func soakQuery(rng *rand.Rand) string {
	return []string{"", "?last=50", "?kinds=song", "?as=json&last=5", "?as=html&last=20", "?kinds=friend,message&last=300", "?lastEventId=x-1"}[rng.IntN(7)]
}

// connect opens a connection on which HTTP/1.1 is spoken.
func (s *soaking) connect(ctx context.Context) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.p.address)
	if err != nil || !s.secure {
		return conn, err
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(16 << 10)
	secured := tls.Client(conn, insecure())
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

// open opens an event stream by hand.
func (s *soaking) open(ctx context.Context, rng *rand.Rand) (net.Conn, io.Reader) {
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, nil
	}
	fmt.Fprintf(conn, "GET /walls/main/events%s HTTP/1.1\r\nHost: %s\r\n\r\n", soakQuery(rng), s.p.address)
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Errorf("opening a stream: %v", err)
		conn.Close()
		return nil, nil
	}
	if resp.StatusCode != http.StatusOK {
		s.t.Errorf("opening a stream is answered %s", resp.Status)
	}
	_ = conn.SetReadDeadline(time.Time{})
	return conn, resp.Body
}

// leave ends a connection in one of the ways in which they end.
func leave(conn net.Conn, rng *rand.Rand) {
	raw := conn
	if secured, ok := conn.(*tls.Conn); ok {
		raw = secured.NetConn()
	}
	switch rng.IntN(3) {
	case 0:
		_ = raw.(*net.TCPConn).SetLinger(0) // with a reset
		raw.Close()
	case 1:
		_ = raw.(*net.TCPConn).CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = io.Copy(io.Discard, raw)
		raw.Close()
	default:
		conn.Close()
	}
}

func (s *soaking) quick(ctx context.Context, rng *rand.Rand) {
	conn, body := s.open(ctx, rng)
	if conn == nil {
		return
	}
	_ = conn.SetReadDeadline(time.Now().Add(time.Duration(rng.IntN(1500)) * time.Millisecond))
	_, _ = io.Copy(io.Discard, body)
	leave(conn, rng)
}

func (s *soaking) slow(ctx context.Context, rng *rand.Rand) {
	conn, body := s.open(ctx, rng)
	if conn == nil {
		return
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })()
	for range rng.IntN(100) {
		if _, err := io.CopyN(io.Discard, body, 500); err != nil || ctx.Err() != nil {
			break
		}
		wait(ctx, 20*time.Millisecond)
	}
	leave(conn, rng)
}

// stuck is a viewer that is there no more, though nobody has said so.
func (s *soaking) stuck(ctx context.Context, rng *rand.Rand) {
	conn, _ := s.open(ctx, rng)
	if conn == nil {
		return
	}
	wait(ctx, time.Duration(rng.IntN(25_000))*time.Millisecond)
	leave(conn, rng)
}

func (s *soaking) halfRequest(ctx context.Context, rng *rand.Rand) {
	conn, err := s.connect(ctx)
	if err != nil {
		return
	}
	_, _ = io.WriteString(conn, "GET /walls/main/events HTTP/1.1\r\nHo"[:rng.IntN(30)])
	wait(ctx, time.Duration(rng.IntN(12_000))*time.Millisecond)
	leave(conn, rng)
}

// request asks for the wall's events until its time is over, and gives the body
// to read.
func (s *soaking) request(ctx context.Context, rng *rand.Rand, accept, query string, read func(io.Reader)) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(rng.IntN(2000))*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/walls/main/events"+query, nil)
	if err != nil {
		s.t.Error(err)
		return
	}
	req.Header.Set("Accept", accept)
	resp, err := s.client.Do(req)
	if err != nil {
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			s.t.Errorf("asking for events: %v", err)
		}
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Errorf("asking for events is answered %s", resp.Status)
	}
	read(resp.Body)
}

func (s *soaking) poll(ctx context.Context, rng *rand.Rand) {
	s.request(ctx, rng, "application/json", "?wait=1s&last="+fmt.Sprint(rng.IntN(2)), func(body io.Reader) {
		_, _ = io.Copy(io.Discard, body)
	})
}

// throughClient reads a stream over HTTP/2, where there is TLS: well, slowly or
// not at all.
func (s *soaking) throughClient(ctx context.Context, rng *rand.Rand) {
	s.request(ctx, rng, "text/event-stream", soakQuery(rng), func(body io.Reader) {
		switch rng.IntN(3) {
		case 0:
			_, _ = io.Copy(io.Discard, body)
		case 1:
			for range rng.IntN(20) {
				_, _ = io.CopyN(io.Discard, body, 500)
				wait(ctx, 20*time.Millisecond)
			}
		default:
			wait(ctx, time.Duration(rng.IntN(2000))*time.Millisecond)
		}
	})
}

func (s *soaking) page(ctx context.Context, rng *rand.Rand) {
	if resp, err := s.client.Get(s.base + "/walls/main"); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	wait(ctx, time.Duration(rng.IntN(500))*time.Millisecond)
}
