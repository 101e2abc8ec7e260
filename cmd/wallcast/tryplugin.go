package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/sources"
)

// pluginTrial is one run of a plugin that stores nothing. It is the plugin's
// Output and Store, for one trigger.
type pluginTrial struct {
	*trial
	plugins.Store // what one trigger needs is below; nothing else is called

	http    bool   // the trigger is a request
	trigger string // JSON, or ""

	work   plugins.Work
	before json.RawMessage // the cursor that the plugin gets, in a state
	cursor json.RawMessage // the one that it gives
	dead   *plugins.Dead
}

// given is a trigger as --trigger takes it.
type given struct {
	Trigger plugins.Kind    `json:"trigger"`
	Cursor  json.RawMessage `json:"cursor"`
	Input   json.RawMessage `json:"input"`
}

// tried returns the instance to try, and its file where it is a plugin.
func tried(inv *invocation, cfg *config.Config, name string) (instance sources.Instance, file string, err error) {
	instance, configured := cfg.Instance(name)
	if _, isPlugin := instance.Source.(*plugins.Plugin); configured && !isPlugin {
		return instance, "", nil
	}
	file, err = wantedPlugins(cfg).Find(name)
	switch {
	case err == nil && !configured:
		instance, err = cfg.DefaultPlugin(name, inv.around())
	case err != nil && !configured:
		err = usagef("%s has no source %q; it has %s; and %v", inv.configPath(), name, sourceNames(cfg), err)
	}
	return instance, file, err
}

// run runs the plugin that lies in file.
func (t *pluginTrial) run(ctx context.Context, cfg *config.Config, inv *invocation, file string, span time.Duration) error {
	if err := noteTrust(t.notes, cfg, t.instance.Name, file); err != nil {
		return err
	}
	settings := t.instance.Source.(*plugins.Plugin).Settings()
	settings.Retries = 0
	env := inv.around()
	env.Name, env.Folder = t.instance.Name, cfg.Folder()
	source, err := settings.Source(env.Complete())
	if err != nil {
		return err
	}
	if err := t.prepare(settings, inv.stdin); err != nil {
		return err
	}
	form := executables
	if isModule(file) {
		hosts, err := openHosts(cfg.Data, env.Network)
		if err != nil {
			return err
		}
		defer hosts.Close() // what it can't free ends with the process
		form = hosts.module
	}
	program, err := form.Host.Load(ctx, file)
	if err != nil {
		return err
	}
	slot := plugins.NewSlot(t.Log())
	slot.Swap(&plugins.Loaded{Program: shownProgram{program, t.notes}, Memory: form.Memory})
	defer slot.Swap(nil)
	t.turn, t.counts = make(chan struct{}, 1), map[string]int{}
	t.turn <- struct{}{}
	ctx, t.stop = context.WithCancel(ctx)
	defer t.stop()
	if settings.Stream {
		ctx, t.stop = context.WithTimeout(ctx, span)
		defer t.stop()
	}
	err = source.(*plugins.Plugin).With(plugins.Around{
		Store: t, Slot: slot, Logs: new(plugins.Journal), Mapped: t.instance.Transform != nil,
	}).Run(ctx, t)
	if err != nil && ctx.Err() == nil {
		return err
	}
	if t.cursor != nil {
		fmt.Fprintf(t.notes, "cursor   %s\n", oneLine(string(t.cursor)))
	}
	if t.dead != nil {
		return fmt.Errorf("the run failed (%s): %s", t.dead.Reason, t.dead.Error)
	}
	t.sum()
	return nil
}

// noteTrust says whether a program that serves would run the file.
func noteTrust(notes io.Writer, cfg *config.Config, name, file string) error {
	if isModule(file) {
		return nil
	}
	trusted, err := trustOf(cfg.Data).Trusts(name, file)
	if err == nil && !trusted {
		fmt.Fprintf(notes, "note: wallcast serve does not run %s before: wallcast trust %s\n", filepath.Base(file), name)
	}
	return err
}

