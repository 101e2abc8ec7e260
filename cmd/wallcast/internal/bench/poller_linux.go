package bench

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// pollers read the connections of many viewers, with one system call for what
// has come. A goroutine for each connection takes more of the processor, which the server
// may need: a second call that finds nothing more, and two switches.
type pollers struct {
	viewers []*viewer
	polls   []*poll
	reading sync.WaitGroup
}

// poll is an epoll instance and the goroutine that reads what is ready there.
type poll struct {
	viewers []*viewer
	file    *os.File // of the instance, which waits in Go's own poller
	buffer  [readBytes]byte
	events  [256]unix.EpollEvent
}

// start makes the pollers for viewers.
func (p *pollers) start(viewers []*viewer) error {
	p.viewers = viewers
	for range runtime.GOMAXPROCS(0) {
		fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err == nil {
			err = unix.SetNonblock(fd, true)
		}
		if err != nil {
			return fmt.Errorf("opening an epoll instance: %w", err)
		}
		one := &poll{viewers: viewers, file: os.NewFile(uintptr(fd), "epoll")}
		p.polls = append(p.polls, one)
		p.reading.Go(one.run)
	}
	return nil
}

// stop ends the pollers. Their viewers have ended.
func (p *pollers) stop() {
	for _, one := range p.polls {
		one.file.Close()
	}
	p.reading.Wait()
}

// polled is a connection that a poller reads.
type polled struct {
	fd    int
	ended chan error
}

func (l *polled) abort() {
	_ = unix.SetsockoptLinger(l.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	l.end(net.ErrClosed)
}

// end closes the connection, which takes it from its poller.
func (l *polled) end(err error) {
	_ = unix.Close(l.fd)
	l.ended <- err
}

// adopt hands a viewer's connection to a poller. The channel then tells its end;
// it is nil where the connection is none that can be read so.
func (p *pollers) adopt(v *viewer, conn net.Conn) (<-chan error, error) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.link == nil { // cut already
		return nil, net.ErrClosed
	}
	fd, err := duplicate(tcp)
	if err != nil {
		return nil, err
	}
	// The connection goes on without Go's poller, which would be told of
	// everything as well.
	_ = tcp.Close()
	l := &polled{fd, make(chan error, 1)}
	v.link = l
	if err := p.polls[v.index%len(p.polls)].add(fd, v.index); err != nil {
		l.end(err)
		v.link = nil
	}
	return l.ended, nil
}

func duplicate(tcp *net.TCPConn) (int, error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, err
	}
	var fd int
	var dupErr error
	if err := raw.Control(func(own uintptr) { fd, dupErr = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return 0, err
	}
	return fd, dupErr
}

func (p *poll) add(fd, index int) error {
	raw, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	var addErr error
	err = raw.Control(func(own uintptr) {
		// The event carries the viewer and, to know an event of a connection
		// that is closed meanwhile, the descriptor.
		addErr = unix.EpollCtl(int(own), unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(index), Pad: int32(fd)})
	})
	if err != nil {
		return err
	}
	return addErr
}

// run reads until the instance is closed.
func (p *poll) run() {
	raw, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	n := 0
	wait := func(fd uintptr) bool {
		var err error
		n, err = unix.EpollWait(int(fd), p.events[:], 0)
		return n > 0 && err == nil
	}
	for raw.Read(wait) == nil {
		for _, e := range p.events[:n] {
			p.read(p.viewers[e.Fd], int(e.Pad))
		}
	}
}

// read reads once what has come for a viewer. When more has, it is told again.
func (p *poll) read(v *viewer, fd int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	l, ok := v.link.(*polled)
	if !ok || l.fd != fd {
		return
	}
	n, err := unix.Read(fd, p.buffer[:])
	switch {
	case err == syscall.EAGAIN, err == syscall.EINTR:
		return
	case err != nil:
		err = os.NewSyscallError("read", err)
	case n == 0:
		err = io.ErrUnexpectedEOF
	default:
		err = v.takeLocked(p.buffer[:n])
	}
	if err != nil {
		l.end(err)
		v.link = nil
	}
}
