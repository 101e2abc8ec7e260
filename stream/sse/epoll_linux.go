package sse

import (
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// epoll tells when connections can be written to again, and when their other
// end is gone. Waiting for it takes no thread: it is itself waited for by the
// Go runtime.
type epoll struct {
	file *os.File
	fd   int
}

func newEpoll() (*epoll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("opening an epoll instance: %w", err)
	}
	_ = unix.SetNonblock(fd, true) // has os.NewFile give it to the runtime
	return &epoll{os.NewFile(uintptr(fd), "epoll"), fd}, nil
}

// add watches a descriptor until it is closed, and tells too when it can be read
// from if that is asked for. Its events carry serial.
func (e *epoll) add(fd int, serial int32, read bool) error {
	events := uint32(unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET)
	if read {
		events |= unix.EPOLLIN
	}
	return unix.EpollCtl(e.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd), Pad: serial})
}

// wait hands events to f until e is closed. Each is only told once.
func (e *epoll) wait(f func([]unix.EpollEvent)) {
	raw, err := e.file.SyscallConn()
	if err != nil {
		return // it is closed already
	}
	var room [256]unix.EpollEvent
	_ = raw.Read(func(fd uintptr) bool {
		for {
			n, err := unix.EpollWait(int(fd), room[:], 0)
			if n > 0 {
				f(slices.Clone(room[:n]))
			} else if err != unix.EINTR {
				return false // wait for more
			}
		}
	})
}

func (e *epoll) close() { _ = e.file.Close() }
