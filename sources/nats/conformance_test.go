package nats_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nats"
	"github.com/wallcast/wallcast/sources/sourcetest"
)

// settings are of a rule that isn't a source type by itself.
type settings struct {
	Subject string `yaml:"subject" doc:"The foreign subject."`
	System  int    `yaml:"system" doc:"Which of the test's servers it is on."`
}

// systems are the servers of the test. The suite wants to know settings alone.
var systems struct {
	sync.Mutex
	all []*upstream
}

// upstream publishes the first message once the source has fixed its position.
type upstream struct {
	*system
	want  []string
	first sync.Once
}

func (c *settings) Source(sources.Env) (sources.Source, error) {
	systems.Lock()
	defer systems.Unlock()
	if c.System < 1 || c.System > len(systems.all) {
		return nil, &sources.SettingError{Setting: "system", Err: errors.New("there is no such server")}
	}
	u := systems.all[c.System-1]
	return &watched{nats.New(u.nc, rule(c.Subject, "order"), 1), u}, nil
}

// watched sees a source fix its position.
type watched struct {
	sources.Source
	u *upstream
}

func (w *watched) Run(ctx context.Context, out sources.Output) error {
	return w.Source.Run(ctx, &watchedOutput{out, w.u})
}

type watchedOutput struct {
	sources.Output
	u *upstream
}

func (o *watchedOutput) SaveCursor(ctx context.Context, cursor json.RawMessage) error {
	err := o.Output.SaveCursor(ctx, cursor)
	if err == nil {
		o.u.first.Do(func() { o.u.publish("orders.new", o.u.want[0]) })
	}
	return err
}

func TestConformance(t *testing.T) {
	for _, held := range []bool{true, false} {
		t.Run(fmt.Sprintf("held=%t", held), func(t *testing.T) {
			sourcetest.Run(t, sourcetest.Case{
				Type: sources.Type{
					Name: "nats-rule", Doc: "A rule for a foreign subject.",
					New: func() sources.Settings { return &settings{} },
				},
				Open: func(t *testing.T) sourcetest.Upstream { return open(t, held) },
			})
		})
	}
}

func open(t *testing.T, held bool) sourcetest.Upstream {
	u := &upstream{system: newSystem(t), want: []string{"one", `{"text":"two"}`, "three", "four"}}
	// The connection's first request starts the goroutine that receives its
	// answers. It is the connection's and not of the run in which it comes first.
	if _, err := u.js.AccountInfo(); err != nil {
		t.Fatal(err)
	}
	if held {
		u.stream("ORDERS", 100, "orders.>")
	}
	systems.Lock()
	defer systems.Unlock()
	systems.all = append(systems.all, u)
	return sourcetest.Upstream{
		Settings: &settings{Subject: "orders.*", System: len(systems.all)},
		Want:     u.want,
		Next: func(i int) {
			if i > 0 {
				u.publish("orders.new", u.want[i])
			}
		},
	}
}
