package jq

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/itchyny/gojq"

	"github.com/wallcast/wallcast/sources"
)

var _ sources.Transform = (*Program)(nil)

// Settings are what a source's configuration says of its events.
type Settings struct {
	Map  string            // a program, or the name of one of Maps; empty: events stay as they are
	Only string            // a condition; empty: every event
	Maps map[string]string // ready maps by name

	// Source is the source's name, for $event.
	Source string
}

// Program is a source's map and only, compiled. It may be used concurrently.
type Program struct {
	source        string
	mapping, only *filter // nil for none
}

// Compile reads the programs. An error is an *Error.
func Compile(s Settings) (*Program, error) {
	p := &Program{source: s.Source}
	for _, part := range []struct {
		setting, text string
		ready         map[string]string
		into          **filter
	}{{"only", s.Only, nil, &p.only}, {"map", s.Map, s.Maps, &p.mapping}} {
		if part.text == "" {
			continue
		}
		text, named := part.ready[strings.TrimSpace(part.text)]
		if !named {
			text = part.text
		}
		f, err := compile(text)
		if err != nil {
			placed := placed(text, err)
			placed.Setting, placed.Ready = part.setting, named
			placed.Err = withReady(placed.Err, part.text, part.ready)
			return nil, placed
		}
		*part.into = f
	}
	return p, nil
}

var bareName = regexp.MustCompile(`^\s*[a-z][a-z0-9-]*\s*$`)

// withReady adds the names of the ready maps to an error about a text that could
// have been meant as one.
func withReady(err error, text string, ready map[string]string) error {
	if len(ready) == 0 || !bareName.MatchString(text) || !undefined.MatchString(err.Error()) {
		return err
	}
	return fmt.Errorf("%w; ready maps are %s", err, strings.Join(slices.Sorted(maps.Keys(ready)), ", "))
}

// Transform implements sources.Transform.
func (p *Program) Transform(ctx context.Context, e sources.Event) ([]sources.Event, error) {
	r := p.newRun(ctx, e)
	if passes, err := r.passes(); err != nil || !passes {
		return nil, err
	}
	if p.mapping == nil {
		return []sources.Event{e}, nil
	}
	return r.made()
}

// Passes reports whether only lets an event through to map.
func (p *Program) Passes(ctx context.Context, e sources.Event) (bool, error) {
	return p.newRun(ctx, e).passes()
}

// filter is one program.
type filter struct {
	text string
	pool sync.Pool // of *compiled
}

// variables are what programs see beside their input.
var variables = []string{"$about", "$event"}

// reuse is how often compiled code is used: it keeps every regular expression that
// it has ever met, and these may come from events.
const reuse = 1000

// compiled is code, and how often it was used.
type compiled struct {
	code *gojq.Code
	used int
}

func compile(text string) (*filter, error) {
	f := &filter{text: text}
	code, err := f.compile()
	if err != nil {
		return nil, err
	}
	f.pool.Put(&compiled{code: code})
	return f, nil
}

func (f *filter) compile() (code *gojq.Code, err error) {
	defer recovered(&err)
	if strings.TrimSpace(f.text) == "" {
		return nil, errors.New("the program is empty")
	}
	query, err := gojq.Parse(f.text)
	if err != nil {
		return nil, err
	}
	g := new(guard)
	query = g.query(query)
	if g.err != nil {
		return nil, g.err
	}
	return gojq.Compile(query, append([]gojq.CompilerOption{gojq.WithVariables(variables)}, checks...)...)
}

// recovered makes an error of a mistake in the interpreter, which must not take
// the source down with each try to get past one event.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the interpreter has crashed: %v", p)
	}
}

// run is one event on its way through a program.
type run struct {
	*Program
	meter  *meter
	event  sources.Event
	input  any
	values []any // of variables
	err    error // why the event can't be an input
}

func (p *Program) newRun(ctx context.Context, e sources.Event) *run {
	r := &run{Program: p, meter: newMeter(ctx), event: e, values: []any{about(e), p.about(e)}}
	r.input, r.err = input(e.Data)
	return r
}

// outputs calls yield for each output of f until that returns false or an error.
func (r *run) outputs(setting string, f *filter, yield func(any) (bool, error)) error {
	return r.fail(setting, r.each(f, yield))
}

func (r *run) each(f *filter, yield func(any) (bool, error)) (err error) {
	defer recovered(&err)
	if r.err != nil {
		return r.err
	}
	c, _ := f.pool.Get().(*compiled)
	if c == nil || c.used >= reuse {
		code, err := f.compile()
		if err != nil { // it was compiled before
			return err
		}
		c = &compiled{code: code}
	}
	c.used++
	defer f.pool.Put(c)
	iter := c.code.RunWithContext(r.meter, r.input, r.values...)
	for {
		value, ok := iter.Next()
		if r.meter.err != nil {
			return r.meter.err
		}
		if !ok {
			return nil
		}
		if err, failed := value.(error); failed {
			return err
		}
		if more, err := yield(value); err != nil || !more {
			return err
		}
	}
}

// fail makes the error of an event.
func (r *run) fail(setting string, err error) error {
	if err == nil {
		return nil
	}
	if stopped := r.meter.Context.Err(); stopped != nil {
		return stopped
	}
	return &sources.EventError{Err: fmt.Errorf("%s: %w", setting, brief{err})}
}

// brief is an error on one line of bounded length: a program's own may be
// anything.
type brief struct{ error }

const mostError = 300

func (b brief) Error() string {
	text := strings.Join(strings.Fields(b.error.Error()), " ")
	if len(text) > mostError {
		text = strings.ToValidUTF8(text[:mostError], "") + "…"
	}
	return text
}

func (b brief) Unwrap() error { return b.error }

func (r *run) passes() (bool, error) {
	if r.only == nil {
		return true, nil
	}
	passes := false
	err := r.outputs("only", r.only, func(value any) (bool, error) {
		passes = value != nil && value != false
		return !passes, nil
	})
	return passes, err
}

func (r *run) made() ([]sources.Event, error) {
	var all []sources.Event
	total := 0
	err := r.outputs("map", r.mapping, func(value any) (bool, error) {
		e, ok, err := r.output(value)
		if err != nil || !ok {
			return true, err
		}
		all = append(all, e)
		total += len(e.Data)
		switch {
		case len(all) > mostEvents:
			return false, fmt.Errorf("it makes more than %d events; use limit(%d; ...)", mostEvents, mostEvents)
		case total > mostBytes:
			return false, fmt.Errorf("it makes events of more than %d MiB in all", mostBytes>>20)
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

const (
	mostEvents = 1000
	mostBytes  = 8 << 20
)

// clock is how times are written for programs.
func clock(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339Nano)
}
