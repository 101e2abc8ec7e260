//go:build unix

package bench

import (
	"io"
	"net"
	"syscall"
)

// newReceiver returns what reads a connection. Of a plain one it waits for
// bytes without holding a buffer.
func newReceiver(conn net.Conn, take func([]byte) error) receiver {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return bufferedReceiver(conn, take)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return bufferedReceiver(conn, take)
	}
	r := &rawReceiver{conn: raw, take: take}
	read := r.read // one closure for the connection
	return func(limit int) error { return r.receive(limit, read) }
}

type rawReceiver struct {
	conn syscall.RawConn
	take func([]byte) error

	limit  int
	buffer *[readBytes]byte
	n      int
	err    error
}

func (r *rawReceiver) receive(limit int, read func(uintptr) bool) error {
	r.limit, r.buffer = limit, nil
	err := r.conn.Read(read)
	if r.buffer == nil {
		return err // closed
	}
	defer readBuffers.Put(r.buffer)
	switch {
	case r.err != nil:
		return r.err
	case r.n == 0:
		return io.ErrUnexpectedEOF
	}
	return r.take(r.buffer[:r.n])
}

// read reads once, if there is something; else the poller calls again when
// there is.
func (r *rawReceiver) read(fd uintptr) bool {
	buffer := readBuffers.Get().(*[readBytes]byte)
	n, err := syscall.Read(int(fd), buffer[:r.limit])
	for err == syscall.EINTR {
		n, err = syscall.Read(int(fd), buffer[:r.limit])
	}
	if err == syscall.EAGAIN {
		readBuffers.Put(buffer)
		return false
	}
	r.buffer, r.n, r.err = buffer, n, err
	return true
}
