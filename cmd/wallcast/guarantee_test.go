package main_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wallcast/wallcast/stream"
)

var (
	rounds = flag.Int("rounds", 1, "how many rounds the test of the guarantee takes")
	seed   = flag.Uint64("seed", 0, "of the first round of the test of the guarantee; each later one has the next (default: the time)")
)

// TestGuarantee holds the program to its promise, from outside and whatever
// happens: what was acknowledged reaches every viewer once and in order, or a
// gap says what is missing. Writers publish over HTTP, over NATS and through a
// followed file; viewers come and go; connections are cut anywhere; the program
// is killed and started again on the same data.
//
//	go test ./cmd/wallcast -run TestGuarantee -rounds 100 -timeout 1h
func TestGuarantee(t *testing.T) {
	first := *seed
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	for round := range *rounds {
		seed := first + uint64(round)
		t.Run("all is kept/"+strconv.FormatUint(seed, 10), func(t *testing.T) { testGuarantee(t, seed, 0) })
		t.Run("little is kept/"+strconv.FormatUint(seed, 10), func(t *testing.T) { testGuarantee(t, seed, 60) })
		if t.Failed() {
			return
		}
	}
}

// trial is one round: a wall, those who write to it and those who watch it.
type trial struct {
	t      *testing.T
	seed   uint64
	keep   uint64 // events that the wall holds; 0 for all
	ledger *ledger
	web    []*cutter // before each program that serves the wall
	nats   *cutter   // before its NATS listener; nil for none

	authorization []string // a header that lets its sender publish; nil where none is needed

	begun  sync.WaitGroup // viewers that have no position yet
	calmed chan struct{}  // closed when connections are left alone

	viewers  []*watcher
	watching sync.WaitGroup
	writing  sync.WaitGroup
	stop     chan struct{} // closed when writers are to end
	writers  int
	appender *appender
}

func newTrial(t *testing.T, seed, keep uint64) *trial {
	t.Logf("go test ./cmd/wallcast -run %s -seed %d", t.Name(), seed)
	return &trial{t: t, seed: seed, keep: keep, ledger: newLedger(t), calmed: make(chan struct{}), stop: make(chan struct{})}
}

// rng is a source of chance for one part of the trial.
func (tr *trial) rng(part uint64) *rand.Rand { return rand.New(rand.NewPCG(tr.seed, part)) }

func (tr *trial) calm() bool {
	select {
	case <-tr.calmed:
		return true
	default:
		return false
	}
}

const trialTime = 2 * time.Minute

func testGuarantee(t *testing.T, seed, keep uint64) {
	tr := newTrial(t, seed, keep)
	ctx, cancel := context.WithTimeout(t.Context(), trialTime)
	defer cancel()
	folder := t.TempDir()
	web, listener := quietAddress(t, tr.rng(1)), quietAddress(t, tr.rng(2))
	tr.web = []*cutter{cutOff(t, web, tr.rng(3))}
	tr.nats = cutOff(t, listener, tr.rng(4))
	secret, entry := token(t, "script", "publish wall.main.>")
	plainSecret, plainEntry := token(t, "plain", "publish wall.main.>")
	tr.authorization = []string{"Authorization", "Bearer " + secret}
	held := uint64(100_000)
	if keep > 0 {
		held = keep
	}
	program := serveConfig(t, folder, web, fmt.Sprintf(`
nats: {listen: %q}
tokens:
  %s
  %s
walls:
  main:
    keep: {events: %d}
    history: 100000
sources:
  lines:
    file: {path: lines.txt, mode: follow, from: start}
    to: wall.main.%s
`, listener, entry, plainEntry, held, lineKind))

	tr.addViewers(ctx)
	tr.begun.Wait()
	for i := range 3 {
		tr.addWriter(ctx, fmt.Sprint("script ", i), tr.overHTTP(tr.rng(uint64(20+i)), secret))
	}
	for i := range 2 {
		tr.addWriter(ctx, fmt.Sprint("client ", i), tr.overNATS(tr.nats.address(), nats.UserInfo("plain", plainSecret), nats.CustomInboxPrefix("_INBOX.plain")))
	}
	tr.appendTo(filepath.Join(folder, "lines.txt"))

	program = tr.killAndRestart(program, folder, web)
	tr.finish(ctx, program)
}

