package sse

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// secure is the TLS connection of a client: it turns what is to be sent into
// records, which the writer sends as it does everything else.
type secure struct {
	conn   *tls.Conn
	socket *socket
	deaf   bool // what the client sends is no longer read
}

// socket takes the place of the network beneath a TLS connection. It doesn't
// block: what is written is kept, and where nothing can be read the deadline has
// passed, after which TLS connections can be read from again.
type socket struct {
	fd  int
	out []byte
}

// newSecure puts a socket beneath a TLS connection that layers returned and that
// nobody else uses any more.
func newSecure(conn *tls.Conn, fd int) *secure {
	s := &secure{conn: conn, socket: &socket{fd: fd}}
	conn.NetConn().(*wire).Conn = s.socket
	return s
}

// seal returns the records that carry b and what the TLS connection had to say
// itself. The last of them end the connection.
func (s *secure) seal(b, room []byte, last bool) ([]byte, error) {
	s.socket.out = append(room, s.socket.out...)
	_, err := s.conn.Write(b)
	if last && err == nil {
		err = s.conn.CloseWrite()
	}
	out := s.socket.out
	s.socket.out = nil
	return out, err
}

// listen reads what the client sends, which can only be that it ends the
// connection, or has new keys. It reports whether the connection stays. Who
// sends anything else is not listened to any more: the kernel makes it wait.
func (s *secure) listen() bool {
	var room [512]byte
	for !s.deaf {
		n, err := s.conn.Read(room[:])
		s.deaf = n > 0
		if err != nil {
			return os.IsTimeout(err)
		}
	}
	return true
}

// said reports whether there is something to be sent that answers what was read.
func (s *secure) said() bool { return len(s.socket.out) > 0 }

func (s *socket) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(s.fd, b)
		switch {
		case n > 0:
			return n, nil
		case err == nil:
			return 0, io.EOF
		case err == unix.EAGAIN:
			return 0, os.ErrDeadlineExceeded
		case err != unix.EINTR:
			return 0, err
		}
	}
}

func (s *socket) Write(b []byte) (int, error) {
	s.out = append(s.out, b...)
	return len(b), nil
}

func (s *socket) Close() error                     { return nil } // the writer's to do
func (s *socket) LocalAddr() net.Addr              { return nil }
func (s *socket) RemoteAddr() net.Addr             { return nil }
func (s *socket) SetDeadline(time.Time) error      { return nil }
func (s *socket) SetReadDeadline(time.Time) error  { return nil }
func (s *socket) SetWriteDeadline(time.Time) error { return nil }
