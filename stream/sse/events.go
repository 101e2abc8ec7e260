package sse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/wallcast/wallcast/stream"
)

// ServeEvents serves GET /walls/{wall}/events: an event stream, or JSON where
// the client asks for application/json. The package documentation has the
// protocol. Who may read is the caller's to check before.
func (s *Server) ServeEvents(w http.ResponseWriter, r *http.Request, wall string) {
	// What comes before a stream needs more of the stack than the stream, with which
	// it would stay.
	if serve := s.answer(w, r, wall); serve != nil {
		serve()
	}
}

// answer answers a request. Where it is for a stream that this goroutine is to
// serve, it returns what does so.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, wall string) (serve func()) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Add("Vary", "Accept")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
		return nil
	default:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		problem(w, http.StatusMethodNotAllowed, "events are read with GET")
		return nil
	}
	if !s.cfg.Walls(wall) {
		problem(w, http.StatusNotFound, fmt.Sprintf("there is no wall %.80q here", wall))
		return nil
	}
	q, err := parseQuery(r)
	if err == nil && q.rep != asPayload && q.rep != asJSON && s.cfg.Render == nil {
		err = errors.New("as=html is not available here; use as=json or leave it out")
	}
	switch {
	case err != nil:
		problem(w, http.StatusBadRequest, err.Error())
	case q.poll:
		s.servePoll(w, r, wall, q)
	default:
		return s.openStream(w, r, wall, q)
	}
	return nil
}

// connection is the client's side of an event stream.
type connection struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	clear   bool // HTTP/2: a write deadline that passes between writes ends the stream
	log     *slog.Logger
	gone    <-chan struct{} // closed when the client is; nil where the request's context tells
	end     func()          // when the stream has ended
}

// connect sets the headers and sends nothing yet.
func (s *Server) connect(w http.ResponseWriter, r *http.Request) *connection {
	c := &connection{w, http.NewResponseController(w), s.cfg.WriteTimeout, r.ProtoMajor >= 2, s.cfg.Log, nil, func() {}}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	return c
}

// isOwn reports whether what is written is sent as it is, in chunks, over a
// connection that serves this request alone and can be had from the HTTP server.
func (c *connection) isOwn(r *http.Request) bool {
	h := c.w.Header()
	if r.ProtoMajor != 1 || r.ProtoMinor == 0 || h.Get("Content-Encoding") != "" || h.Get("Transfer-Encoding") != "" {
		return false
	}
	for w := c.w; ; {
		if _, ok := w.(http.Hijacker); ok {
			return true
		}
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = wrapper.Unwrap()
	}
}

// write sends b at once. An error means that the client is gone or stuck.
func (c *connection) write(b []byte) error {
	_ = c.control.SetWriteDeadline(time.Now().Add(c.timeout))
	if _, err := c.w.Write(b); err != nil {
		return err
	}
	if err := c.control.Flush(); err != nil {
		if errors.Is(err, http.ErrNotSupported) {
			c.log.Error("event streams can't be sent: what wraps the response has no Flush and no Unwrap")
		}
		return err
	}
	if c.clear {
		_ = c.control.SetWriteDeadline(time.Time{})
	}
	return nil
}

// openStream begins to answer with an event stream; what it returns goes on, unless
// a writer does. Whatever is wrong on our side is answered with 200 and a wall:bye,
// because any other status ends a browser's EventSource for good.
func (s *Server) openStream(w http.ResponseWriter, r *http.Request, wall string, q query) (serve func()) {
	c := s.connect(w, r)
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	release, err := s.admit(r)
	if err != nil {
		s.turnAway(c, err)
		return nil
	}
	handedOver, done := false, release
	defer func() {
		if !handedOver {
			done()
		}
	}()
	h, leave, err := s.hub(wall)
	if err != nil {
		s.turnAway(c, err)
		return nil
	}
	done = func() { leave(); release() }
	v, begin, err := h.join(r.Context(), q)
	if err != nil {
		s.turnAway(c, err)
		return nil
	}
	h.viewers.Add(1)
	giveBack := s.stamp(v, r)
	done = func() { giveBack(); h.viewers.Add(-1); leave(); release() }
	v.feed.ready(r.Context(), v.cursor, q.rep)
	opening := s.opening(v, begin, q.rep)
	if c.isOwn(r) {
		w.Header().Set("Connection", "close") // a writer serves nothing else on it
		if c.write(opening) != nil {
			return nil
		}
		opening = nil
		if c, handedOver = s.adopt(c, v, q.rep, done); handedOver {
			return nil
		}
	}
	handedOver = true
	ctx, own := r.Context(), c
	return func() {
		defer done()
		defer own.end()
		s.pump(ctx, own, v, q.rep, opening)
	}
}

