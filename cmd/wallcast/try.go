package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
	"github.com/wallcast/wallcast/sources"
)

const tryHelp = `
It runs a source of wallcast.yaml once, stores nothing, and shows each event with
its card. The program need not run, and may. The source begins as it would the
very first time.

A source that others post to gets its payload from standard input, without a
check of signatures:

  wallcast try github --header "X-GitHub-Event: push" < payload.json

A plugin is run as it lies in the plugins folder, trusted or not, and its trigger
and its log are shown too. Without --http and --trigger it gets what it is
configured for; one that answers events gets them by --trigger:

  echo hi | wallcast try hello
  wallcast try hello --trigger '{"trigger": "on", "input": {"data": {"text": "hi"}}}'`

func setupTry(flags *pflag.FlagSet) func(context.Context, *invocation) error {
	t := &trial{}
	limit := flags.String("for", "10s", "stop after this `TIME`")
	flags.IntVar(&t.most, "events", 10, "stop after `N` events of the source")
	flags.BoolVar(&t.html, "html", false, "show the HTML of the cards")
	flags.BoolVar(&t.json, "json", false, "print each event as a line of JSON")
	headers := flags.StringArrayP("header", "H", nil, "a `HEADER` that comes with the payload, as in \"X-GitHub-Event: push\"; may be given several times")
	flags.StringVar(&t.delivery.Method, "method", http.MethodPost, "the payload's HTTP `METHOD`")
	flags.StringVar(&t.delivery.Query, "query", "", "the `QUERY` of the payload's address, as in a=1&b=2")
	trigger := flags.String("trigger", "", "run a plugin for this `TRIGGER`: a JSON object with trigger, input and cursor, each of which may be missing")
	asRequest := flags.Bool("http", false, "run a plugin for a request, whatever it is configured for")
	return func(ctx context.Context, inv *invocation) error {
		if len(inv.args) != 1 {
			return usagef("wallcast try takes the NAME of a source")
		}
		span, err := config.ParseDuration(*limit)
		if err != nil {
			return usagef("--for %v, not %q", err, *limit)
		}
		if t.most < 1 || span <= 0 {
			return usagef("--events and --for want at least 1")
		}
		if t.delivery.Header, err = parseHeaders(*headers); err != nil {
			return err
		}
		cfg, err := inv.loadOrDemo()
		if err != nil {
			return err
		}
		instance, file, err := tried(inv, cfg, inv.args[0])
		if err != nil {
			return err
		}
		t.out, t.notes = inv.stdout, inv.stderr
		t.site, t.instance, t.program = newSite(cfg, nil, t.Log()), instance, programOf(cfg, instance.Name)
		if file != "" {
			once := &pluginTrial{trial: t, http: *asRequest, trigger: *trigger}
			return once.run(ctx, cfg, inv, file, span)
		}
		if *asRequest || *trigger != "" {
			return usagef("--http and --trigger are for plugins, and %s is none", instance.Name)
		}
		return t.run(ctx, inv.stdin, span)
	}
}

func parseHeaders(lines []string) (http.Header, error) {
	header := http.Header{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, usagef("--header wants a name, a colon and a value, not %q", line)
		}
		header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return header, nil
}

func sourceNames(cfg *config.Config) string {
	var names []string
	for _, s := range cfg.Sources {
		names = append(names, s.Name)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// condition is a source's only, asked by itself.
type condition interface {
	Passes(ctx context.Context, e sources.Event) (bool, error)
}

func programOf(cfg *config.Config, name string) condition {
	for _, s := range cfg.Sources {
		if s.Name == name && s.Program != nil {
			return s.Program
		}
	}
	return nil
}

// trial is one run of a source that stores nothing. It is the source's Output.
type trial struct {
	most       int
	html, json bool
	delivery   sources.Delivery // what comes with a payload

	site     *site
	instance sources.Instance
	program  condition // nil for a source without map and only
	out      io.Writer
	notes    io.Writer

	turn    chan struct{} // holds one token; events are shown one after another
	stop    context.CancelFunc
	emitted int
	made    int
	where   []string       // subjects of what was made, in the order of the first
	counts  map[string]int // by subject
	warning string
}

func (t *trial) run(ctx context.Context, stdin io.Reader, span time.Duration) error {
	t.turn, t.counts = make(chan struct{}, 1), map[string]int{}
	t.turn <- struct{}{}
	ctx, t.stop = context.WithTimeout(ctx, span)
	defer t.stop()
	var err error
	if receiver, ok := t.instance.Source.(sources.Receiver); ok {
		err = t.receive(ctx, receiver, stdin)
	} else {
		err = t.watch(ctx, span)
	}
	if err != nil {
		return err
	}
	t.sum()
	return nil
}

// watch runs the source.
func (t *trial) watch(ctx context.Context, span time.Duration) error {
	err := t.runSource(ctx)
	switch {
	case ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err())):
		if t.emitted < t.most {
			fmt.Fprintf(t.notes, "it was watched for %v\n", span)
		}
		if t.emitted == 0 && t.warning == "" {
			t.explain()
		}
	case err != nil:
		return fmt.Errorf("the source failed, and would be run again: %w", err)
	default:
		fmt.Fprintln(t.notes, "the source has nothing more to emit")
	}
	return nil
}

