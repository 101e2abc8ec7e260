package sse

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// unsentLimit bounds what the kernel keeps for a viewer that reads slowly,
// beyond what is on its way, in bytes.
const unsentLimit = 128 << 10

// adopt gives a stream that has begun over HTTP/1.1 to a writer. The connection
// is then no longer the HTTP server's, whose goroutine and buffers are free, and
// done is called when the stream has ended. Where it reports false, the stream
// goes on with the connection that it returns.
func (s *Server) adopt(c *connection, v *viewer, rep representation, done func()) (*connection, bool) {
	conn, _, err := c.control.Hijack()
	if err != nil {
		return c, false
	}
	fd, err := -1, errors.ErrUnsupported
	beneath, over := layers(conn)
	w := s.writers.pick(s)
	if w != nil {
		fd, err = descriptor(beneath)
	}
	if err != nil {
		return c.own(conn), false
	}
	s.tune(beneath)
	_ = beneath.Close() // its socket stays open, as fd
	adopted := &client{viewer: *v, rep: rep, kinds: strings.Join(v.filter, ","), fd: fd, done: done}
	if over != nil {
		adopted.secure = newSecure(over, fd)
	}
	w.post(adopted)
	return nil, true
}

// layers returns the network connection beneath a connection, and the TLS
// connection over it where it is one whose network can be replaced.
func layers(conn net.Conn) (beneath net.Conn, over *tls.Conn) {
	if over, ok := conn.(*tls.Conn); ok {
		if w, ok := over.NetConn().(*wire); ok {
			return w.Conn, over
		}
	}
	return conn, nil
}

// descriptor returns a descriptor of a TCP connection that the Go runtime knows
// nothing of and that doesn't block.
func descriptor(conn net.Conn) (int, error) {
	fd := -1
	var dupErr error
	err := withDescriptor(conn, func(old int) { fd, dupErr = unix.FcntlInt(uintptr(old), unix.F_DUPFD_CLOEXEC, 0) })
	return fd, errors.Join(err, dupErr)
}

// withDescriptor calls f with the descriptor of a TCP connection.
func withDescriptor(conn net.Conn, f func(fd int)) error {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return unix.ENOTSUP
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { f(int(fd)) })
}

// tune lets the kernel find out that a client is gone, and keeps it from holding
// megabytes for one that reads slowly.
func (s *Server) tune(conn net.Conn) {
	// One that is no TCP connection, and a system that does not know the options,
	// serve as well, if not so thriftily.
	_ = withDescriptor(conn, func(fd int) {
		timeout := 2 * s.cfg.WriteTimeout
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(timeout.Milliseconds()))
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentLimit)
	})
}

// writers are the writers of a Server, started when the first viewer comes.
type writers struct {
	all  []*writer // guarded by Server.mu
	next int
}

// pick returns a writer, or nil when there is none to be had.
func (p *writers) pick(s *Server) *writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.all == nil && !s.stopped {
		p.all = s.startWriters()
	}
	if len(p.all) == 0 {
		return nil
	}
	p.next = (p.next + 1) % len(p.all)
	return p.all[p.next]
}

// lastChunk ends a chunked response.
const lastChunk = "0\r\n\r\n"

// frame makes a chunk of what is not empty.
func frame(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	f := make([]byte, 0, len(b)+len("10000\r\n\r\n"))
	f = strconv.AppendUint(f, uint64(len(b)), 16)
	f = append(f, "\r\n"...)
	f = append(f, b...)
	return append(f, "\r\n"...)
}

// own goes on with a connection that is no longer the HTTP server's.
func (c *connection) own(conn net.Conn) *connection {
	own := &chunked{Conn: conn, gone: make(chan struct{})}
	go own.listen()
	return &connection{own, http.NewResponseController(own), c.timeout, false, c.log, own.gone, own.end}
}

// chunked goes on with a chunked response where the HTTP server has left off.
type chunked struct {
	net.Conn
	gone chan struct{} // closed when the client is
}

func (c *chunked) Header() http.Header { return http.Header{} }
func (c *chunked) WriteHeader(int)     {}
func (c *chunked) FlushError() error   { return nil }

func (c *chunked) Write(b []byte) (int, error) {
	if _, err := c.Conn.Write(frame(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// listen waits until the client is gone. What it sends is of no interest.
func (c *chunked) listen() {
	defer close(c.gone)
	var room [64]byte
	for {
		if _, err := c.Read(room[:]); err != nil {
			return
		}
	}
}

// end ends the response and the connection, which may be gone already.
func (c *chunked) end() {
	_, _ = c.Conn.Write([]byte(lastChunk))
	_ = c.Conn.Close()
	<-c.gone
}
