package sse

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxFetches bounds the viewers of one writer that are served from the store
	// at a time. The others wait.
	maxFetches = 16

	// maxGlance is the longest time between two looks at viewers that are stuck
	// and at segments that nobody needs any more.
	maxGlance = time.Second
)

// writer writes to many connections from one goroutine. Other goroutines reach
// it through its inbox; everything else belongs to its own.
type writer struct {
	server *Server
	epoll  *epoll

	mu     sync.Mutex
	inbox  inbox
	closed bool          // nothing is taken any more
	signal chan struct{} // holds a token when there is something in the inbox

	clients   map[int32]*client // by descriptor
	audiences map[*feed]*audience
	again     []*client // have more pending than they were given
	hungry    []*client // wait to be served from the store
	stuck     map[*client]struct{}
	turns     []turn // of a shutdown, ascending
	serial    int32  // of the newest client
	fetching  int
	fetches   sync.WaitGroup
	alarm     *time.Timer
	alarmAt   time.Time // zero when it is not set
	room      []byte    // where records of TLS are made
}

// inbox is what others want of a writer.
type inbox struct {
	clients []*client
	news    []*audience
	ready   []unix.EpollEvent
	fetched []fetched
}

// audience is where a writer serves the viewers of one feed.
type audience struct {
	writer   *writer
	hub      *hub
	feed     *feed
	clients  map[*client]struct{} // not empty, or it is dismissed
	told     bool                 // in the writer's inbox; guarded by writer.mu
	segments segments
}

// notify implements desk.
func (at *audience) notify() {
	w := at.writer
	w.mu.Lock()
	defer w.mu.Unlock()
	if !at.told {
		at.told = true
		w.inbox.news = append(w.inbox.news, at)
		w.wakeLocked()
	}
}

// turn is when a viewer is to go.
type turn struct {
	at     time.Time
	client *client
}

// startWriters starts as many writers as there are processors. It returns none
// where the system has no epoll to spare. Server.mu is held.
func (s *Server) startWriters() []*writer {
	all := []*writer{}
	for range runtime.GOMAXPROCS(0) {
		e, err := newEpoll()
		if err != nil {
			s.cfg.Log.Warn("viewers are served with a goroutine each", "error", err)
			break
		}
		w := &writer{
			server: s, epoll: e, signal: make(chan struct{}, 1), alarm: time.NewTimer(0),
			clients: map[int32]*client{}, audiences: map[*feed]*audience{}, stuck: map[*client]struct{}{},
		}
		all = append(all, w)
		s.readers.Go(w.run)
	}
	return all
}

// put puts something into the inbox, unless the writer has ended.
func (w *writer) put(f func(*inbox)) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	f(&w.inbox)
	w.wakeLocked()
	return true
}

