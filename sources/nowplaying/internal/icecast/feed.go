package icecast

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

const (
	feedPath = "/admin/eventfeed"

	maxEventLine = 64 << 10 // bytes
	maxFeedWait  = time.Minute
)

// feed follows the events of an Icecast 2.5. They say that something changed and
// not what it is now, so each is the reason for a look.
type feed struct {
	session   *session
	wake      chan struct{}
	connected atomic.Bool
	begun     bool
	last      string // the id of the newest event
}

func newFeed(s *session) *feed {
	// The goroutine has a session of its own: the other one changes.
	return &feed{session: &session{server: s.server}, wake: make(chan struct{}, 1)}
}

// begin reports whether the feed is still to be followed, once.
func (f *feed) begin() bool {
	first := !f.begun
	f.begun = true
	return first
}

// follow keeps a connection to the feed until ctx ends or the server has none.
func (f *feed) follow(ctx context.Context) {
	for wait := retryAfter; ; wait = min(2*wait, maxFeedWait) {
		heard, ok := f.connect(ctx)
		f.connected.Store(false)
		if !ok {
			return
		}
		if heard {
			wait = retryAfter
		}
		f.notify() // what is known may be old by now
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// connect reads the feed until it ends. It returns false for ok if the server
// will not have it any other time.
func (f *feed) connect(ctx context.Context) (heard, ok bool) {
	s := f.session
	address := s.base.JoinPath(feedPath)
	if s.mount != "" {
		address.RawQuery = url.Values{"mount": {s.mount}}.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return false, false
	}
	request.SetBasicAuth(s.User, s.Password)
	request.Header.Set("Accept", "text/event-stream")
	if f.last != "" {
		request.Header.Set("Last-Event-ID", f.last)
	}
	answer, err := s.Network.Streams.Do(request)
	if err != nil {
		return false, true
	}
	defer answer.Body.Close()
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch {
	case answer.StatusCode >= 500:
		return false, true
	case answer.StatusCode != http.StatusOK, kind != "text/event-stream":
		return false, false
	}
	f.connected.Store(true)
	return f.read(answer.Body), true
}

// read takes events as they come. It reports whether there were any.
func (f *feed) read(body io.Reader) (heard bool) {
	lines := bufio.NewScanner(body) // which takes the carriage return for a part of the line's end
	lines.Buffer(make([]byte, 0, 4<<10), maxEventLine)
	var id, data string
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			id = value
		case "data":
			if len(data) < maxEventLine {
				data += value
			}
		case "":
			if data == "" {
				continue // a comment, or nothing
			}
			heard, f.last = true, id
			if f.concerns(data) {
				f.notify()
			}
			data = ""
		}
	}
	return heard
}

// concerns reports whether an event may change what is on air: one of our mount,
// or of the server, and not of its listeners, who are many.
func (f *feed) concerns(data string) bool {
	var event struct {
		Mount string `json:"mount"` // which newer ones have
		Crude struct {
			Trigger string `json:"trigger"`
			URI     string `json:"uri"`
		} `json:"crude"`
	}
	if json.Unmarshal([]byte(data), &event) != nil {
		return true // a look does no harm
	}
	for _, mount := range []string{event.Mount, event.Crude.URI} {
		if mount != "" && f.session.mount != "" && strings.TrimRight(mount, "/") != f.session.mount {
			return false
		}
	}
	return !strings.HasPrefix(event.Crude.Trigger, "listener-") && !strings.HasPrefix(event.Crude.Trigger, "source-listener")
}

func (f *feed) notify() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}
