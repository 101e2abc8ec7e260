package sources_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/sourcetest"
	"github.com/wallcast/wallcast/stream"
)

// countdown counts down to zero, however often it is interrupted.
type countdown struct{ from int }

func (c *countdown) Run(ctx context.Context, out sources.Output) error {
	next := c.from
	if last := out.Cursor(); last != nil { // the cursor is the number that was stored last
		if err := json.Unmarshal(last, &next); err != nil {
			return fmt.Errorf("reading the cursor: %w", err)
		}
		next--
	}
	for ; next >= 0; next-- {
		number := fmt.Sprint(next)
		event := sources.Event{Kind: "count", Data: []byte(number), Cursor: json.RawMessage(number)}
		err := out.Emit(ctx, event)
		if refused := (*sources.EventError)(nil); errors.As(err, &refused) {
			out.Warn(fmt.Errorf("skipping %d: %w", next, err)) // no retry will store it
		} else if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// countdownSettings are what the configuration says below "countdown:".
type countdownSettings struct {
	From int `yaml:"from" doc:"The number to begin with."`
}

func (s *countdownSettings) Source(sources.Env) (sources.Source, error) {
	if s.From < 1 {
		return nil, &sources.SettingError{Setting: "from", Err: errors.New("count down from 1 at least")}
	}
	return &countdown{s.From}, nil
}

// Countdown is what the program's list of built-ins names.
var Countdown = sources.Type{
	Name: "countdown",
	Doc:  "Counts down to zero.",
	New:  func() sources.Settings { return &countdownSettings{From: 10} },
}

// A source with settings and a cursor, run by a supervisor that stores in memory.
func Example() {
	settings := Countdown.New().(*countdownSettings)
	settings.From = 3
	source, err := settings.Source(sources.Env{Name: "launch"})
	if err != nil {
		fmt.Println(err)
		return
	}

	store := sourcetest.NewStore()
	supervisor := sources.NewSupervisor(store, slog.New(slog.DiscardHandler))
	launch := sources.Instance{Name: "launch", Type: "countdown", Source: source, To: stream.Subject{Wall: "main"}}
	if err := supervisor.Apply([]sources.Instance{launch}); err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		supervisor.Run(ctx)
	}()
	for supervisor.Status()[0].State != sources.Done {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-ended

	for _, draft := range store.Drafts() {
		fmt.Println(draft.Subject, string(draft.Data))
	}
	// Output:
	// wall.main.count 3
	// wall.main.count 2
	// wall.main.count 1
	// wall.main.count 0
}
