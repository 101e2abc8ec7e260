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
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return ownUserListener{l}, nil
}

// ownUserListener accepts connections of the program's own user and of root.
type ownUserListener struct{ net.Listener }

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
