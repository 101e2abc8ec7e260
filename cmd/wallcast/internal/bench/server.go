package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
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

const (
	startTimeout = 30 * time.Second
	endTimeout   = 10 * time.Second

	minOwnPayload = 64 << 10
)

// ownServer is a running wall of our own.
type ownServer struct {
	folder string
	cmd    *exec.Cmd
	words  announcement // on standard output
	said   tail         // on standard error
	ended  chan struct{}
	err    error // how it ended; read after ended
}

// announcement waits for the line that tells the wall's address.
type announcement struct {
	tail
	found chan string
}

var announced = regexp.MustCompile(`The wall is at +(https?://[^/\s]+)/walls/main\b`)

func (a *announcement) Write(b []byte) (int, error) {
	n, err := a.tail.Write(b)
	if m := announced.FindStringSubmatch(a.tail.String()); m != nil {
		select {
		case a.found <- m[1]:
		default: // it is known
		}
	}
	return n, err
}

// start starts the wall and waits until it serves.
func (o Own) start(ctx context.Context, payload int) (*ownServer, Target, error) {
	folder, err := os.MkdirTemp(o.Folder, "wallcast-bench-")
	if err != nil {
		return nil, Target{}, fmt.Errorf("making a folder for the test's data: %w", err)
	}
	s := &ownServer{folder: folder, words: announcement{found: make(chan string, 1)}, ended: make(chan struct{})}
	listen := o.Listen
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	file := filepath.Join(folder, "wallcast.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, ownConfig, listen, max(payload, minOwnPayload)), 0o600); err != nil {
		return nil, Target{}, errors.Join(fmt.Errorf("writing the test's configuration: %w", err), os.RemoveAll(folder))
	}
	base, err := s.launch(ctx, o.Program, "serve", "-c", file)
	if err != nil {
		return nil, Target{}, errors.Join(err, s.stop())
	}
	return s, Target{Base: base, Wall: "main"}, nil
}

// launch starts the process and returns the address that it announces.
func (s *ownServer) launch(ctx context.Context, program string, args ...string) (string, error) {
	s.cmd = exec.Command(program, args...)
	s.cmd.Stdout, s.cmd.Stderr = &s.words, &s.said
	detach(s.cmd)
	started := make(chan error)
	go s.wait(started)
	if err := <-started; err != nil {
		return "", fmt.Errorf("starting the wall: %w", err)
	}
	select {
	case base := <-s.words.found:
		return base, nil
	case <-s.ended:
		return "", s.failure()
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(startTimeout):
		return "", fmt.Errorf("the wall did not start within %s; it said: %s", startTimeout, s.said.String())
	}
}

// failure is why the process ended by itself.
func (s *ownServer) failure() error {
	return fmt.Errorf("the wall under test ended (%w); it said: %s", s.err, s.said.String())
}

// gone reports whether the process has ended by itself. It may be asked of no
// server.
func (s *ownServer) gone() bool {
	if s == nil {
		return false
	}
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// stop ends the process and removes its data.
func (s *ownServer) stop() error {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(os.Interrupt) // it may have ended; then there is nothing to do
		select {
		case <-s.ended:
		case <-time.After(endTimeout):
			_ = s.cmd.Process.Kill()
			<-s.ended
		}
	}
	if err := os.RemoveAll(s.folder); err != nil {
		return fmt.Errorf("removing the test's data: %w", err)
	}
	return nil
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const maxTail = 4 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if over := len(t.text) - maxTail; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text := strings.TrimSpace(string(t.text)); text != "" {
		return text
	}
	return "nothing"
}
