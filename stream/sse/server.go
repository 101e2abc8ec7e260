package sse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/wallcast/wallcast/stream"
)

// Config is what a Server needs. Only Reader must be set.
type Config struct {
	Reader stream.Reader

	// Build names the program's build in wall:hello: a page that is left open
	// for weeks reloads itself when it changes.
	Build string

	// Render makes the card of one event, an HTML fragment, for as=html. It may
	// be called concurrently, once per event. Without it as=html is refused.
	Render func(stream.Event) ([]byte, error)

	// Label is what a kind of a wall is called on pages. Default: the kind itself.
	Label func(wall, kind string) string

	// Walls reports whether a wall exists; the answer may change. Default: every
	// well-formed name. Call EndWall as well when a wall goes.
	Walls func(wall string) bool

	// Pass says what lets a request read a wall that not everybody may read. The
	// stream ends when that does. Default: nil, which is for everybody.
	Pass func(r *http.Request, wall string) *Pass

	// Address says who is asking, for PerAddress; "" is not counted. Default: the
	// host of the request's RemoteAddr.
	Address func(*http.Request) string

	// Viewers and PerAddress bound the open event streams and waiting polls of
	// this process, in all and by address. 0 is no limit. SetLimits changes them.
	Viewers    int
	PerAddress int

	// Room returns why the process can't take one more viewer, whose connection is
	// open already, or nil. It is asked for each. Default: nil.
	Room func() error

	// WindowEntries and WindowBytes bound what is kept in memory of each wall
	// that somebody watches. Default: 10,000 entries, 16 MiB.
	WindowEntries int
	WindowBytes   int

	Ping         time.Duration // between two wall:ping; default 15 s
	Retry        time.Duration // the mean time after which browsers reconnect, longer for more than thousands; default 2 s
	Drain        time.Duration // over which Shutdown spreads the ends of streams; default 3 s
	Idle         time.Duration // after which a wall that nobody watches is no longer read; default 1 min
	WriteTimeout time.Duration // for one write, after which a stuck viewer is dropped; default 15 s

	Log *slog.Logger // default: slog.Default()
}

func (c Config) withDefaults() Config {
	if c.Label == nil {
		c.Label = func(_, kind string) string { return kind }
	}
	if c.Walls == nil {
		c.Walls = func(wall string) bool { return stream.CheckName("wall", wall) == nil }
	}
	if c.Address == nil {
		c.Address = func(r *http.Request) string {
			host, _, err := net.SplitHostPort(r.RemoteAddr)
			if err != nil {
				return r.RemoteAddr
			}
			return host
		}
	}
	if c.Pass == nil {
		c.Pass = func(*http.Request, string) *Pass { return nil }
	}
	if c.Room == nil {
		c.Room = func() error { return nil }
	}
	c.WindowEntries = cmp.Or(c.WindowEntries, 10_000)
	c.WindowBytes = cmp.Or(c.WindowBytes, 16<<20)
	c.Ping = cmp.Or(c.Ping, 15*time.Second)
	c.Retry = cmp.Or(c.Retry, 2*time.Second)
	c.Drain = cmp.Or(c.Drain, 3*time.Second)
	c.Idle = cmp.Or(c.Idle, time.Minute)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 15*time.Second)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// concurrentReads bounds how many stretches of history are read from the store
// at a time, for viewers whose position is older than the window.
const concurrentReads = 8

// Server serves the event streams of walls. Its methods may be called
// concurrently. End it with Shutdown.
type Server struct {
	cfg   Config
	reads chan struct{}

	reading  context.Context // ends the readers of all walls
	stop     context.CancelFunc
	stopping chan struct{} // closed when streams are to end
	open     sync.WaitGroup
	readers  sync.WaitGroup // and writers
	writers  writers

	places places

	mu      sync.Mutex
	stopped bool
	hubs    map[string]*hub
	tickets map[*ticket]struct{} // of open streams and waiting polls
}

// New makes a Server. It reads nothing before somebody asks for a wall.
func New(cfg Config) *Server {
	s := &Server{
		cfg:      cfg.withDefaults(),
		reads:    make(chan struct{}, concurrentReads),
		stopping: make(chan struct{}),
		hubs:     map[string]*hub{},
		tickets:  map[*ticket]struct{}{},
	}
	s.places.byAddress = map[string]int{}
	s.SetLimits(cfg.Viewers, cfg.PerAddress)
	s.reading, s.stop = context.WithCancel(context.Background())
	return s
}

// Why a viewer can't be served; also the reasons of its wall:bye.
var (
	errFull     = errors.New(byeFull)
	errShutdown = errors.New(byeShutdown)
)

// hub returns the reader of a wall and starts it if need be. The caller calls
// leave when it no longer needs it.
func (s *Server) hub(wall string) (h *hub, leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil, nil, errShutdown
	}
	h = s.hubs[wall]
	if h == nil {
		h = newHub(s.reading, &s.cfg, wall, s.reads)
		var ctx context.Context
		ctx, h.stop = context.WithCancel(s.reading)
		s.readers.Go(func() { h.run(ctx) })
		s.hubs[wall] = h
	}
	if h.idle != nil {
		h.idle.Stop()
	}
	h.refs++
	s.open.Add(1)
	return h, func() { s.leave(h) }, nil
}

// leave counts one user of a hub less. The last one's leaving stops the hub
// after a while: a page that is loaded again finds its window still there.
func (s *Server) leave(h *hub) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open.Done()
	h.refs--
	if h.refs > 0 {
		return
	}
	if s.hubs[h.wall] != h {
		h.stop()
		return
	}
	h.idle = time.AfterFunc(s.cfg.Idle, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if h.refs == 0 && s.hubs[h.wall] == h {
			delete(s.hubs, h.wall)
			h.stop()
		}
	})
}

// Viewers returns the number of open event streams of a wall in this process.
func (s *Server) Viewers(wall string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.hubs[wall]; h != nil {
		return int(h.viewers.Load())
	}
	return 0
}

// TotalViewers returns the number of open event streams of all walls in this process.
func (s *Server) TotalViewers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, h := range s.hubs {
		n += int(h.viewers.Load())
	}
	return n
}

// EndWall ends the streams of a wall that is no more, each with
// wall:bye {reason: "removed"}, and the reading of it. It does not wait for
// them. Config.Walls has to deny the wall before, else viewers come back to it.
func (s *Server) EndWall(wall string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hubs[wall]
	if h == nil {
		return
	}
	delete(s.hubs, wall)
	close(h.removed)
	if f := h.current(); f != nil {
		f.notify()
	}
	if h.refs == 0 {
		h.stop()
	}
}

// Shutdown ends all streams over Config.Drain, each at a moment of its own with
// wall:bye {reason: "shutdown"}, so that viewers do not come back all at once,
// and waits for them and for the readers of the walls. New ones are turned away
// meanwhile. When ctx ends before, it ends the rest at once and returns ctx's
// error; a write that is stuck may then still be under way.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.stopped {
		s.stopped = true
		s.places.close()
		close(s.stopping)
	}
	s.mu.Unlock()

	done := make(chan struct{})
	go func() {
		s.open.Wait()
		s.stop()
		s.readers.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.stop()
		s.readers.Wait()
		return fmt.Errorf("ending event streams: %w", ctx.Err())
	}
}

// retry is a time to reconnect after, different for each viewer.
func (s *Server) retry() time.Duration {
	mean := max(s.cfg.Retry, s.places.window())
	return mean/2 + rand.N(mean)
}

// later is retry for a viewer that should not come back soon.
func (s *Server) later() time.Duration { return 5 * s.retry() }
