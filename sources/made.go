package sources

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wallcast/wallcast/stream"
)

// emitMade stores what is made of e; the caller has the turn. Of several events
// each but the last is stored with a cursor of ours (see partial), so that a run
// that goes on after a crash stores those that are missing and no other.
func (o *output) emitMade(ctx context.Context, e Event) error {
	made, err := o.r.Made(ctx, e)
	if ctx.Err() != nil {
		return ctx.Err() // an event that was not looked at to its end is not passed over
	}
	if err != nil {
		o.progress.unmade()
		return o.pass(e, &EventError{err})
	}
	if len(made) == 0 {
		o.progress.dropped()
	}
	input := inputHash(e)
	var refused error // of an event that can't be stored; the others can
	for n := o.resumeAt(e, input, len(made)); n < len(made); n++ {
		cursor := e.Cursor
		if cursor != nil && n < len(made)-1 {
			cursor = partial{Before: o.base, Made: n + 1, Input: input}.cursor()
		}
		err := o.emit(ctx, made[n], cursor)
		var one *EventError
		if errors.As(err, &one) {
			refused = one
		} else if err != nil {
			return err
		}
	}
	return o.pass(e, refused)
}

// resumeAt is how many of the events that are made of e an earlier run has
// stored.
func (o *output) resumeAt(e Event, input string, made int) int {
	if e.Cursor == nil || o.resume == nil {
		return 0
	}
	stored := 0
	if o.resume.Input == input {
		stored = min(o.resume.Made, made)
	}
	o.resume = nil
	return stored
}

// pass moves the cursor behind e, of which nothing is left to store, and returns
// refused. Where the last store has not moved it, the next one or the next
// checkpoint takes it along: were neither to come, e would make the same again.
func (o *output) pass(e Event, refused error) error {
	if e.Cursor == nil {
		return refused
	}
	mark, err := o.next(e.Cursor)
	if err != nil {
		return err
	}
	o.base, o.resume = mark.Cursor, nil
	if !bytes.Equal(o.mark.Cursor, mark.Cursor) {
		o.mark = mark
		o.saver.note(mark, stream.Subject{}, stream.ID{})
	}
	return refused
}

// partial is the cursor of an event that is not the last of those that were made
// of one. It holds the source's own cursor from before, so that the source emits
// that one again, and how many of what is made of it are done then.
type partial struct {
	Before json.RawMessage `json:"before,omitempty"`
	Made   int             `json:"made"`
	Input  string          `json:"input"` // inputHash of the one
}

// partialKey is no key that a source has in its cursor.
const partialKey = "wallcast:partial"

func (p partial) cursor() json.RawMessage {
	text, err := json.Marshal(map[string]partial{partialKey: p})
	if err != nil { // Before has been stored, so it is JSON
		panic(fmt.Sprintf("sources: the cursor %q: %v", p.Before, err))
	}
	return text
}

// parseCursor takes a stored cursor apart: the source's own, and what was made
// of the event that follows it, or nil.
func parseCursor(cursor json.RawMessage) (json.RawMessage, *partial) {
	if !bytes.Contains(cursor, []byte(partialKey)) {
		return cursor, nil
	}
	var wrapped map[string]partial
	if json.Unmarshal(cursor, &wrapped) != nil || len(wrapped) != 1 {
		return cursor, nil
	}
	p, ok := wrapped[partialKey]
	if !ok {
		return cursor, nil
	}
	return p.Before, &p
}

// inputHash tells whether an event is the one that was emitted before. It is the
// first behind the same cursor, so its payload is enough to tell it from what
// has taken its place upstream; its time and its cursor may be others each time.
func inputHash(e Event) string {
	hash := sha256.New()
	for _, part := range []string{e.Wall, e.Kind, e.Key, e.ID, string(e.Data)} {
		fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:12])
}
