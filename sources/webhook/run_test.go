package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/sourcetest"
	"github.com/wallcast/wallcast/sources/webhook"
)

func delivery(body string) sources.Delivery {
	return sources.Delivery{Method: http.MethodPost, Header: head("Content-Type", "application/json"), Body: []byte(body)}
}

func TestConformance(t *testing.T) {
	sourcetest.Run(t, sourcetest.Case{Type: webhook.Type, Bubble: true, Open: func(t *testing.T) sourcetest.Upstream {
		s := webhook.Type.New().(*webhook.Settings)
		bearer(s)
		return sourcetest.Upstream{
			Settings: s,
			Want:     []string{`{"a":1}`, "two", `{"a":1}`, `{"b":2}`},
			Deliveries: []sources.Delivery{
				delivery(`{"a":1}`), delivery(`"two"`), delivery(`{"a":1}`), delivery(`{"b":2}`),
			},
		}
	}})
}

// output is a sources.Output that holds deliveries and what was made of them.
type output struct {
	cursor     json.RawMessage
	deliveries []sources.Delivery
	emit       func(sources.Event) error

	events   []sources.Event
	saved    []string
	warnings []string
}

var errNoMore = errors.New("no more deliveries")

func (o *output) Cursor() json.RawMessage { return o.cursor }
func (o *output) Log() *slog.Logger       { return slog.New(slog.DiscardHandler) }

func (o *output) Emit(_ context.Context, e sources.Event) error {
	if o.emit != nil {
		if err := o.emit(e); err != nil {
			return err
		}
	}
	o.events = append(o.events, e)
	return nil
}

func (o *output) SaveCursor(_ context.Context, cursor json.RawMessage) error {
	o.saved = append(o.saved, string(cursor))
	return nil
}

func (o *output) Warn(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	o.warnings = append(o.warnings, text)
}

func (o *output) Delivery(_ context.Context, after uint64) (sources.Delivery, error) {
	for _, d := range o.deliveries {
		if d.Number > after {
			return d, nil
		}
	}
	return sources.Delivery{}, errNoMore
}

// TestCursor runs over deliveries with gaps, one of which can't be read and one
// of which can't be stored.
func TestCursor(t *testing.T) {
	out := &output{cursor: json.RawMessage(`{"delivery": 10}`)}
	for _, d := range []struct {
		number uint64
		body   string
	}{{10, `"done"`}, {12, `"one"`}, {20, `{`}, {21, `"large"`}, {30, `"two"`}} {
		next := delivery(d.body)
		next.Number = d.number
		out.deliveries = append(out.deliveries, next)
	}
	out.emit = func(e sources.Event) error {
		if string(e.Data) == "large" {
			return &sources.EventError{Err: errors.New("it is too large")}
		}
		return nil
	}
	if err := receiver(t, bearer).Run(context.Background(), out); !errors.Is(err, errNoMore) {
		t.Fatal(err)
	}
	var stored []string
	for _, e := range out.events {
		stored = append(stored, string(e.Data)+" "+string(e.Cursor))
	}
	if got, want := strings.Join(stored, "\n"), "one {\"delivery\":12}\ntwo {\"delivery\":30}"; got != want {
		t.Errorf("stored\n%s\nwant\n%s", got, want)
	}
	if got, want := strings.Join(out.saved, " "), `{"delivery":20} {"delivery":21}`; got != want {
		t.Errorf("saved %s, want %s", got, want)
	}
	warned := strings.Join(out.warnings, "\n")
	for _, want := range []string{"delivery 20 is skipped: the body is declared JSON", "delivery 21 is skipped: it is too large"} {
		if !strings.Contains(warned, want) {
			t.Errorf("warned of\n%s\nwant %q", warned, want)
		}
	}
	if last := out.warnings[len(out.warnings)-1]; last != "" {
		t.Errorf("the warning %q is not taken back", last)
	}
}
