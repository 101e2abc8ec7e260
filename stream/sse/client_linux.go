package sse

import (
	"cmp"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// quantum is how many writes a viewer with much pending gets before it is the
// turn of others.
const quantum = 4

// client is a viewer whose connection a writer owns.
type client struct {
	viewer
	audience *audience
	rep      representation
	kinds    string  // that it wants, in one word
	fd       int     // -1 when it is closed
	secure   *secure // nil without TLS
	serial   int32   // tells it from who had the descriptor before
	done     func()

	rest     []byte    // of a write that would have blocked; shared, not to be written to
	blocked  bool      // until the connection can be written to
	since    time.Time // when a write was first blocked that is not complete; zero when none is
	again    bool      // in writer.again
	fetching bool      // a goroutine reads the store for it, and uses viewer
	ending   bool      // to be closed behind the rest
	reason   string    // of the bye that waits for the end of fetching
}

// serve writes what is pending for a viewer, as long as the connection takes it.
func (w *writer) serve(c *client, now moment) {
	for range quantum {
		if c.fd < 0 || c.blocked || !w.flush(c) {
			return
		}
		if c.fetching || !c.due(now) {
			return
		}
		next := c.audience.next(c, now)
		if next == nil {
			c.fetching = true
			w.hungry = append(w.hungry, c)
			return
		}
		c.cursor, c.rough, c.named = next.cursor, next.rough, next.named
		c.pinged = max(c.pinged, next.pinged)
		w.send(c, next.frame)
	}
	if !c.again {
		c.again = true
		w.again = append(w.again, c)
	}
}

// due reports whether there is anything for a viewer.
func (c *client) due(now moment) bool {
	return c.cursor < now.pos || c.isOwed(now.ping)
}

// send writes b, behind the rest. What the connection does not take becomes the rest.
func (w *writer) send(c *client, b []byte) {
	if c.secure != nil {
		var err error
		if b, err = c.secure.seal(b, w.room[:0], c.ending); err != nil {
			w.close(c)
			return
		}
		w.room = b
	}
	if len(c.rest) > 0 {
		c.rest = append(slices.Clip(c.rest), b...)
		return
	}
	c.rest = b
	if !w.flush(c) && c.secure != nil {
		c.rest = slices.Clone(c.rest) // the room is for the next one
	}
}

// flush writes the rest. It reports whether nothing is left of it.
func (w *writer) flush(c *client) bool {
	for len(c.rest) > 0 {
		n, err := unix.Write(c.fd, c.rest)
		switch err {
		case nil:
			c.rest = c.rest[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			w.block(c)
			return false
		default:
			w.close(c)
			return false
		}
	}
	c.rest = nil
	if !c.since.IsZero() {
		c.since = time.Time{}
		delete(w.stuck, c)
	}
	if c.ending {
		w.close(c)
		return false
	}
	return true
}

// block lets a viewer wait until its connection can be written to.
func (w *writer) block(c *client) {
	c.blocked = true
	if c.since.IsZero() {
		c.since = time.Now()
		w.stuck[c] = struct{}{}
		w.setAlarm()
	}
}

// bye ends a stream, behind what is on its way.
func (w *writer) bye(c *client, reason string) {
	switch {
	case c.fd < 0 || c.ending:
		return
	case c.fetching:
		c.reason = reason
		return
	}
	last := appendBye(nil, c.feed.id(c.cursor), reason, w.server.retry())
	c.ending = true
	w.send(c, append(frame(last), lastChunk...))
}

// close ends a connection. What a goroutine still does for it is waited for.
func (w *writer) close(c *client) {
	if c.fd >= 0 {
		delete(w.clients, int32(c.fd))
		_ = unix.Close(c.fd)
		c.fd, c.rest, c.secure = -1, nil, nil
		delete(w.stuck, c)
		delete(c.audience.clients, c)
		if len(c.audience.clients) == 0 {
			c.feed.dismiss(c.audience)
			delete(w.audiences, c.feed)
		}
		if c.fetching {
			if i := slices.Index(w.hungry, c); i >= 0 {
				w.hungry = slices.Delete(w.hungry, i, i+1)
				c.fetching = false
			}
		}
	}
	if !c.fetching && c.done != nil {
		c.done()
		c.done = nil
	}
}

// fetched is what a goroutine has read for a viewer.
type fetched struct {
	client *client
	out    []byte
	err    error
}

// fetch reads on for a viewer that has fallen out of the window.
func (w *writer) fetch(c *client) {
	w.fetching++
	w.fetches.Go(func() {
		b := batches.Get().(*batch)
		defer b.free()
		err := c.take(w.server.reading, b)
		s := fetched{client: c, err: err}
		if err == nil {
			c.encode(b, c.rep)
			s.out = frame(b.out)
		}
		w.put(func(in *inbox) { in.fetched = append(in.fetched, s) })
	})
}

// serveFetched goes on with what was read for a viewer.
func (w *writer) serveFetched(s fetched) {
	c := s.client
	w.fetching--
	c.fetching = false
	switch {
	case c.fd < 0:
		w.close(c)
		return
	case s.err != nil:
		w.bye(c, cmp.Or(c.reason, w.server.byeReason(s.err)))
		return
	}
	w.send(c, s.out)
	if c.reason != "" {
		w.bye(c, c.reason)
		return
	}
	w.serve(c, c.feed.moment())
}
