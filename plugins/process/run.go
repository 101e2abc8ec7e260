//go:build unix

package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/wallcast/wallcast/plugins"
)

// drain is how long the streams may stay open once the program has ended and its
// group is killed: somebody who got away may hold them.
const drain = 500 * time.Millisecond

// sweep is how often orphans that have ended are reaped during a run: until then
// they count as processes of its user.
const sweep = 250 * time.Millisecond

// run is one process group and what becomes of its streams.
type run struct {
	call    plugins.Call
	process *os.Process
	stdin   *os.File
	stdout  *stream
	stderr  *stream
	pumps   sync.WaitGroup // of the three streams

	mu      sync.Mutex
	failure error // the first, which ended the run
	reaped  bool  // the group's number may belong to others by now
}

// start starts the program with its streams.
func (r *run) start(p *program, folder string, u user) error {
	var ours, theirs []*os.File
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
	}()
	for range 3 {
		read, write, err := os.Pipe()
		if err != nil {
			closeAll(ours)
			return err
		}
		ours, theirs = append(ours, read), append(theirs, write)
	}
	ours[0], theirs[0] = theirs[0], ours[0] // of standard input we have the other end

	attr := os.ProcAttr{Dir: folder, Env: environment(r.call, folder), Files: theirs}
	path := p.path
	if p.file != nil {
		path = "/proc/self/fd/3"
		attr.Files = append(attr.Files[:3:3], p.file)
	}
	process, err := startPatiently(path, []string{filepath.Base(p.path)}, &attr, r.call.Limits, u)
	if err != nil {
		closeAll(ours)
		return err
	}
	r.process, r.stdin = process, ours[0]
	r.stdout, r.stderr = &stream{file: ours[1]}, &stream{file: ours[2]}
	r.pumps.Go(r.feed)
	r.pumps.Go(r.readOutput)
	r.pumps.Go(r.readLog)
	return nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// startPatiently is startLimited, tried again for a moment while the file is
// busy: a file that was just written may still be open for writing in a process
// that we were starting at that time.
func startPatiently(path string, args []string, attr *os.ProcAttr, limits plugins.Limits, u user) (*os.Process, error) {
	for wait := time.Millisecond; ; wait *= 2 {
		process, err := startLimited(path, args, attr, limits, u)
		if !errors.Is(err, syscall.ETXTBSY) || wait > 300*time.Millisecond {
			return process, err
		}
		time.Sleep(wait)
	}
}

// kill kills the group. No such group means that all of it has ended.
func (r *run) kill() { _ = syscall.Kill(-r.process.Pid, syscall.SIGKILL) }

// fail ends the run for a reason; the first counts.
func (r *run) fail(reason plugins.Reason, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure == nil {
		r.failure = &plugins.CallError{Reason: reason, Code: -1, Err: err}
	}
	if !r.reaped {
		r.kill()
	}
}

// feed writes the input and, unless the run goes on with it open, closes it. A
// program that doesn't read is none of our business.
func (r *run) feed() {
	_, _ = r.stdin.Write(append(append([]byte(nil), r.call.Input...), '\n'))
	if !r.call.Open {
		r.stdin.Close()
	}
}

func (r *run) readOutput() {
	l := r.call.Limits
	lines := plugins.Lines{Most: l.Line, Total: l.Output, Line: r.call.Output, TooLong: r.call.TooLong}
	err := copyLines(&lines, r.stdout)
	switch {
	case err == plugins.ErrTooMuch:
		r.fail(plugins.Output, fmt.Errorf("it wrote more than %d bytes to its standard output", l.Output))
	case err != nil:
		r.fail(plugins.Refused, err)
	}
}

func (r *run) readLog() {
	l := r.call.Limits
	lines := plugins.Lines{Most: l.Line, Total: l.Log, Line: func(line []byte) error {
		r.call.Log(line)
		return nil
	}}
	_ = copyLines(&lines, r.stderr) // what is too much is dropped, so there is none
}

// finish waits for the end of the run and returns why it was one.
func (r *run) finish(ctx context.Context) error {
	var state *os.ProcessState
	var err error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		state, err = r.reap()
	}()
	r.watch(ctx, ended)
	reapStrays(r.process.Pid)

	r.stdin.Close()
	r.stdout.endAt(time.Now().Add(drain))
	r.stderr.endAt(time.Now().Add(drain))
	r.pumps.Wait()
	r.stdout.file.Close()
	r.stderr.file.Close()
	switch {
	case r.failure != nil:
		return r.failure
	case err != nil:
		return startError(fmt.Errorf("waiting for it: %w", err))
	}
	return exitError(state)
}

// watch ends the run when its time is over or ctx ends, and returns once it has
// ended.
func (r *run) watch(ctx context.Context, ended <-chan struct{}) {
	var over, grace <-chan time.Time
	if limit := r.call.Limits.Time; limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		over = timer.C
	}
	orphans := time.NewTicker(sweep)
	defer orphans.Stop()
	done := ctx.Done()
	for {
		select {
		case <-ended:
			return
		case <-orphans.C:
			reapDead()
		case <-over:
			r.fail(plugins.Timeout, fmt.Errorf("it took longer than %s", r.call.Limits.Time))
		case <-done:
			done = nil
			if !r.call.Open {
				r.fail(plugins.Stopped, context.Cause(ctx))
				continue
			}
			r.stdin.Close()
			timer := time.NewTimer(r.call.Grace)
			defer timer.Stop()
			grace = timer.C
		case <-grace:
			r.fail(plugins.Stopped, fmt.Errorf("it went on for %s after the end of its standard input: %w", r.call.Grace, context.Cause(ctx)))
		}
	}
}

// exitError is why a program that ended by itself failed, or nil.
func exitError(state *os.ProcessState) error {
	status, ok := state.Sys().(syscall.WaitStatus)
	switch {
	case state.Success():
		return nil
	case ok && status.Signaled() && status.Signal() == syscall.SIGKILL:
		return &plugins.CallError{Reason: plugins.Exit, Code: -1, Err: errors.New("killed by signal: killed; not by Wallcast, perhaps because the system ran out of memory")}
	case ok && status.Signaled():
		return &plugins.CallError{Reason: plugins.Exit, Code: -1, Err: fmt.Errorf("killed by signal: %s", status.Signal())}
	}
	return &plugins.CallError{Reason: plugins.Exit, Code: state.ExitCode(), Err: fmt.Errorf("ended with exit code %d", state.ExitCode())}
}