// prepare makes the trigger.
func (t *pluginTrial) prepare(settings plugins.Settings, stdin io.Reader) error {
	t.work = plugins.Work{ID: "try", Kind: plugins.Try, Time: time.Now(), Number: 1}
	switch {
	case settings.Stream:
		if t.trigger != "" || t.http {
			return usagef("the plugin is kept running (stream), so there is no other trigger")
		}
		return nil
	case t.trigger != "":
		var g given
		decoder := json.NewDecoder(strings.NewReader(t.trigger))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&g); err != nil {
			return usagef(`--trigger wants JSON such as {"trigger": "on", "input": {"data": {"text": "hello"}}}: %v`, err)
		}
		if g.Trigger != "" {
			t.work.Kind = g.Trigger
		}
		t.work.Data = g.Input
		if g.Cursor != nil {
			t.before = fmt.Appendf(nil, `{"cursor":%s}`, g.Cursor)
		}
		return nil
	case t.http || settings.HTTP:
		body, err := readPayload(stdin, t.notes, defaultHookLimit)
		if err != nil {
			return err
		}
		request := plugins.Request{Method: t.delivery.Method, Query: map[string]string{}, Header: map[string]string{}}
		for name, values := range t.delivery.Header {
			request.Header[strings.ToLower(name)] = values[0]
		}
		query, err := url.ParseQuery(t.delivery.Query)
		if err != nil {
			return usagef("--query: %v", err)
		}
		for name, values := range query {
			request.Query[name] = values[0]
		}
		t.work.Kind, t.work.Request, t.work.Data = plugins.HTTP, &request, body
	case settings.Every != 0:
		t.work.Kind = plugins.Every
	case settings.Cron != "":
		t.work.Kind = plugins.Cron
	}
	return nil
}

// Cursor implements sources.Output.
func (t *pluginTrial) Cursor() json.RawMessage { return t.before }

// SaveCursor implements sources.Output.
func (t *pluginTrial) SaveCursor(ctx context.Context, state json.RawMessage) error {
	t.note(state)
	return ctx.Err()
}

// Emit implements sources.Output.
func (t *pluginTrial) Emit(ctx context.Context, e sources.Event) error {
	t.note(e.Cursor)
	return t.trial.Emit(ctx, e)
}

// note keeps the plugin's own cursor, which lies in its source's.
func (t *pluginTrial) note(state json.RawMessage) {
	var own struct{ Cursor json.RawMessage }
	if json.Unmarshal(state, &own) == nil && own.Cursor != nil {
		t.cursor = own.Cursor
	}
}

// Warn implements sources.Output. What a run has failed with is said at the end.
func (t *pluginTrial) Warn(err error) {
	if t.dead == nil {
		t.trial.Warn(err)
	}
}

// NextWork implements plugins.Store.
func (t *pluginTrial) NextWork(ctx context.Context, _ string, after uint64) (plugins.Work, error) {
	if after < t.work.Number {
		return t.work, nil
	}
	<-ctx.Done()
	return plugins.Work{}, ctx.Err()
}

// DropWork implements plugins.Store: the trigger is done.
func (t *pluginTrial) DropWork(context.Context, string, plugins.Work) error {
	t.stop()
	return nil
}

// SetSchedule implements plugins.Store.
func (t *pluginTrial) SetSchedule(context.Context, string, plugins.Schedule) error { return nil }

// NextTick implements plugins.Store: none comes by itself.
func (t *pluginTrial) NextTick(ctx context.Context, _ string, _ uint64) (plugins.Tick, error) {
	<-ctx.Done()
	return plugins.Tick{}, ctx.Err()
}

// PutDead implements plugins.Store.
func (t *pluginTrial) PutDead(_ context.Context, _ string, d plugins.Dead) (uint64, error) {
	t.dead = &d
	return 1, nil
}

// shownProgram shows what a program gets and logs.
type shownProgram struct {
	plugins.Program
	notes io.Writer
}

// Call implements plugins.Program.
func (p shownProgram) Call(ctx context.Context, c plugins.Call) error {
	fmt.Fprintf(p.notes, "trigger  %s\n", forTerminal(string(c.Input), ""))
	log := c.Log
	c.Log = func(line []byte) {
		fmt.Fprintf(p.notes, "log      %s\n", forTerminal(string(line), "\t"))
		log(line)
	}
	return p.Program.Call(ctx, c)
}
