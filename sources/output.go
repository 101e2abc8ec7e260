package sources

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/wallcast/wallcast/stream"
)

const (
	leastRetry = 100 * time.Millisecond
	mostRetry  = 5 * time.Second

	// lastPublish is how long an event that is on its way when a run ends may
	// take to be acknowledged.
	lastPublish = 2 * time.Second
)

var (
	errSuperseded = errors.New("another process has emitted an event of this source meanwhile; starting again from the newest cursor")
	errBadCursor  = errors.New("the source gave a cursor that is not valid JSON")
)

// output is the Output of one run.
type output struct {
	ctx      context.Context // of the run
	r        *runner
	begin    json.RawMessage
	nonce    string // of this run, for events of a source that keeps no cursor
	progress *progress
	saver    *saver

	// turn holds one token. Events are stored one after another: an event whose
	// cursor is newer must never be stored while an older one is not.
	turn chan struct{}

	// Owned by who has the turn.
	mark   stream.Mark
	base   json.RawMessage // the source's own cursor; mark's may be a partial
	resume *partial        // what an earlier run has stored of the event that comes next
	broken error           // why this run may emit nothing more
}

func newOutput(ctx context.Context, r *runner, mark stream.Mark) *output {
	o := &output{
		ctx: ctx, r: r, progress: r.progress, nonce: nonce(),
		turn: make(chan struct{}, 1), mark: mark,
	}
	if mark.Count > 0 {
		o.base, o.resume = parseCursor(mark.Cursor)
		o.begin = slices.Clone(o.base)
	}
	o.mark.Source = r.Name
	o.saver = newSaver(ctx, r)
	o.turn <- struct{}{}
	return o
}

// close ends the run's goroutine; save says whether the cursor may be saved.
func (o *output) close(save bool) { o.saver.close(save) }

func (o *output) Cursor() json.RawMessage { return slices.Clone(o.begin) }

func (o *output) Log() *slog.Logger { return o.r.log }

func (o *output) Delivery(ctx context.Context, after uint64) (Delivery, error) {
	return o.r.store.NextDelivery(ctx, o.r.Name, after)
}

func (o *output) Warn(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if !o.progress.warn(text) {
		return
	}
	if text == "" {
		o.r.log.Info("source is well again")
	} else {
		o.r.log.Warn("source has a problem", "error", text)
	}
}

func (o *output) Emit(ctx context.Context, e Event) error {
	return o.inTurn(ctx, func(ctx context.Context) error {
		if o.r.Transform == nil && o.resume == nil {
			return o.emit(ctx, e, e.Cursor)
		}
		return o.emitMade(ctx, e)
	})
}

// emit stores one event with a cursor, as fast as the rate permits.
func (o *output) emit(ctx context.Context, e Event, cursor json.RawMessage) error {
	subject, err := o.r.Subject(e)
	if err != nil {
		return &EventError{err}
	}
	if o.r.limiter != nil {
		turn := o.r.limiter.Reserve()
		if wait := turn.Delay(); wait > 0 && !pause(ctx, wait) {
			turn.Cancel()
			return ctx.Err()
		}
	}
	return o.store(ctx, subject, e, cursor)
}

func (o *output) SaveCursor(ctx context.Context, cursor json.RawMessage) error {
	return o.inTurn(ctx, func(ctx context.Context) error {
		mark, err := o.next(cursor)
		if err != nil {
			return err
		}
		o.mark, o.base, o.resume = mark, mark.Cursor, nil
		o.saver.note(mark, stream.Subject{}, stream.ID{})
		return o.retry(ctx, "saving the cursor", o.saver.flush)
	})
}

