//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/bench"
)

// audience is a generator as seen from here: a process with viewers.
type audience struct {
	cmd  *exec.Cmd
	in   io.Closer
	said chan string // lines on its standard output
	err  strings.Builder
}

// watch starts a generator and waits until all its viewers are there. The job
// tells what they want; how to reach the server is filled in.
func (s *server) watch(ctx context.Context, j job) (*audience, error) {
	j.Address, j.Host, j.Secret = s.address, s.host, s.secret
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program's own file: %w", err)
	}
	a := &audience{cmd: exec.CommandContext(ctx, program, beGenerator, string(text)), said: make(chan string, 2)}
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the terminal's Ctrl-C is ours
	a.cmd.Stderr = &a.err
	if a.in, err = a.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := a.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the generator: %w", err)
	}
	go func() {
		defer close(a.said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			a.said <- lines.Text()
		}
	}()
	if line, err := a.hear(ctx); err != nil || line != "open" {
		return nil, errors.Join(fmt.Errorf("opening %d viewers of the %s: %w", j.Viewers, s.contender, err), a.close())
	}
	return a, nil
}

// answerTimeout is how long viewers may take to get what they are to get. A
// loaded computer needs many times what a quiet one does.
const answerTimeout = 3 * time.Minute

// hear waits for the generator's next words.
func (a *audience) hear(ctx context.Context) (string, error) {
	timer := time.NewTimer(answerTimeout)
	defer timer.Stop()
	select {
	case line, ok := <-a.said:
		if !ok {
			return "", errors.New("the generator has ended")
		}
		return line, nil
	case <-timer.C:
		return "", fmt.Errorf("it takes longer than %s", answerTimeout)
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// tally waits until all viewers have got all.
func (a *audience) tally(ctx context.Context) (tally, error) {
	var t tally
	line, err := a.hear(ctx)
	if err != nil {
		return t, fmt.Errorf("waiting for the viewers: %w", err)
	}
	err = json.Unmarshal([]byte(line), &t)
	return t, err
}

// cpu is the processor time that the generator has used.
func (a *audience) cpu() time.Duration {
	used, err := bench.Observed{PID: a.cmd.Process.Pid}.CPU()
	if err != nil {
		return 0
	}
	return used
}

// close ends the generator. The error is what it complained of.
func (a *audience) close() error {
	_ = a.in.Close()
	for range a.said { // until it has ended
	}
	if err := a.cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(a.err.String()))
	}
	return nil
}
