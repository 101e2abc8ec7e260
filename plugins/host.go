package plugins

import (
	"context"
	"errors"
	"time"
)

// Host runs plugins of one form: processes, or WebAssembly modules. Its methods
// may be called concurrently.
type Host interface {
	// Load makes a program of a file that does not change any more. What can be
	// found wrong without running it is an error that says what and where.
	Load(ctx context.Context, file string) (Program, error)
}

// Program is a plugin's loaded file. Its methods may be called concurrently.
type Program interface {
	// Call runs the program once, from its start to its end. Each line of its
	// standard output goes to c.Output as soon as it is complete, each of its
	// standard error to c.Log. When Call returns, nothing of the run is left: no
	// process, no descendant of it, no goroutine, no descriptor.
	//
	// The error is nil when the program ended with code 0, and else a *CallError.
	Call(ctx context.Context, c Call) error

	// Close frees the program. Calls that run must have ended.
	Close() error
}

// Call is what one run is given.
type Call struct {
	Name  string // the plugin's
	Input []byte // standard input: the trigger, one line of JSON; then it is closed

	// Open, when it is set, says that the program is to run on (the trigger
	// stream): its standard input is closed only when ctx ends. It then has Grace
	// to end by itself, with all that it has to say, before it is killed.
	Open  bool
	Grace time.Duration

	// Output is called with each line of standard output, without its line end.
	// The line is the callee's only until it returns. An error ends the run. It
	// is called by one goroutine at a time, and all lines are given before Call
	// returns.
	Output func(line []byte) error

	// Log is called with each line of standard error, as Output is.
	Log func(line []byte)

	// TooLong is called where a line of Output was longer than Limits.Line and
	// was left out.
	TooLong func(number int)

	Limits Limits
	Allow  Allow
}

// Limits bound a run. All are set.
type Limits struct {
	Time   time.Duration // of the run; 0 for one that is kept open
	Memory int64         // bytes
	Output int64         // bytes of standard output
	Log    int64         // bytes of standard error that are taken; more is dropped
	Line   int           // bytes of a line
}

// Allow is what a run may reach beside its standard streams.
type Allow struct {
	Folders     []Folder
	Hosts       []string          // host[:port] that a WebAssembly module may ask through the host; see doc
	Environment map[string]string // further environment variables
}

// Folder is a folder of this computer that a WebAssembly module may see.
type Folder struct {
	Path     string // here
	Guest    string // where the module sees it
	Writable bool
}

// Reason says in one word why a call failed.
type Reason string

// The reasons.
const (
	Exit    Reason = "exit"    // it ended with a code other than 0, or a signal, or a trap
	Timeout Reason = "timeout" // it took longer than it may
	Memory  Reason = "memory"  // it wanted more memory than it may have
	Output  Reason = "output"  // it wrote more than it may
	Stopped Reason = "stopped" // the context ended
	Refused Reason = "refused" // Call.Output returned an error; see errors.Unwrap
	Start   Reason = "start"   // it could not be started
	Fetch   Reason = "fetch"   // what it was to be given could not be fetched
)

// CallError says why a call failed.
type CallError struct {
	Reason Reason
	Code   int   // the exit code, with Exit; -1 where it has none
	Err    error // a sentence for the plugin's author
}

func (e *CallError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }

// ReasonOf returns why a call failed, and "" for nil and other errors.
func ReasonOf(err error) Reason {
	var failed *CallError
	if errors.As(err, &failed) {
		return failed.Reason
	}
	return ""
}