// explain looks why no event came.
func (t *trial) explain() {
	checker, ok := t.instance.Source.(sources.Checker)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkTime)
	defer cancel()
	if err := checker.Check(ctx); err != nil {
		t.Warn(err)
	}
}

func (t *trial) runSource(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(t.notes, "%s\n", debug.Stack())
			err = fmt.Errorf("it crashed: %v", p)
		}
	}()
	return t.instance.Source.Run(ctx, t)
}

// receive gives the source a payload as if it had been posted.
func (t *trial) receive(ctx context.Context, receiver sources.Receiver, stdin io.Reader) error {
	limit := receiver.Hook().Limit
	if limit == 0 {
		limit = defaultHookLimit
	}
	body, err := readPayload(stdin, t.notes, limit)
	if err != nil {
		return err
	}
	d := t.delivery
	d.Number, d.Time, d.From, d.Body = 1, time.Now(), "127.0.0.1", body
	if d.Header.Get("Content-Type") == "" && json.Valid(body) {
		d.Header.Set("Content-Type", "application/json")
	}
	events, err := receiver.Parse(d)
	if err != nil {
		return fmt.Errorf("the hook would refuse this: %w", err)
	}
	for _, e := range events {
		if err := t.Emit(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// readPayload reads what comes as if it had been posted.
func readPayload(stdin io.Reader, notes io.Writer, limit int64) ([]byte, error) {
	if f, ok := stdin.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			fmt.Fprintln(notes, "reading a payload from standard input; Ctrl-D ends it")
		}
	}
	body, err := io.ReadAll(io.LimitReader(stdin, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the payload: %w", err)
	case int64(len(body)) > limit:
		return nil, fmt.Errorf("the payload is larger than the %d bytes that the hook accepts", limit)
	}
	return body, nil
}

// Cursor implements sources.Output: there is none, as before the first run.
func (t *trial) Cursor() json.RawMessage { return nil }

// SaveCursor implements sources.Output.
func (t *trial) SaveCursor(ctx context.Context, _ json.RawMessage) error { return ctx.Err() }

// Warn implements sources.Output.
func (t *trial) Warn(err error) {
	<-t.turn
	defer func() { t.turn <- struct{}{} }()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != t.warning && text != "" {
		fmt.Fprintln(t.notes, "warning:", text)
	}
	t.warning = text
}

// Delivery implements sources.Output: none comes by itself.
func (t *trial) Delivery(ctx context.Context, _ uint64) (sources.Delivery, error) {
	<-ctx.Done()
	return sources.Delivery{}, ctx.Err()
}

// Log implements sources.Output.
func (t *trial) Log() *slog.Logger {
	return slog.New(slog.NewTextHandler(t.notes, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// Emit implements sources.Output.
func (t *trial) Emit(ctx context.Context, e sources.Event) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.turn:
	}
	defer func() { t.turn <- struct{}{} }()
	if err := ctx.Err(); err != nil {
		return err
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if t.emitted++; t.emitted >= t.most {
		defer t.stop()
	}
	made, err := t.instance.Made(ctx, e)
	if err != nil {
		return t.unmade(ctx, e, err)
	}
	if len(made) == 0 {
		return t.dropped(ctx, e)
	}
	var refused error
	for _, m := range made {
		if err := t.show(m); err != nil {
			refused = &sources.EventError{Err: err}
		}
	}
	return refused
}

func (t *trial) unmade(ctx context.Context, e sources.Event, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	fmt.Fprintf(t.notes, "of %s\n", excerpt(e.Data))
	return &sources.EventError{Err: err}
}

// dropped says why nothing was made of an event.
func (t *trial) dropped(ctx context.Context, e sources.Event) error {
	why := "map makes nothing of it"
	if passes, err := t.program.Passes(ctx, e); err == nil && !passes {
		why = "only says no to it"
	}
	_, err := fmt.Fprintf(t.notes, "%s: %s\n", why, excerpt(e.Data))
	return err
}
