package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
)

// socketPath is where a running program is reached by its own user's commands.
func socketPath(data string) string { return filepath.Join(data, "control", "socket") }

// openControl opens the administration socket: the same routes, to a caller who
// may do everything. The data folder is locked, so a socket that is already
// there belongs to a program that has ended.
func (p *program) openControl(cfg *config.Config) error {
	path := socketPath(cfg.Data)
	l, err := listenSocket(path)
	if err != nil {
		return fmt.Errorf("opening the administration socket %s: %w", path, err)
	}
	p.control = newHTTPServer(access.Operator(p.routes()), p.log)
	p.control.BaseContext = func(net.Listener) context.Context { return context.Background() }
	p.opened = append(p.opened, func() { l.Close() })
	p.serving.Go(func() {
		if err := p.control.Serve(l); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			p.log.Error("the administration socket is gone", "error", err)
		}
	})
	return nil
}

func listenSocket(path string) (net.Listener, error) {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(folder, 0o700); err != nil { // it may be older, and open
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	short, done, err := shortSocketPath(path)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", short)
	if err != nil {
		return nil, errors.Join(err, done())
	}
	own := ownUserListener{l, done}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, own.Close())
	}
	return own, nil
}

// maxSocketPath is the longest path of a socket that every system takes, in bytes.
const maxSocketPath = 103

// shortSocketPath returns a path to the socket that is short enough, which is
// good until done is called.
func shortSocketPath(path string) (short string, done func() error, err error) {
	if len(path) <= maxSocketPath {
		return path, func() error { return nil }, nil
	}
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		return "", nil, fmt.Errorf("its path has %d bytes, and %d are possible here; choose a data folder with a shorter path", len(path), maxSocketPath)
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), filepath.Base(path)), folder.Close, nil
}

// ownUserListener accepts connections of the program's own user and of root.
type ownUserListener struct {
	net.Listener
	done func() error // with the path that the listener removes when it is closed
}

// Close implements net.Listener.
func (l ownUserListener) Close() error { return errors.Join(l.Listener.Close(), l.done()) }

func (l ownUserListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if unix, ok := c.(*net.UnixConn); ok && ownUser(unix) {
			return c, nil
		}
		c.Close()
	}
}
