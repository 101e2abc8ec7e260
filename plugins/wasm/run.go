package wasm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/tetratelabs/wazero/sys"

	"github.com/wallcast/wallcast/plugins"
)

// run is one instance of a module and what it has outside of it. The module runs
// in the goroutine of its call, and so does everything here but watch.
type run struct {
	call     plugins.Call
	client   *http.Client
	ctx      context.Context // ends when the module is to be killed, because of a *plugins.CallError
	kill     context.CancelCauseFunc
	ended    chan struct{} // closed when the module has ended
	watching sync.WaitGroup

	stdin          *input
	stdout, stderr output
	folders        []*os.Root
	files          int    // that are open in them
	written        int64  // bytes to them
	answer         []byte // to the last fetch
}

func newRun(ctx context.Context, c plugins.Call, client *http.Client) *run {
	r := &run{call: c, client: client, ended: make(chan struct{})}
	r.ctx, r.kill = context.WithCancelCause(context.WithoutCancel(ctx))
	r.stdin = &input{rest: append(append([]byte(nil), c.Input...), '\n'), killed: r.ctx.Done()}
	if c.Open {
		r.stdin.more = ctx.Done()
	}
	r.stdout = output{run: r, lines: plugins.Lines{Most: c.Limits.Line, Total: c.Limits.Output, Line: c.Output, TooLong: c.TooLong}}
	r.stderr = output{run: r, lines: plugins.Lines{Most: c.Limits.Line, Total: c.Limits.Log, Line: func(line []byte) error {
		c.Log(line)
		return nil
	}}}
	return r
}

// watch kills the module when its time is over or ctx ends.
func (r *run) watch(ctx context.Context) {
	r.watching.Go(func() {
		var over, grace <-chan time.Time
		if limit := r.call.Limits.Time; limit > 0 {
			timer := time.NewTimer(limit)
			defer timer.Stop()
			over = timer.C
		}
		done := ctx.Done()
		for {
			select {
			case <-r.ended:
				return
			case <-over:
				r.kill(failed(plugins.Timeout, fmt.Errorf("it took longer than %s", r.call.Limits.Time)))
			case <-done:
				done = nil
				if !r.call.Open {
					r.kill(failed(plugins.Stopped, context.Cause(ctx)))
					continue
				}
				timer := time.NewTimer(r.call.Grace)
				defer timer.Stop()
				grace = timer.C
			case <-grace:
				r.kill(failed(plugins.Stopped, fmt.Errorf("it went on for %s after the end of its standard input: %w", r.call.Grace, context.Cause(ctx))))
			}
		}
	})
}

// end frees what the run has.
func (r *run) end() {
	close(r.ended)
	r.watching.Wait()
	r.kill(nil)
	for _, folder := range r.folders {
		folder.Close()
	}
}

// sleep is how a module waits.
func (r *run) sleep(nanoseconds int64) {
	timer := time.NewTimer(time.Duration(nanoseconds))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.ctx.Done():
	}
}

// environment is what every run gets.
func (r *run) environment() map[string]string {
	values := map[string]string{"LANG": "C.UTF-8", "WALLCAST_PLUGIN": r.call.Name}
	maps.Copy(values, r.call.Allow.Environment)
	return values
}

// input is standard input.
type input struct {
	rest   []byte
	more   <-chan struct{} // with this, it ends only when that is closed
	killed <-chan struct{}
}

// Read implements io.Reader.
func (i *input) Read(b []byte) (int, error) {
	if len(i.rest) == 0 {
		i.wait(nil)
		return 0, io.EOF
	}
	n := copy(b, i.rest)
	i.rest = i.rest[n:]
	return n, nil
}

// wait waits for the end of the input, and reports whether that came first.
func (i *input) wait(until <-chan time.Time) bool {
	if i.more == nil {
		return true
	}
	select {
	case <-i.more:
	case <-i.killed:
	case <-until:
		return false
	}
	return true
}

// output is standard output or standard error.
type output struct {
	run   *run
	lines plugins.Lines
}

// Write implements io.Writer.
func (o *output) Write(data []byte) (int, error) {
	if err := o.run.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := o.lines.Write(data)
	if err != nil {
		o.fail(err)
	}
	return n, err
}

// finish gives what is left.
func (o *output) finish() {
	if err := o.lines.End(); err != nil {
		o.fail(err)
	}
}

// fail ends the run. It went on only to hear of that, so the first reason counts.
func (o *output) fail(err error) {
	if err == plugins.ErrTooMuch {
		o.run.kill(failed(plugins.Output, fmt.Errorf("it wrote more than %d bytes to its standard output", o.run.call.Limits.Output)))
		return
	}
	o.run.kill(failed(plugins.Refused, err))
}

// whileRunning is a reader that ends with its run, so that a module can't
// outlast its time with one long read.
type whileRunning struct {
	run  *run
	from io.Reader
}

// Read implements io.Reader.
func (w whileRunning) Read(b []byte) (int, error) {
	if err := w.run.ctx.Err(); err != nil {
		return 0, err
	}
	return w.from.Read(b[:min(len(b), 1<<20)])
}

// result is why the run failed, or nil. err is how the module ended.
func (r *run) result(err error, wantedMemory bool) error {
	r.stdout.finish()
	r.stderr.finish()
	killed, _ := context.Cause(r.ctx).(*plugins.CallError)
	switch {
	case killed != nil:
		return killed // even if it ended well: its sleep was cut short, or its output
	case err == nil:
		return nil
	}
	code, err := explain(err)
	if wantedMemory {
		return failed(plugins.Memory, fmt.Errorf("it wanted more memory than the %d bytes that it may have, and then %w", r.call.Limits.Memory, err))
	}
	return &plugins.CallError{Reason: plugins.Exit, Code: code, Err: err}
}

// traps says what ended a module, by what the engine says of it.
var traps = []struct{ sign, text string }{
	{"unreachable", "gave up at an unreachable instruction: a panic, an abort or a failed assertion; its log may say more"},
	{"out of bounds memory access", "used memory that it does not have, through a wrong pointer or index"},
	{"stack overflow", "called functions within functions too deeply: an endless recursion"},
	{"integer divide by zero", "divided by zero"},
	{"integer overflow", "computed a number that is too large for its type"},
	{"invalid conversion to integer", "turned a number that is none (NaN) into an integer"},
	{"invalid table access", "called a function through a pointer that points to none"},
	{"indirect call type mismatch", "called a function through a pointer to one of another type"},
}

// explain returns the exit code of a module that ended by itself, or -1, and a
// sentence that follows on "it".
func explain(err error) (int, error) {
	var exit *sys.ExitError
	if errors.As(err, &exit) {
		return int(exit.ExitCode()), fmt.Errorf("ended with exit code %d", exit.ExitCode())
	}
	text, trace, _ := strings.Cut(err.Error(), "\nwasm stack trace:")
	for _, t := range traps {
		if strings.HasSuffix(text, t.sign) {
			text = t.text
			break
		}
	}
	return -1, fmt.Errorf("%s%s", strings.TrimPrefix(text, "module[] function[_start] failed: "), where(trace))
}

// where names the innermost functions of a stack trace.
func where(trace string) string {
	var names []string
	for line := range strings.Lines(trace) {
		name, _, ok := strings.Cut(strings.TrimSpace(line), "(")
		if ok && len(names) < 3 {
			names = append(names, strings.TrimPrefix(name, "."))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (in " + strings.Join(names, ", called by ") + ")"
}
