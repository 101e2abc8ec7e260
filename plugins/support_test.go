package plugins_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/embed"
	"github.com/wallcast/wallcast/stream/jetstream"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// server is a store on an embedded server.
type server struct {
	*jetstream.Store
	nc *nats.Conn
}

// store starts a server with the walls main and other.
func store(t testing.TB) *server {
	t.Helper()
	embedded, err := embed.Start(embed.Config{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { embedded.Close() })
	nc, err := embedded.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	var walls []jetstream.Wall
	for _, name := range []string{"main", "other"} {
		walls = append(walls, jetstream.Wall{Name: name, Events: 10000, Age: 24 * time.Hour, Bytes: 64 << 20, History: 100, Payload: 64 << 10})
	}
	s, err := jetstream.Open(t.Context(), nc, jetstream.Config{Walls: walls, Identity: embedded.Identity()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return &server{s, nc}
}

// program is a plugins.Program in Go.
type program func(ctx context.Context, trigger plugins.Trigger, c plugins.Call) error

func (p program) Call(ctx context.Context, c plugins.Call) error {
	var trigger plugins.Trigger
	if err := json.Unmarshal(c.Input, &trigger); err != nil {
		return err
	}
	return p(ctx, trigger, c)
}

func (program) Close() error { return nil }

// prints is a program that prints lines and ends well.
func prints(lines ...string) program {
	return func(_ context.Context, _ plugins.Trigger, c plugins.Call) error { return printAll(c, lines...) }
}

func printAll(c plugins.Call, lines ...string) error {
	for _, line := range lines {
		if err := c.Output([]byte(line)); err != nil {
			return &plugins.CallError{Reason: plugins.Refused, Err: err}
		}
	}
	return nil
}

var errExit = &plugins.CallError{Reason: plugins.Exit, Code: 1, Err: errors.New("ended with exit code 1")}

// bothStores is what a plugin and its supervisor need.
type bothStores interface {
	plugins.Store
	sources.Store
}

// bench is a plugin that may be run.
type bench struct {
	t      testing.TB
	name   string
	stores bothStores
	reader *server
	slot   *plugins.Slot
	logs   *plugins.Journal

	supervisor *sources.Supervisor
	instance   func(*sources.Instance) // changes it before the start
}

func newBench(t testing.TB, s *server, name string, p plugins.Program) *bench {
	b := &bench{t: t, name: name, stores: s, reader: s, slot: plugins.NewSlot(slog.New(slog.DiscardHandler)), logs: &plugins.Journal{}}
	if p != nil {
		b.slot.Swap(&plugins.Loaded{Program: p, Memory: 256 << 20})
	}
	return b
}

// start runs the plugin with settings until stop.
func (b *bench) start(change func(*plugins.Settings)) (stop func()) {
	b.t.Helper()
	settings := plugins.Type().New().(*plugins.Settings)
	if change == nil {
		settings.HTTP = true
	} else {
		change(settings)
	}
	source, err := settings.Source(sources.Env{Name: b.name, Folder: b.t.TempDir()})
	if err != nil {
		b.t.Fatal(err)
	}
	i := sources.Instance{Name: b.name, Type: "plugin", To: stream.Subject{Wall: "main", Kind: b.name}}
	around := plugins.Around{Store: b.stores, Reader: b.reader, Walls: []string{"main", "other"}, Slot: b.slot, Logs: b.logs}
	if b.instance != nil {
		b.instance(&i)
		around.Mapped = i.Transform != nil
	}
	i.Source = source.(*plugins.Plugin).With(around)
	supervisor := sources.NewSupervisor(b.stores, slog.New(slog.DiscardHandler))
	b.supervisor = supervisor
	if err := supervisor.Apply([]sources.Instance{i}); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { supervisor.Run(ctx) })
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	b.t.Cleanup(stop)
	return stop
}

func (b *bench) status() sources.Status { return b.supervisor.Status()[0] }

// hasSaid reports whether the log has a line of Wallcast's own about that.
func (b *bench) hasSaid(about string) bool {
	return slices.ContainsFunc(b.logs.Logs(), func(l plugins.LogLine) bool { return l.Own && strings.Contains(l.Text, about) })
}

// fire queues a request with that body.
func (b *bench) fire(bodies ...string) {
	b.t.Helper()
	for _, body := range bodies {
		if _, _, err := plugins.Enqueue(b.t.Context(), b.reader, b.name, plugins.Request{Method: "POST"}, []byte(body), ""); err != nil {
			b.t.Fatal(err)
		}
	}
}

// wait returns the first n events that the plugin has put on main.
func (b *bench) wait(n int) []string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	var got []string
	for e, err := range b.reader.Follow(ctx, "main", 0) {
		if err != nil {
			b.t.Fatalf("waiting for %d events of %s: %v; there are %q; status %+v; log %+v", n, b.name, err, got, b.status(), b.logs.Logs())
		}
		if e.Subject.Kind != b.name {
			continue
		}
		if got = append(got, string(e.Data)); len(got) == n {
			break
		}
	}
	return got
}

// stored are all events that the plugin has put on main.
func (b *bench) stored() []string {
	b.t.Helper()
	state, err := b.reader.State(b.t.Context(), "main")
	if err != nil {
		b.t.Fatal(err)
	}
	got := []string{}
	for e, err := range b.reader.Range(b.t.Context(), "main", 0, state.Last) {
		if err != nil {
			b.t.Fatal(err)
		}
		if e.Subject.Kind == b.name {
			got = append(got, string(e.Data))
		}
	}
	return got
}

// until waits for what has no other sign than that it is so.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// idle waits until nothing is queued.
func (b *bench) idle() {
	b.t.Helper()
	until(b.t, "the queue is empty", func() bool {
		info, err := b.reader.nc.Request("$JS.API.STREAM.INFO.WORK", []byte(`{"subjects_filter":"fire.`+b.name+`"}`), patience)
		if err != nil {
			b.t.Fatal(err)
		}
		return !bytes.Contains(info.Data, []byte(`"fire.`+b.name+`":`))
	})
}

func (b *bench) equal(got []string, want ...string) {
	b.t.Helper()
	if !slices.Equal(got, want) {
		b.t.Errorf("got %q, want %q", got, want)
	}
}

func body(t plugins.Trigger) string {
	var r plugins.Request
	if json.Unmarshal(t.Input, &r) != nil {
		return "?"
	}
	return r.Body
}

func occurrence(t *testing.T, trigger plugins.Trigger) plugins.Occurrence {
	t.Helper()
	var e plugins.Occurrence
	if err := json.Unmarshal(trigger.Input, &e); err != nil {
		t.Error(err)
	}
	return e
}
