package sourcetest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

// hook is the name of the one source that has deliveries.
const hook = "conformance"

// recorder is a store for one source, which can refuse and cut.
type recorder struct {
	t          *testing.T
	deliveries queue

	mu     sync.Mutex
	events []sources.Event
	cursor json.RawMessage
	target int // how many events end a run; 0 for none

	// Of the present run:
	calls   int
	cut     func(call int) (keep bool, err error)
	stored  func(n int) // called with the number of events that are stored
	refused func()
	stop    bool // the cut ends the context
}

func newRecorder(t *testing.T) *recorder { return &recorder{t: t} }

// until makes runs end when n events are stored.
func (r *recorder) until(n int) { r.target = n }

// errCut stands for a cut of which Emit says nothing.
var errCut = errors.New("cut")

// cutAt cuts each run at its event number n: whether that is stored, what Emit
// returns, and whether the context ends.
func (r *recorder) cutAt(n int, c cut) {
	r.stop = c.stop
	r.cut = func(call int) (bool, error) {
		switch {
		case call < n:
			return true, nil
		case c.err == nil:
			return c.keep, errCut
		}
		return c.keep, c.err
	}
}

func (r *recorder) data() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]string, len(r.events))
	for i, e := range r.events {
		all[i] = string(e.Data)
	}
	return all
}

// output is the Output of one run.
type output struct {
	*recorder
	began  json.RawMessage
	cancel context.CancelFunc
	over   chan struct{} // closed when the run has come as far as it should
	once   sync.Once
}

// begin starts the count of a run; cancel ends its context.
func (r *recorder) begin(cancel context.CancelFunc) *output {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = 0
	return &output{recorder: r, began: r.cursor, cancel: cancel, over: make(chan struct{})}
}

func (o *output) Cursor() json.RawMessage { return append(json.RawMessage(nil), o.began...) }

func (o *output) Delivery(ctx context.Context, after uint64) (sources.Delivery, error) {
	return o.deliveries.next(ctx, hook, after)
}

func (o *output) Log() *slog.Logger { return slog.New(slog.DiscardHandler) }

func (o *output) Warn(err error) {
	if err != nil && strings.ContainsAny(err.Error(), "\r\n") {
		o.t.Errorf("a warning of more than one line: %q", err)
	}
}

func (o *output) SaveCursor(ctx context.Context, cursor json.RawMessage) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.check(cursor)
	o.cursor = append(json.RawMessage(nil), cursor...)
	return nil
}

func (o *output) Emit(ctx context.Context, e sources.Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o.checkEvent(e)
	o.mu.Lock()
	o.calls++
	keep, err := true, error(nil)
	if o.cut != nil {
		keep, err = o.cut(o.calls)
	}
	if keep {
		o.keep(e)
	}
	n, target := len(o.events), o.target
	o.mu.Unlock()
	if keep && o.stored != nil {
		o.stored(n)
	}
	return o.answer(err, target > 0 && n >= target)
}

// keep stores an event and its cursor.
func (o *output) keep(e sources.Event) {
	e.Data = append([]byte(nil), e.Data...)
	o.events = append(o.events, e)
	if e.Cursor != nil {
		o.cursor = append(json.RawMessage(nil), e.Cursor...)
	}
}

// answer is what Emit returns.
func (o *output) answer(err error, reached bool) error {
	var one *sources.EventError
	if errors.As(err, &one) {
		if o.refused != nil {
			o.refused()
		}
		return err
	}
	if reached || err != nil {
		o.once.Do(func() {
			if reached || o.stop {
				close(o.over)
			}
		})
	}
	if err != nil && o.stop {
		o.cancel()
	}
	if errors.Is(err, errCut) {
		return nil
	}
	return err
}

// checkEvent checks what every store would.
func (o *output) checkEvent(e sources.Event) {
	wall, kind := e.Wall, e.Kind
	if wall == "" {
		wall = "main"
	}
	if _, err := stream.NewSubject(wall, kind, e.Key); err != nil {
		o.t.Errorf("an event's subject: %v", err)
	}
	if len(e.Data) == 0 {
		o.t.Error("an event without a payload")
	}
	if !utf8.Valid(e.Data) {
		o.t.Errorf("a payload that is no UTF-8: %q", e.Data)
	}
	if e.Cursor != nil {
		o.check(e.Cursor)
	}
}

func (o *output) check(cursor json.RawMessage) {
	if !json.Valid(cursor) {
		o.t.Errorf("a cursor that is no JSON: %q", cursor)
	}
	if len(cursor) > 4<<10 {
		o.t.Errorf("a cursor of %d bytes; it travels in a header", len(cursor))
	}
}

var runs atomic.Uint64

// runLabelled runs src under a profiler label, which every goroutine inherits
// that comes of it.
func runLabelled(ctx context.Context, src sources.Source, out sources.Output) (label string, ended <-chan error) {
	label = strconv.FormatUint(runs.Add(1), 10)
	result := make(chan error, 1)
	go func() {
		var err error
		pprof.Do(ctx, pprof.Labels("sourcetest", label), func(ctx context.Context) { err = src.Run(ctx, out) })
		result <- err
	}()
	return label, result
}

// checkGoroutines fails when a goroutine of the run is left.
func checkGoroutines(t *testing.T, label string) {
	t.Helper()
	mark := `"sourcetest":"` + label + `"`
	var left string
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if left = labelled(mark); left == "" {
			return
		}
	}
	t.Errorf("Run has returned and left a goroutine behind:\n%s", left)
}

// labelled returns the stacks of the goroutines whose labels hold mark.
func labelled(mark string) string {
	var all, found strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
		return err.Error()
	}
	for stack := range strings.SplitSeq(all.String(), "\n\n") {
		if strings.Contains(stack, mark) {
			found.WriteString(stack + "\n\n")
		}
	}
	return found.String()
}
