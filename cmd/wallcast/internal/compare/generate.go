//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// job is what a generator is to do.
type job struct {
	Address string
	Host    string
	Secret  string
	Over    transport
	Viewers int

	After  string // the Last-Event-ID of each viewer; empty: it begins live
	First  int    // the number of the first event that a viewer gets
	Events int    // after how many a viewer is done; 0: after the one that says it is the last
	Stay   bool   // nothing is published, and no tally wanted
}

// transport is how viewers are connected.
type transport string

const (
	plainHTTP transport = ""
	overTLS   transport = "TLS"
	overHTTP2 transport = "HTTP/2" // a connection each
)

// tally is what a generator has seen.
type tally struct {
	P50, P99 float64 // ms from publish to receipt
	Took     float64 // ms from the first connection until all viewers had got all
	Wrong    int     // viewers that missed an event or got one twice
	Why      string  // the first of those was lost whose connection ended
}

// opening is how many viewers are on their way in at a time.
const opening = 256

// generator is the process that holds the viewers.
type generator struct {
	job
	turn    chan struct{} // holds a token for each viewer that is on its way in
	greeted sync.WaitGroup
	done    sync.WaitGroup
	wrong   atomic.Int64

	mu   sync.Mutex
	lost error // why the first viewer was lost that was
}

// generate does the job that is its argument. It prints "open" when all viewers
// have got their first event, which says hello, and a tally when they have got
// all. It ends with its standard input.
func generate(args []string, stdin io.Reader, stdout io.Writer) error {
	g := &generator{turn: make(chan struct{}, opening)}
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &g.job) != nil {
		return errors.New("the generator wants a job")
	}
	began := time.Now()
	g.greeted.Add(g.Viewers)
	g.done.Add(g.Viewers)
	delays, err := g.open()
	if err != nil {
		return err
	}
	g.greeted.Wait()
	if why := g.why(); why != "" {
		return errors.New(why)
	}
	fmt.Fprintln(stdout, "open")
	if !g.Stay {
		g.done.Wait()
		took := time.Since(began)
		if err := json.NewEncoder(stdout).Encode(g.sum(took, delays())); err != nil {
			return err
		}
	}
	_, err = io.Copy(io.Discard, stdin)
	return err
}

func (g *generator) sum(took time.Duration, delays []float64) tally {
	t := tally{Took: milliseconds(took), Wrong: int(g.wrong.Load()), Why: g.why()}
	if n := len(delays); n > 0 {
		slices.Sort(delays)
		t.P50, t.P99 = delays[n/2], delays[n*99/100]
	}
	return t
}

// open opens all viewers. The function that it returns gives their delays, in
// milliseconds, when all are done.
func (g *generator) open() (delays func() []float64, err error) {
	if g.Over != plainHTTP {
		for range g.Viewers {
			g.turn <- struct{}{}
			go g.stay()
		}
		return func() []float64 { return nil }, nil
	}
	return g.openPlain()
}

// request is a viewer's request. Every second one names the kind that it wants.
func (g *generator) request(number int) []byte {
	path := "/walls/main/events"
	if number%2 == 1 {
		path += "?kinds=message"
	}
	head := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\nAuthorization: Bearer %s\r\n", path, g.Host, g.Secret)
	if g.After != "" {
		head += "Last-Event-ID: " + g.After + "\r\n"
	}
	return []byte(head + "\r\n")
}

// hello is called once for each viewer: when it has got its first event, or was
// lost before.
func (g *generator) hello() {
	<-g.turn
	g.greeted.Done()
}

// lose enters why a viewer was lost.
func (g *generator) lose(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lost == nil {
		g.lost = err
	}
}

func (g *generator) why() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lost == nil {
		return ""
	}
	return "a viewer was lost: " + g.lost.Error()
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
