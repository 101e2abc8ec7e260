package sse_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gosse "github.com/tmaxmax/go-sse"

	"github.com/wallcast/wallcast/stream/sse"
)

// A full server asks polls to come later, those too that would take no place.
func TestFullServerRefusesPolls(t *testing.T) { inAllWays(t, checkFullServerRefusesPolls) }

func checkFullServerRefusesPolls(t *testing.T) {
	s := serve(t, sse.Config{Reader: newMemory("main"), Viewers: 1})
	s.poll("", "") // there is a place, and it does not take it
	s.watch("", "")
	for _, query := range []string{"", "?last=5", "?wait=1s"} {
		resp := s.get(query, map[string]string{"Accept": "application/json"})
		resp.Body.Close()
		after, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		if resp.StatusCode != http.StatusServiceUnavailable || err != nil || after < 1 || !resp.Close && resp.ProtoMajor == 1 {
			t.Errorf("a poll for %q gets %s, %v, closed: %v", query, resp.Status, resp.Header, resp.Close)
		}
	}
	if n := s.Refused(); n != 3 {
		t.Errorf("%d refused, want 3", n)
	}
}

func TestSetLimits(t *testing.T) { inAllWays(t, checkSetLimits) }

func checkSetLimits(t *testing.T) {
	m := newMemory("main")
	var who atomic.Pointer[string]
	ann, bob, nobody := "ann", "bob", ""
	who.Store(&ann)
	s := serve(t, sse.Config{Reader: m, Address: func(*http.Request) string { return *who.Load() }})
	var all []*reader
	comes := func(in bool) {
		t.Helper()
		r := s.watchRaw("", "")
		e := r.next()
		if e.Type == "wall:hello" {
			all = append(all, r)
		}
		if got := e.Type == "wall:hello"; got != in {
			t.Errorf("a viewer is let in: %v, want %v", got, in)
		}
	}
	comes(true)
	comes(true)
	comes(true)
	s.SetLimits(0, 2) // those who are there are counted
	comes(false)
	who.Store(&bob)
	comes(true)
	comes(true)
	comes(false)
	who.Store(&nobody)
	comes(true)
	comes(true)
	comes(true)
	s.SetLimits(8, 100)
	comes(false)
	s.SetLimits(9, 0)
	comes(true)
	comes(false)
	id := m.publish("message", "", "for all")
	for _, r := range all { // who were there have stayed
		for e := r.next(); e.LastEventID != id.String() || e.Type != ""; e = r.next() {
		}
	}
}

func TestNoRoom(t *testing.T) { inAllWays(t, checkNoRoom) }

func checkNoRoom(t *testing.T) {
	var full atomic.Bool
	s := serve(t, sse.Config{Reader: newMemory("main"), Room: func() error {
		if full.Load() {
			return errors.New("the house is full")
		}
		return nil
	}})
	s.watch("", "")
	full.Store(true)
	if last := s.watchRaw("", "").ended(); !strings.Contains(last.Data, `"full"`) {
		t.Errorf("without room a viewer gets %+v", last)
	}
	full.Store(false)
	s.watch("", "")
}

// A client that knows nothing of us, but the standard's retry and Last-Event-ID,
// comes back until there is a place, and has then missed nothing.
func TestEventSourceWaitsForAPlace(t *testing.T) { inAllWays(t, checkEventSourceWaits) }

func checkEventSourceWaits(t *testing.T) {
	m := newMemory("main")
	s := serve(t, sse.Config{Reader: m, Retry: 20 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var line atomic.Pointer[net.Conn]
	transport := anyClient.Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		line.Store(&conn)
		return conn, err
	}
	client := gosse.Client{HTTPClient: &http.Client{Transport: transport}}
	connection := client.NewConnection(must(http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)))
	var mu sync.Mutex
	var got []string
	full := 0
	greeted := make(chan struct{}, 100)
	connection.SubscribeToAll(func(e gosse.Event) {
		mu.Lock()
		defer mu.Unlock()
		switch e.Type {
		case "":
			got = append(got, e.Data)
		case "wall:hello":
			greeted <- struct{}{}
		case "wall:bye":
			if strings.Contains(e.Data, `"full"`) {
				full++
			}
		}
	})
	ended := make(chan error, 1)
	go func() { ended <- connection.Connect() }()
	<-greeted
	var want []string
	publish := func() {
		want = append(want, fmt.Sprint(len(want)))
		m.publish("message", "", want[len(want)-1])
	}
	publish()
	eventually(t, "the first event does not arrive", func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == 1 })

	// It is cut off, and another has the only place.
	other, _ := s.watch("", "")
	s.SetLimits(1, 0)
	(*line.Load()).Close()
	publish()
	eventually(t, "the client is not turned away several times", func() bool { mu.Lock(); defer mu.Unlock(); return full >= 3 })
	publish()
	other.close()
	<-greeted
	publish()
	eventually(t, "events are missing", func() bool { mu.Lock(); defer mu.Unlock(); return len(got) >= len(want) })
	mu.Lock()
	defer mu.Unlock()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the client got %v, want %v", got, want)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the client gave up: %v", err)
	}
}