func (w *writer) wakeLocked() {
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// post gives the writer a viewer. It takes it in any case.
func (w *writer) post(c *client) {
	if !w.put(func(in *inbox) { in.clients = append(in.clients, c) }) {
		_ = unix.Close(c.fd)
		c.done()
	}
}

// run serves until the server's readers are stopped.
func (w *writer) run() {
	var waiting sync.WaitGroup
	waiting.Go(func() {
		w.epoll.wait(func(events []unix.EpollEvent) {
			w.put(func(in *inbox) { in.ready = append(in.ready, events...) })
		})
	})
	defer waiting.Wait()
	defer w.epoll.close()
	stopping := w.server.stopping
	for {
		w.work()
		var busy <-chan struct{}
		if len(w.again) > 0 {
			busy = ready
		}
		select {
		case <-w.signal:
		case <-busy:
		case <-w.alarm.C:
			w.glance()
		case <-stopping:
			stopping = nil
			w.takeTurns(slices.Collect(maps.Values(w.clients)))
		case <-w.server.reading.Done():
			w.end()
			return
		}
	}
}

// work does what is to be done at once.
func (w *writer) work() {
	w.mu.Lock()
	in := w.inbox
	w.inbox = inbox{}
	for _, at := range in.news {
		at.told = false
	}
	w.mu.Unlock()

	again := w.again
	w.again = nil
	for _, c := range in.clients {
		w.welcome(c)
	}
	for _, e := range in.ready {
		w.attend(e)
	}
	for _, s := range in.fetched {
		w.serveFetched(s)
	}
	for _, at := range in.news {
		w.serveAll(at)
	}
	for _, c := range again {
		c.again = false
		w.serve(c, c.feed.moment())
	}
	for len(w.hungry) > 0 && w.fetching < maxFetches {
		c := w.hungry[0]
		w.hungry = w.hungry[1:]
		w.fetch(c)
	}
}

// welcome takes a viewer in.
func (w *writer) welcome(c *client) {
	w.serial++
	c.serial = w.serial
	w.clients[int32(c.fd)] = c
	c.audience = w.audiences[c.feed]
	if c.audience == nil {
		c.audience = &audience{writer: w, hub: c.hub, feed: c.feed, clients: map[*client]struct{}{}, segments: segments{}}
		w.audiences[c.feed] = c.audience
		c.feed.enrol(c.audience)
	}
	c.audience.clients[c] = struct{}{}
	if w.epoll.add(c.fd, c.serial, c.secure != nil) != nil {
		w.close(c)
		return
	}
	if c.secure != nil && !w.hear(c) { // the HTTP server may have read that it has gone
		return
	}
	select {
	case <-w.server.stopping:
		w.takeTurns([]*client{c})
	default:
	}
	if reason := cmp.Or(c.audience.over(), c.over()); reason != "" {
		w.bye(c, reason)
		return
	}
	w.serve(c, c.feed.moment())
}

// attend looks after a connection that can be written to again, or is gone.
func (w *writer) attend(e unix.EpollEvent) {
	c := w.clients[e.Fd]
	switch {
	case c == nil || c.serial != e.Pad:
	case e.Events&(unix.EPOLLERR|unix.EPOLLHUP|unix.EPOLLRDHUP) != 0:
		w.close(c)
	case c.secure != nil && e.Events&unix.EPOLLIN != 0 && !w.hear(c):
	case c.blocked && e.Events&unix.EPOLLOUT != 0:
		c.blocked = false
		w.serve(c, c.feed.moment())
	}
}

// hear reads what a client sends over TLS, and answers. It reports whether the
// connection stays.
func (w *writer) hear(c *client) bool {
	if !c.secure.listen() {
		w.close(c)
		return false
	}
	if c.secure.said() {
		w.send(c, nil)
	}
	return c.fd >= 0
}

// over is why the feed is at its end, or empty.
func (at *audience) over() string {
	select {
	case <-at.feed.ended:
		return at.feed.reason
	case <-at.hub.removed:
		return byeRemoved
	default:
		return ""
	}
}

// over is why the viewer may not go on, or empty.
func (c *client) over() string {
	if c.ticket.isOver() {
		return byeAccess
	}
	return ""
}

// serveAll gives the viewers of a feed its news.
func (w *writer) serveAll(at *audience) {
	at.segments.clear()
	now, reason := at.feed.moment(), at.over()
	for c := range at.clients {
		if reason := cmp.Or(reason, c.over()); reason != "" {
			w.bye(c, reason)
		} else if !c.blocked {
			w.serve(c, now)
		}
	}
}

// takeTurns spreads the ends of streams over Config.Drain.
func (w *writer) takeTurns(clients []*client) {
	now := time.Now()
	for _, c := range clients {
		w.turns = append(w.turns, turn{now.Add(rand.N(w.server.cfg.Drain)), c})
	}
	slices.SortFunc(w.turns, func(a, b turn) int { return a.at.Compare(b.at) })
	w.setAlarm()
}

// setAlarm has glance called when it is needed next.
func (w *writer) setAlarm() {
	wait := min(maxGlance, w.server.cfg.WriteTimeout/4)
	if len(w.turns) > 0 {
		wait = min(wait, time.Until(w.turns[0].at))
	}
	if at := time.Now().Add(wait); w.alarmAt.IsZero() || at.Before(w.alarmAt) {
		w.alarmAt = at
		w.alarm.Reset(wait)
	}
}

// glance ends the streams whose turn it is, drops those that are stuck, and
// forgets what nobody has needed for a while.
func (w *writer) glance() {
	now := time.Now()
	w.alarmAt = time.Time{}
	for len(w.turns) > 0 && !w.turns[0].at.After(now) {
		c := w.turns[0].client
		w.turns = w.turns[1:]
		w.bye(c, byeShutdown)
	}
	for c := range w.stuck {
		if now.Sub(c.since) >= w.server.cfg.WriteTimeout {
			w.close(c)
		}
	}
	needed := len(w.stuck) > 0 || len(w.turns) > 0
	for _, at := range w.audiences {
		needed = at.segments.age() || needed
	}
	if needed {
		w.setAlarm()
	}
}

// end ends all streams at once.
func (w *writer) end() {
	w.fetches.Wait()
	w.mu.Lock()
	w.closed = true
	in := w.inbox
	w.mu.Unlock()
	for _, c := range in.clients {
		_ = unix.Close(c.fd)
		c.done()
	}
	for _, s := range in.fetched {
		s.client.fetching = false
		if s.client.fd < 0 {
			w.close(s.client)
		} else {
			w.send(s.client, s.out)
		}
	}
	for _, c := range slices.Collect(maps.Values(w.clients)) {
		c.fetching = false // those that still waited for it
		w.bye(c, byeShutdown)
		w.close(c)
	}
}
