//go:build unix

package process

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"
)

// largestPipe is how much a pipe can hold that an ordinary user has made larger.
const largestPipe = 1 << 20

// stream is our end of a pipe that a program writes to. With a time set by
// endAt, it ends then even if the pipe doesn't; but not before what the pipe held
// by then has been read, however slow the reader is.
type stream struct {
	file *os.File
	late int // bytes read after that time
}

func (s *stream) endAt(t time.Time) { _ = s.file.SetReadDeadline(t) } // pipes have deadlines

// Read implements io.Reader.
func (s *stream) Read(b []byte) (int, error) {
	n, err := s.file.Read(b)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	if s.late >= largestPipe {
		return 0, io.EOF
	}
	// The file refuses to read now; its descriptor doesn't, and doesn't block.
	conn, err := s.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var readErr error
	err = conn.Control(func(fd uintptr) {
		for {
			n, readErr = syscall.Read(int(fd), b)
			if readErr != syscall.EINTR {
				return
			}
		}
	})
	if err != nil || readErr != nil || n <= 0 {
		return 0, io.EOF
	}
	s.late += n
	return n, nil
}
