//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A poller reads the connections of many viewers from one goroutine: what it costs
// to hold them is not what is to be measured.
type poller struct {
	generator *generator
	epoll     int
	viewers   []atomic.Pointer[viewer] // by descriptor
	buffer    []byte
	events    [512]unix.EpollEvent
	delays    []float64
}

const readSize = 128 << 10

// openPlain opens viewers over plain HTTP.
func (g *generator) openPlain() (delays func() []float64, err error) {
	address, err := socketAddress(g.Address)
	if err != nil {
		return nil, err
	}
	viewers := make([]viewer, g.Viewers)
	byDescriptor := make([]atomic.Pointer[viewer], g.Viewers+spareDescriptors)
	pollers := make([]*poller, runtime.GOMAXPROCS(0))
	for i := range pollers {
		epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			return nil, os.NewSyscallError("epoll_create1", err)
		}
		pollers[i] = &poller{generator: g, epoll: epoll, viewers: byDescriptor, buffer: make([]byte, keepSize+readSize)}
		go pollers[i].run()
	}
	for i := range viewers {
		g.turn <- struct{}{}
		v := &viewers[i]
		v.next = g.First
		if v.fd, err = connect(address, g.request(i)); err != nil {
			return nil, err
		}
		if v.fd >= len(byDescriptor) {
			return nil, fmt.Errorf("descriptor %d is higher than was reckoned with", v.fd)
		}
		byDescriptor[v.fd].Store(v)
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(v.fd)}
		if err := unix.EpollCtl(pollers[i%len(pollers)].epoll, unix.EPOLL_CTL_ADD, v.fd, &event); err != nil {
			return nil, os.NewSyscallError("epoll_ctl", err)
		}
	}
	return func() []float64 {
		var all []float64
		for _, p := range pollers {
			all = append(all, p.delays...)
		}
		return all
	}, nil
}

// spareDescriptors is what a generator has open beside its viewers, at most.
const spareDescriptors = 64

func socketAddress(address string) (*unix.SockaddrInet4, error) {
	tcp, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return nil, err
	}
	return &unix.SockaddrInet4{Port: tcp.Port, Addr: [4]byte(tcp.IP.To4())}, nil
}

// connect connects and sends the request.
func connect(address *unix.SockaddrInet4, request []byte) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := unix.Connect(fd, address); err != nil {
		return -1, os.NewSyscallError("connect", err)
	}
	if _, err := unix.Write(fd, request); err != nil { // a new connection takes it whole
		return -1, os.NewSyscallError("write", err)
	}
	return fd, os.NewSyscallError("fcntl", unix.SetNonblock(fd, true))
}

// run reads until the process ends.
func (p *poller) run() {
	for {
		n, err := unix.EpollWait(p.epoll, p.events[:], -1)
		if err != nil && err != unix.EINTR {
			p.generator.lose(os.NewSyscallError("epoll_wait", err))
			return
		}
		for i := range max(n, 0) {
			p.read(p.viewers[p.events[i].Fd].Load())
		}
	}
}

// read reads once what has come for a viewer.
func (p *poller) read(v *viewer) {
	n, err := unix.Read(v.fd, p.buffer[keepSize:])
	switch {
	case err == unix.EAGAIN, err == unix.EINTR:
		return
	case err == nil && n == 0:
		err = io.EOF
	case err == nil:
		if err = p.take(v, p.buffer[:keepSize+n]); err == nil {
			return
		}
	}
	_ = unix.Close(v.fd)
	p.end(v, err)
}
