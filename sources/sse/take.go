package sse

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

// What another Wallcast says and understands; see package sse below stream.
const (
	wallPrefix  = "wall:"
	asParameter = "as"
	asJSON      = "json"
)

// take takes an event of the stream. Its error ends the connection.
func (r *run) take(ctx context.Context, m message) error {
	if r.warned && m.name != wallPrefix+"gap" {
		r.well()
	}
	if strings.HasPrefix(m.name, wallPrefix) && (r.hello || m.name == wallPrefix+"hello") {
		return r.control(ctx, m)
	}
	next := r.after(m)
	if m.tooLong {
		r.warn(fmt.Errorf("an event of %s has more than %d KiB of data and is skipped", r.target.Host(), maxData>>10))
	}
	if len(m.data) == 0 || r.repeated(m) {
		return r.move(ctx, next)
	}
	e, ok := r.event(m)
	if !ok {
		return r.move(ctx, next)
	}
	if next.ID != "" || r.saved != "" {
		e.Cursor = next.raw()
	}
	err := r.out.Emit(ctx, e)
	var one *sources.EventError
	switch {
	case errors.As(err, &one):
		r.warn(fmt.Errorf("an event of %s is skipped: %w", r.target.Host(), err))
	case err != nil:
		return storeError{err}
	default:
		r.saved = next.ID
	}
	r.at = next
	return nil
}

// after is the position behind a message.
func (r *run) after(m message) cursor {
	next := r.at
	if m.hasID {
		next.ID = m.id
	}
	return next
}

// repeated reports whether another Wallcast repeats an event: a card that has
// outlived the history is told again after a gap.
func (r *run) repeated(m message) bool {
	if !r.hello || !m.hasID {
		return false
	}
	id, err := stream.ParseID(m.id)
	if err != nil {
		return false
	}
	if id.Epoch == r.had.Epoch && id.Seq <= r.had.Seq {
		return true
	}
	r.had = id
	return false
}

// move goes on without an event, and saves that now and then.
func (r *run) move(ctx context.Context, next cursor) error {
	r.at = next
	if next.ID == r.saved || time.Now().Before(r.saveAt) {
		return nil
	}
	if err := r.out.SaveCursor(ctx, next.raw()); err != nil {
		return storeError{err}
	}
	r.saved, r.saveAt = next.ID, time.Now().Add(saveEvery)
	return nil
}

// control obeys an event of another Wallcast's own.
func (r *run) control(ctx context.Context, m message) error {
	switch strings.TrimPrefix(m.name, wallPrefix) {
	case "hello":
		known := r.at.Wall
		r.hello, r.at.Wall = true, true
		r.had, _ = stream.ParseID(r.at.ID) // the zero id repeats nothing
		if !known && !r.target.URL().Query().Has(asParameter) {
			return errAgain // before the id is taken, which is behind what a replay would bring
		}
	case "gap":
		r.noteGap(m.data)
	case "bye":
		var bye struct {
			Reason string `json:"reason"`
			Retry  int64  `json:"retry"`
		}
		_ = json.Unmarshal(m.data, &bye) // one that can't be read is an end as well
		retry := time.Duration(min(max(bye.Retry, 0), int64(maxRetry/time.Millisecond))) * time.Millisecond
		if err := r.move(ctx, r.after(m)); err != nil {
			return err
		}
		return &byeError{cmp.Or(bye.Reason, "without a reason"), cmp.Or(retry, r.leastRetry)}
	case "retract":
		r.out.Log().Debug("the other wall has taken an event off; it stays on this one", "event", string(m.data))
	}
	return r.move(ctx, r.after(m))
}

// noteGap warns that events are missing.
func (r *run) noteGap(data []byte) {
	var gap struct {
		From   string `json:"from"`
		First  string `json:"first"`
		Reason string `json:"reason"`
	}
	_ = json.Unmarshal(data, &gap) // the warning is due in any case
	if gap.Reason != "expired" {
		r.had = stream.ID{} // what follows is of another life of the store
	}
	r.warn(fmt.Errorf("events of %s are missing after %q (%s); going on with what it still has, from %q on",
		r.target.Host(), gap.From, cmp.Or(gap.Reason, "without a reason"), gap.First))
}

// envelope is an event in another Wallcast's representation as=json.
type envelope struct {
	Kind   string          `json:"kind"`
	Key    string          `json:"key"`
	Time   time.Time       `json:"time"`
	Source string          `json:"source"`
	Data   json.RawMessage `json:"data"`
}

// event makes an event of a message; false when it is one that is not wanted.
func (r *run) event(m message) (sources.Event, bool) {
	e := sources.Event{Data: []byte(stream.Text(m.data))}
	name := cmp.Or(m.name, stream.Message)
	if r.hello {
		name = unwrap(&e, name)
	}
	if len(e.Data) == 0 {
		return e, false
	}
	if r.events != nil {
		kind, wanted := r.events[name]
		if !wanted {
			return e, false
		}
		e.Kind = kind
	} else if name != stream.Message && stream.CheckKind(name) == nil {
		e.Kind = name
	}
	e.About = map[string]string{"event": name}
	if m.hasID {
		e.About["id"], e.Origin.ID = m.id, m.id
	}
	return e, true
}

// unwrap takes an event out of its envelope, where it is in one, and returns its name.
func unwrap(e *sources.Event, name string) string {
	var inner envelope
	if json.Unmarshal(e.Data, &inner) != nil || inner.Kind == "" || len(inner.Data) == 0 {
		return name
	}
	e.Data = inner.Data
	var text string
	if json.Unmarshal(inner.Data, &text) == nil {
		e.Data = []byte(text)
	}
	if stream.CheckName("key", inner.Key) == nil {
		e.Key = inner.Key
	}
	e.Time, e.Origin.Source = inner.Time, inner.Source
	return inner.Kind
}