// inTurn calls f when nothing else is being stored. An error of f ends the run,
// unless it is an *EventError.
func (o *output) inTurn(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(o.ctx, cancel)()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-o.turn:
	}
	defer func() { o.turn <- struct{}{} }()
	if o.broken != nil {
		return o.broken
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err := f(ctx)
	var one *EventError
	if err != nil && !errors.As(err, &one) {
		// Whether the event was stored is unknown, so the count of the next one is too.
		o.broken = err
	}
	return err
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// next is the mark that follows, with cursor or, when that is nil, the same
// cursor as before.
func (o *output) next(cursor json.RawMessage) (stream.Mark, error) {
	mark := o.mark
	mark.Count++
	if cursor == nil {
		return mark, nil
	}
	var line bytes.Buffer // a cursor travels in a header, which is one line
	if err := json.Compact(&line, cursor); err != nil {
		return mark, errBadCursor
	}
	mark.Cursor = line.Bytes()
	return mark, nil
}

// store stores an event and a cursor.
func (o *output) store(ctx context.Context, subject stream.Subject, e Event, cursor json.RawMessage) error {
	mark, err := o.next(cursor)
	if err != nil {
		return err
	}
	draft := stream.Draft{
		Subject: subject, Data: e.Data, Time: e.Time,
		Source: first(e.Origin.Source, o.r.Name), EventID: first(e.Origin.ID, e.ID), Type: e.Origin.Type, Hops: e.Hops,
		DedupeID: o.dedupeID(e, mark),
	}
	if draft.Time.IsZero() {
		draft.Time = time.Now()
	}
	keeps := mark.Cursor != nil
	if keeps {
		draft.Mark = &mark
	}
	receipt, tries, err := o.publish(ctx, draft)
	if err != nil {
		return err
	}
	if receipt.Duplicate && tries == 1 && e.ID == "" {
		return errSuperseded // on a later try it is our own, whose acknowledgement was lost
	}
	o.mark = mark
	if !receipt.Duplicate || tries > 1 {
		o.progress.stored()
	}
	if !keeps {
		return nil
	}
	if receipt.Duplicate && e.ID != "" {
		receipt.ID = stream.ID{} // where an older event lies says nothing about this one
	}
	o.saver.note(mark, subject, receipt.ID)
	if o.r.CheckpointEach {
		// The event is stored, so an end of ctx is no error of this event.
		_ = o.retry(ctx, "saving the cursor", o.saver.flush)
	}
	return nil
}

// publish stores a draft, trying until that is acknowledged, and returns how
// many tries it took.
func (o *output) publish(ctx context.Context, draft stream.Draft) (receipt stream.Receipt, tries int, err error) {
	err = o.retry(ctx, "storing an event", func(ctx context.Context) error {
		tries++
		// An end of ctx does not leave the outcome open: an event that was stored
		// unnoticed takes its cursor with it when others evict it.
		ended := ctx
		ctx, cancel := context.WithCancel(context.WithoutCancel(ended))
		defer cancel()
		defer context.AfterFunc(ended, func() { time.AfterFunc(lastPublish, cancel) })()
		put := o.r.store.Publish
		if o.r.Hold {
			put = o.r.store.Hold
		}
		receipt, err = put(ctx, draft)
		return err
	})
	return receipt, tries, err
}

// retry calls f until it succeeds, ctx ends or its error is one that no retry
// will cure.
func (o *output) retry(ctx context.Context, doing string, f func(context.Context) error) error {
	wait := backoff{least: leastRetry, most: mostRetry}
	for {
		err := f(ctx)
		switch {
		case err == nil:
			if o.progress.storeTrouble("") {
				o.r.log.Info("the store is back")
			}
			return nil
		case errors.Is(err, stream.ErrTooLarge):
			return &EventError{err}
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, stream.ErrReset):
			return fmt.Errorf("%s: %w", doing, err)
		}
		if o.progress.storeTrouble(fmt.Sprintf("%s: %v; trying again", doing, err)) {
			o.r.log.Warn("the store has a problem; trying again", "doing", doing, "error", err)
		}
		if !wait.wait(ctx) {
			return ctx.Err()
		}
	}
}

// dedupeID is what makes a retry harmless. Names hold no dot and a count no
// colon, so no two events can be taken for each other.
func (o *output) dedupeID(e Event, mark stream.Mark) string {
	prefix := "src." + o.r.Name + "."
	switch {
	case e.ID != "":
		return prefix + "id:" + headerSafe(e.ID)
	case mark.Cursor == nil:
		return prefix + o.nonce + ":" + strconv.FormatUint(mark.Count, 10)
	}
	return prefix + strconv.FormatUint(mark.Count, 10)
}

// headerSafe returns id, or a hash of it where it is long or no plain text: an
// id from elsewhere may hold anything, also line ends.
func headerSafe(id string) string {
	plain := len(id) <= 64
	for i := 0; i < len(id) && plain; i++ {
		plain = id[i] > ' ' && id[i] < 0x7f
	}
	if plain {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256:" + hex.EncodeToString(sum[:16])
}
