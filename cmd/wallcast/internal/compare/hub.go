//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// hub is what every tutorial writes: a goroutine and a channel per client,
// Fprintf, Flush; and a slice to replay from.
type hub struct {
	mu      sync.Mutex
	clients map[chan string]bool
	history []string
}

func (h *hub) send(data string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.history = append(h.history, data)
	for c := range h.clients {
		c <- data
	}
}

func (h *hub) publish(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	h.send(string(body))
	w.WriteHeader(http.StatusCreated)
}

func (h *hub) watch(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	flusher := w.(http.Flusher)
	events := make(chan string, 16)
	h.mu.Lock()
	h.clients[events] = true
	old := h.history
	h.mu.Unlock()
	defer h.leave(events)

	fmt.Fprint(w, "event: hello\ndata: {}\n\n")
	flusher.Flush()
	id := len(old)
	if _, last, ok := strings.Cut(r.Header.Get("Last-Event-ID"), "-"); ok {
		id, _ = strconv.Atoi(last)
		for _, e := range old[min(id, len(old)):] {
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
		}
	}
}

// leave takes a client out. A send that is under way may still wait for it.
func (h *hub) leave(events chan string) {
	go func() {
		for range events {
		}
	}()
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clients, events)
	close(events)
}

// serveHub serves the plain hub on a free port until ctx ends, under the
// addresses of a wall that is named main.
func serveHub(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet(beHub, flag.ContinueOnError)
	cert, key := flags.String("cert", "", "certificate `FILE`"), flags.String("key", "", "its key's `FILE`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	h := &hub{clients: map[chan string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /walls/main/events", h.watch)
	mux.HandleFunc("POST /walls/main/events", h.publish)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if *cert == "" {
		fmt.Fprintf(stdout, "The wall is at http://%s/walls/main\n", l.Addr())
		err = server.Serve(l)
	} else {
		fmt.Fprintf(stdout, "The wall is at https://%s/walls/main\n", l.Addr())
		err = server.ServeTLS(l, *cert, *key)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}
