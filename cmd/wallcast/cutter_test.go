package main_test

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// cutter is a TCP proxy that breaks connections after a random number of bytes,
// wherever in a frame or a request that is.
type cutter struct {
	target   string
	listener net.Listener
	calm     atomic.Bool // new connections are left alone
	cuts     atomic.Int64
	running  sync.WaitGroup

	mu   sync.Mutex
	rng  *rand.Rand
	open map[net.Conn]bool // nil once the proxy is closed
}

// cutOff puts a cutter before target. The test's end closes it.
func cutOff(t *testing.T, target string, rng *rand.Rand) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{target: target, listener: l, rng: rng, open: map[net.Conn]bool{}}
	c.running.Go(c.accept)
	t.Cleanup(c.close)
	return c
}

func (c *cutter) address() string { return c.listener.Addr().String() }

func (c *cutter) close() {
	c.listener.Close()
	c.mu.Lock()
	for conn := range c.open {
		conn.Close()
	}
	c.open = nil
	c.mu.Unlock()
	c.running.Wait()
}

func (c *cutter) accept() {
	for {
		client, err := c.listener.Accept()
		if err != nil {
			return
		}
		c.running.Go(func() { c.serve(client) })
	}
}

// fate is what becomes of a connection: after how many bytes it is cut, in
// each direction, and whether with a reset.
type fate struct {
	up, down int64
	reset    bool
}

const uncut = 1 << 40

func (c *cutter) draw() fate {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := fate{uncut, uncut, c.rng.IntN(2) == 0}
	if c.calm.Load() {
		return f
	}
	if c.rng.IntN(4) > 0 { // as many short lives as long ones: 100 bytes to 50 kB
		f.down = int64(100 << c.rng.IntN(9))
		f.down += c.rng.Int64N(f.down)
	}
	if c.rng.IntN(8) == 0 {
		f.up = 1 + c.rng.Int64N(2000)
	}
	return f
}

func (c *cutter) serve(client net.Conn) {
	defer c.forget(client)
	if !c.remember(client) {
		return
	}
	server, err := net.Dial("tcp", c.target)
	if err != nil {
		return // the program is down: its port would have refused as well
	}
	defer c.forget(server)
	if !c.remember(server) {
		return
	}
	f := c.draw()
	var both sync.WaitGroup
	both.Go(func() { c.carry(server, client, f.up, f.reset, client, server) })
	both.Go(func() { c.carry(client, server, f.down, f.reset, client, server) })
	both.Wait()
}

// carry copies until one side ends or the limit is reached, and ends both.
func (c *cutter) carry(to io.Writer, from io.Reader, limit int64, reset bool, ends ...net.Conn) {
	n, _ := io.Copy(to, io.LimitReader(from, limit)) // a connection that breaks is what this is about
	if n == limit {
		c.cuts.Add(1)
	}
	for _, conn := range ends {
		if tcp, ok := conn.(*net.TCPConn); ok && n == limit && reset {
			_ = tcp.SetLinger(0)
		}
		conn.Close()
	}
}

// remember reports whether the proxy is still open.
func (c *cutter) remember(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open != nil {
		c.open[conn] = true
	}
	return c.open != nil
}

func (c *cutter) forget(conn net.Conn) {
	conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, conn)
}
