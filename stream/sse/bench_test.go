package sse_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/wallcast/wallcast/stream/sse"
)

// sink is a viewer without a network: it counts what it is sent.
type sink struct {
	header http.Header
	want   int
	done   func()
}

func (s *sink) Header() http.Header { return s.header }
func (s *sink) WriteHeader(int)     {}
func (s *sink) Flush()              {}
func (s *sink) Write(b []byte) (int, error) {
	if n := bytes.Count(b, []byte("\ndata: x")); n > 0 {
		if s.want -= n; s.want == 0 {
			s.done()
		}
	}
	return len(b), nil
}

const benchViewers = 1000

var payload = strings.Repeat("x", 200)

// BenchmarkFanOut sends events to a thousand viewers, without a network: what
// the engine itself costs for one event.
func BenchmarkFanOut(b *testing.B) {
	m := newMemory("main")
	s := sse.New(sse.Config{Reader: m})
	var all sync.WaitGroup
	for range benchViewers {
		all.Add(1)
		w := &sink{http.Header{}, b.N, all.Done}
		go s.ServeEvents(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", nil), "main")
	}
	for s.Viewers("main") < benchViewers {
		runtime.Gosched()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		m.publish("message", "", payload)
	}
	all.Wait()
	b.StopTimer()
	_ = s.Shutdown(context.Background())
}

// BenchmarkPlainHub is what every tutorial writes: a goroutine and a channel per
// client, Fprintf, Flush.
func BenchmarkPlainHub(b *testing.B) {
	var all sync.WaitGroup
	var clients []chan string
	for range benchViewers {
		events := make(chan string, 16)
		clients = append(clients, events)
		all.Add(1)
		var w io.Writer = &sink{http.Header{}, b.N, all.Done}
		go func() {
			id := 0
			for e := range events {
				id++
				fmt.Fprintf(w, "id: e1-%d\ndata: %s\n\n", id, e)
				w.(http.Flusher).Flush()
			}
		}()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		for _, c := range clients {
			c <- payload
		}
	}
	all.Wait()
	b.StopTimer()
	for _, c := range clients {
		close(c)
	}
}
