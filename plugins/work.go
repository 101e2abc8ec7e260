package plugins

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wallcast/wallcast/stream"
)

// Work is a trigger that waits for its plugin.
type Work struct {
	ID   string    `json:"id"` // of the call; the same for each attempt, and for a replay
	Kind Kind      `json:"kind"`
	Time time.Time `json:"time"` // when it was set off

	// Hops is how many plugins stand between the trigger and what came from
	// outside; see stream.Event.
	Hops int `json:"hops,omitempty"`

	// Stored is how many events of the call an attempt before has stored.
	Stored int `json:"stored,omitempty"`

	// Request is set for HTTP, without the body. Data is that body, and of
	// another kind the input.
	Request *Request `json:"request,omitempty"`
	Data    []byte   `json:"-"`

	Number uint64 `json:"-"` // in its queue, growing; 0 until it is in one
}

// Input is the trigger's input.
func (w Work) Input() (json.RawMessage, error) {
	if w.Request == nil {
		return w.Data, nil
	}
	request := *w.Request
	request.Body, request.Base64 = string(w.Data), !utf8.Valid(w.Data)
	switch {
	case request.Base64:
		request.Body = base64.StdEncoding.EncodeToString(w.Data)
	case json.Valid(w.Data):
		request.JSON = w.Data
	}
	return marshal(request)
}

// Tick is what a schedule has set off. It stands for those before it that nobody
// has taken.
type Tick struct {
	Number uint64
	Time   time.Time
}

// Dead is work that could not be done.
type Dead struct {
	Work     Work      `json:"work"`
	Time     time.Time `json:"time"` // of the last attempt
	Attempts int       `json:"attempts"`
	Reason   Reason    `json:"reason"`
	Error    string    `json:"error"`            // in words
	Stderr   string    `json:"stderr,omitempty"` // the end of what the last attempt logged

	Number uint64 `json:"number"` // among all dead letters, growing
}

// Schedule is when a plugin's ticks come. The zero Schedule is never.
type Schedule struct {
	Every time.Duration // a second or more
	Cron  string        // six fields, seconds first; see CheckCron
	Zone  string        // of Cron, as Europe/Berlin; empty for UTC
}

// Store keeps what plugins need of the stream. Its methods may be called
// concurrently, by any number of processes.
type Store interface {
	// PutWork returns when the work is on disk. Of two with the same dedupe, if
	// that is not empty, the second is not kept (for an hour); the number is then
	// the first one's. ErrFull when so much waits for this plugin, or for all, that
	// no more is taken.
	PutWork(ctx context.Context, plugin string, w Work, dedupe string) (number uint64, repeat bool, err error)

	// NextWork returns the oldest work after the one with that number, and waits
	// for one.
	NextWork(ctx context.Context, plugin string, after uint64) (Work, error)

	// DropWork deletes work that was done. That it is not there is no error.
	DropWork(ctx context.Context, plugin string, w Work) error

	// SetSchedule makes s the plugin's schedule; one that it has already goes on
	// undisturbed. The zero Schedule takes it away, with a tick that nobody has
	// taken.
	SetSchedule(ctx context.Context, plugin string, s Schedule) error

	// PruneSchedules takes the schedules of all plugins away but for those in keep.
	PruneSchedules(ctx context.Context, keep []string) error

	// NextTick returns the plugin's newest tick if that is not the one with the
	// number after, and waits for one. DropTick deletes a tick that was done.
	NextTick(ctx context.Context, plugin string, after uint64) (Tick, error)
	DropTick(ctx context.Context, plugin string, t Tick) error

	// PutDead keeps a dead letter, once per Work.ID (for an hour), and returns its
	// number.
	PutDead(ctx context.Context, plugin string, d Dead) (uint64, error)

	// DeadLetters returns a plugin's newest n dead letters, oldest first. Their
	// work lacks its Data.
	DeadLetters(ctx context.Context, plugin string, n int) ([]Dead, error)

	// DeadLetter returns one with all that belongs to it; ErrNotFound when it is
	// not, or no longer, kept. So do the others.
	DeadLetter(ctx context.Context, plugin string, number uint64) (Dead, error)

	// Replay makes work of a dead letter, and deletes that.
	Replay(ctx context.Context, plugin string, number uint64) error

	// DropDead deletes a dead letter.
	DropDead(ctx context.Context, plugin string, number uint64) error
}

// notHanded are headers of a request that a plugin doesn't get.
var notHanded = []string{"authorization", "proxy-authorization", "cookie"}

// RequestOf is a request as a plugin gets it, without its body.
func RequestOf(r *http.Request) Request {
	request := Request{Method: r.Method, Query: map[string]string{}, Header: map[string]string{}}
	for name, values := range r.URL.Query() {
		request.Query[stream.Text([]byte(name))] = stream.Text([]byte(values[0]))
	}
	for name, values := range r.Header {
		request.Header[strings.ToLower(name)] = stream.Text([]byte(values[0]))
	}
	for _, name := range notHanded {
		delete(request.Header, name)
	}
	return request
}

// Enqueue keeps a request to a plugin's hook until the plugin has done it, and
// returns its number in the queue once it is on disk: then the sender is answered
// 202. Whether the plugin is loaded doesn't matter. A second one with the same
// dedupe, which is the sender's own id of the request, is a repeat; empty: it
// gave none. stream.ErrFull and stream.ErrUnavailable are for 503,
// stream.ErrTooLarge for 413.
func Enqueue(ctx context.Context, store Store, plugin string, request Request, body []byte, dedupe string) (number uint64, repeat bool, err error) {
	request.Body, request.JSON, request.Base64 = "", nil, false
	w := Work{ID: newID(), Kind: HTTP, Time: time.Now(), Request: &request, Data: body}
	return store.PutWork(ctx, plugin, w, dedupe)
}

// newID names a call. Nobody can guess it, and 16 of 32 letters are enough for no
// two to be the same.
func newID() string { return rand.Text()[:16] }

var errUnbound = errors.New("the plugin's source was not given what it runs with")