// killAndRestart lets the program live some lives, each until some more events
// were acknowledged, and returns the last one.
func (tr *trial) killAndRestart(p *process, folder, address string) *process {
	rng := tr.rng(5)
	lives := 4 + rng.IntN(3)
	gentle := rng.IntN(3 * lives) // which life ends as an operator ends it
	if tr.seed == *seed || *rounds == 1 {
		gentle %= lives
	}
	for life := range lives {
		tr.ledger.await(rng.IntN(120), tr.t.Context().Done())
		if life == gentle {
			p.stop()
		} else {
			p.kill()
		}
		for rng.IntN(4) == 0 { // and some lives are very short
			p = launchProgram(tr.t, folder, address, "serve")
			time.Sleep(time.Duration(rng.IntN(120)) * time.Millisecond)
			p.kill()
		}
		p = startProgram(tr.t, folder, address, "serve")
	}
	tr.ledger.await(50, tr.t.Context().Done())
	return p
}

func (tr *trial) addViewers(ctx context.Context) {
	for i, v := range []*watcher{
		{name: "by header"},
		{name: "by query", byQuery: true},
		{name: "friends", kinds: []string{"friend"}},
		{name: "songs and lines", kinds: []string{cardKind, lineKind}, byQuery: true, asJSON: true},
		{name: "as JSON", asJSON: true},
		{name: "polls", polls: true, asJSON: true},
		{name: "polls songs", polls: true, asJSON: true, byQuery: true, kinds: []string{cardKind}},
		{name: "is seldom there", lazy: true},
		{name: "polls seldom", polls: true, asJSON: true, lazy: true},
	} {
		v.trial, v.rng = tr, tr.rng(uint64(100+i))
		tr.viewers = append(tr.viewers, v)
		tr.begun.Add(1)
		tr.watching.Go(func() { v.watch(ctx) })
	}
}

func (tr *trial) addWriter(ctx context.Context, name string, send func(context.Context, written, string) (uint64, error)) {
	tr.writers++
	w := &wallWriter{trial: tr, name: name, rng: tr.rng(uint64(50 + tr.writers)), send: send}
	tr.writing.Go(func() { w.write(ctx, tr.stop) })
}

// appendTo begins the file that the program follows.
func (tr *trial) appendTo(path string) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.t.Cleanup(func() { f.Close() })
	tr.appender = &appender{trial: tr, rng: tr.rng(6), file: f}
	tr.writing.Go(func() { tr.appender.write(tr.stop) })
}

// finish ends the writing, lets everybody come to the end, and checks.
func (tr *trial) finish(ctx context.Context, p *process) {
	close(tr.stop)
	close(tr.calmed)
	for _, c := range tr.web {
		c.calm.Store(true)
	}
	if tr.nats != nil {
		tr.nats.calm.Store(true)
	}
	tr.writing.Wait()
	tr.appender.append()
	tr.awaitLine(ctx, p, tr.appender.lines)
	for _, kind := range endingKinds {
		e := written{kind: kind, text: endOf(kind)}
		tr.ledger.try(e)
		tr.ledger.acknowledge(tr.ledger.seq(p.publish(kind, e.text, tr.authorization...)), e)
	}
	tr.watching.Wait()

	h := gather(tr.ledger, tr.keep, tr.appender.lines, tr.viewers)
	h.check()
	gaps, cuts := 0, int64(0)
	for _, v := range tr.viewers {
		h.checkViewer(v)
		gaps += v.gaps
		tr.t.Log(v)
	}
	for _, c := range append(tr.web, tr.nats) {
		if c != nil {
			cuts += c.cuts.Load()
		}
	}
	tr.t.Logf("%d events, %d lines, %d cuts, %d gaps", h.last, h.lines, cuts, gaps)
	if tr.keep > 0 && gaps == 0 {
		tr.t.Error("there was no gap: the trial shows nothing about them")
	}
}

// endingKinds are the kinds of the last events, in order.
var endingKinds = []string{lineKind, "friend", cardKind, stream.Message}

func endOf(kind string) string { return "the end of kind " + kind }

// awaitLine waits until a line of the file is stored.
func (tr *trial) awaitLine(ctx context.Context, p *process, n int) {
	next, want := tr.ledger.epoch+"-0", lineText(n)
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/walls/main/events?wait=5s&kinds="+lineKind+"&lastEventId="+next, nil)
		if err != nil {
			tr.t.Fatal(err)
		}
		req.Header.Set("Accept", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			tr.t.Fatalf("waiting for %q: %v", want, err)
		}
		var answer pollAnswer
		err = json.NewDecoder(resp.Body).Decode(&answer)
		resp.Body.Close()
		if err != nil {
			tr.t.Fatalf("waiting for %q: %v", want, err)
		}
		for _, o := range answer.Events {
			if e, err := o.written(); err == nil && e.text == want {
				return
			}
		}
		next = answer.Next
	}
}

// quietAddress is a free loopback address whose port the system gives to no
// outgoing connection, so that it is still free when the program starts again.
func quietAddress(t *testing.T, rng *rand.Rand) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 10_000+rng.IntN(20_000)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}
