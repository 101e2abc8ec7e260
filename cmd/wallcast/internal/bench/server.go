package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Own says how to start a wall for the test: a process of its own, as people
// run it, on data that is thrown away.
type Own struct {
	Program string // an executable that knows "serve"
	Folder  string // in which the temporary folder is made; empty: the system's
	Listen  string // default: a free port on loopback
}

// The wall of a test holds as much history as the test may need. Everything else
// is as on a wall that nobody configured.
const ownConfig = `listen: %q
data: data
walls:
  main:
    title: Load test
    payload: %dB
    keep: {events: 1000000}
`

// minOwnPayload is the payload that every wall takes by itself, in bytes.
const minOwnPayload = 64 << 10

// ownServer is a running wall of our own.
type ownServer struct {
	folder string
	*Process
}

// start starts the wall and waits until it serves.
func (o Own) start(ctx context.Context, payload int) (*ownServer, Target, error) {
	folder, err := os.MkdirTemp(o.Folder, "wallcast-bench-")
	if err != nil {
		return nil, Target{}, fmt.Errorf("making a folder for the test's data: %w", err)
	}
	listen := o.Listen
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	file := filepath.Join(folder, "wallcast.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, ownConfig, listen, max(payload, minOwnPayload)), 0o600); err != nil {
		return nil, Target{}, errors.Join(fmt.Errorf("writing the test's configuration: %w", err), os.RemoveAll(folder))
	}
	process, base, err := Launch(ctx, o.Program, "serve", "-c", file)
	if err != nil {
		return nil, Target{}, errors.Join(err, os.RemoveAll(folder))
	}
	return &ownServer{folder, process}, Target{Base: base, Wall: "main"}, nil
}

// stop ends the process and removes its data.
func (s *ownServer) stop() error {
	s.Stop()
	if err := os.RemoveAll(s.folder); err != nil {
		return fmt.Errorf("removing the test's data: %w", err)
	}
	return nil
}