// turnAway ends a stream that did not begin. It sends no id: the client keeps
// the one it has.
func (s *Server) turnAway(c *connection, err error) {
	retry := s.retry()
	if errors.Is(err, errFull) {
		retry = s.later()
		if !c.clear { // over HTTP/2 others share the connection
			c.w.Header().Set("Connection", "close") // it would take the place of others
		}
	}
	_ = c.write(appendBye(nil, stream.ID{}, s.byeReason(err), retry)) // it ends either way
}

// byeReason is what a viewer is told of an error.
func (s *Server) byeReason(err error) string {
	switch {
	case errors.Is(err, errFull), errors.Is(err, errShutdown):
		return err.Error()
	case errors.Is(err, stream.ErrReset):
		return byeReset
	case errors.Is(err, context.Canceled):
	default:
		s.cfg.Log.Debug("a stream can't be served", "error", err)
	}
	return byeUnavailable
}

// opening makes the first write of a stream: everything up to where the history begins.
func (s *Server) opening(v *viewer, begin start, rep representation) []byte {
	f := v.feed
	kinds := f.nameKinds(begin.state.Kinds...)
	v.named = len(kinds)
	greeting := hello{Wall: f.wall, Build: s.cfg.Build, Head: begin.state.Head().String(), Kinds: []kindLabel{}}
	for _, kind := range slices.Sorted(slices.Values(kinds)) {
		greeting.Kinds = append(greeting.Kinds, kindLabel{kind, s.cfg.Label(f.wall, kind)})
	}
	before := f.id(begin.before())
	dst := appendRetry(nil, s.retry())
	if begin.gap == nil {
		dst = appendOurs(dst, helloEvent, before, greeting)
	} else {
		// The client keeps the id that it asked for until it has been told of the
		// gap: a connection may be cut between the two.
		asked, _ := stream.ParseID(begin.gap.From) // zero, and no id is sent, when it is none
		dst = appendOurs(dst, helloEvent, asked, greeting)
		dst = appendOurs(dst, gapEvent, before, begin.gap)
	}
	for _, e := range begin.cards {
		dst = v.appendEntry(dst, e, rep)
	}
	if len(begin.cards) > 0 {
		// The ids of the cards are older than the history; who comes back with
		// one of them would be told of a gap. This one puts it right.
		viewers := int(v.hub.viewers.Load())
		dst = appendOurs(dst, pingEvent, f.id(begin.after), pingData{time.Now().UnixMilli(), viewers})
	}
	return dst
}

// pump sends a viewer first the opening, then what its wall has for it, until
// one of them ends.
func (s *Server) pump(ctx context.Context, c *connection, v *viewer, rep representation, opening []byte) {
	stopping := s.stopping
	var turn <-chan time.Time // when it is this stream's turn to end
	for {
		more, err := s.send(ctx, c, v, rep, opening)
		if err != nil || ctx.Err() != nil {
			return
		}
		opening = nil
		select {
		case <-ctx.Done():
			return
		case <-c.gone:
			return
		case <-more:
			continue
		case <-v.feed.ended:
			s.sayBye(c, v, v.feed.reason)
			return
		case <-v.hub.removed:
			s.sayBye(c, v, byeRemoved)
			return
		case <-v.ticket.over():
			s.sayBye(c, v, byeAccess)
			return
		case <-stopping:
			stopping = nil
			turn = time.After(rand.N(s.cfg.Drain))
		case <-turn:
			s.sayBye(c, v, byeShutdown)
			return
		case <-s.reading.Done():
			s.sayBye(c, v, byeShutdown)
			return
		}
	}
}

// ready is what send returns when there is more already.
var ready = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// send writes what is pending, in one write behind what is given, and returns a
// channel that is closed when there is more. An error ends the stream.
func (s *Server) send(ctx context.Context, c *connection, v *viewer, rep representation, before []byte) (<-chan struct{}, error) {
	out, news, err := v.next(ctx, rep, before)
	if len(out) > 0 {
		if err := c.write(out); err != nil {
			return nil, err
		}
	}
	if err != nil {
		s.sayBye(c, v, s.byeReason(err))
		return nil, err
	}
	return news, nil
}

// next returns what is pending, behind what is given, and a channel that is
// closed when there is more. With an error, it returns what is given.
func (v *viewer) next(ctx context.Context, rep representation, before []byte) ([]byte, <-chan struct{}, error) {
	b := batches.Get().(*batch)
	defer b.free()
	if err := v.take(ctx, b); err != nil {
		return before, nil, err
	}
	b.out = append(b.out, before...)
	v.encode(b, rep)
	// A copy, because all viewers write at the same time: of batches there would
	// be as many then.
	if b.news == nil {
		return slices.Clone(b.out), ready, nil
	}
	return slices.Clone(b.out), b.news, nil
}

// sayBye ends a stream with a wall:bye at the viewer's position.
func (s *Server) sayBye(c *connection, v *viewer, reason string) {
	_ = c.write(appendBye(nil, v.feed.id(v.cursor), reason, s.retry())) // it ends either way
}
