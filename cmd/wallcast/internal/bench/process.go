package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"
)

const (
	startTimeout = 30 * time.Second
	endTimeout   = 10 * time.Second
)

// Process is a server under test, which was started for it. Its methods may be
// called concurrently.
type Process struct {
	cmd   *exec.Cmd
	words announcement // on standard output
	said  tail         // on standard error
	ended chan struct{}
	err   error // how it ended; read after ended
}

// Launch starts a program that serves a wall named main, and returns when it has
// told its address on standard output, in the words of "wallcast serve": base is
// the address without the path. The caller calls Stop. The process ends with this
// one (on Linux) and does not get the terminal's Ctrl-C.
func Launch(ctx context.Context, program string, args ...string) (p *Process, base string, err error) {
	p = &Process{cmd: exec.Command(program, args...), words: announcement{found: make(chan string, 1)}, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.words, &p.said
	detach(p.cmd)
	started := make(chan error)
	go p.wait(started)
	if err := <-started; err != nil {
		return nil, "", fmt.Errorf("starting the wall: %w", err)
	}
	if base, err = p.announced(ctx); err != nil {
		p.Stop()
		return nil, "", err
	}
	return p, base, nil
}

// announced waits for the address.
func (p *Process) announced(ctx context.Context) (string, error) {
	select {
	case base := <-p.words.found:
		return base, nil
	case <-p.ended:
		return "", p.failure()
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(startTimeout):
		return "", fmt.Errorf("the wall did not start within %s; it said: %s", startTimeout, p.said.String())
	}
}

// Observe returns what the process uses.
func (p *Process) Observe() Observed { return Observed{p.cmd.Process.Pid} }

// failure is why the process ended by itself.
func (p *Process) failure() error {
	return fmt.Errorf("the wall under test ended (%w); it said: %s", p.err, p.said.String())
}

// gone reports whether the process has ended by itself.
func (p *Process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Stop ends the process as a terminal does, by force after ten seconds, and
// waits for its end.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(os.Interrupt) // it may have ended; then there is nothing to do
	select {
	case <-p.ended:
	case <-time.After(endTimeout):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
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
