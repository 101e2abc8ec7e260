package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

// handover is how long a source whose stream is gone waits for another one to
// hold the subject, before it makes one itself: ours would be in its way.
const handover = 30 * time.Second

// source follows one rule.
type source struct {
	nc       *client.Conn
	rule     Rule
	replicas int
	handover time.Duration
	recheck  time.Duration

	// Of a source that reads a stream of another server:
	named string // the stream; empty for the one that holds the subject
	all   bool   // the first run ever begins with the stream's first message
}

var _ sources.Source = (*source)(nil)

// New makes the source that follows a rule, which [Rule.Check] has found well, on
// the server that nc leads to. The connection stays the caller's. A stream that
// the source has to make gets so many replicas (0 means 1). A rule that the
// server's streams don't allow is an error of Run's, a *PartError.
func New(nc *client.Conn, rule Rule, replicas int) sources.Source {
	return &source{nc: nc, rule: rule, replicas: max(replicas, 1), handover: handover, recheck: recheck}
}

// position is up to where a stream was read. It is the cursor.
type position struct {
	Stream  string `json:"stream"`
	Created string `json:"created"` // when the stream was, in nanoseconds since 1970; too many for a JSON number

	// Seq is the newest sequence that needs no more reading. When it is zero,
	// reading begins after Time, and where that is zero, too, with the first message.
	Seq uint64 `json:"seq"`

	// Time is when the newest message that needs no more reading was stored, or
	// later: with it the source finds its place in another stream.
	Time time.Time `json:"time,omitzero"`
}

func created(info *jetstream.StreamInfo) string {
	return strconv.FormatInt(info.Created.UnixNano(), 10)
}

// on reports whether p is a position on the stream.
func (p position) on(info *jetstream.StreamInfo) bool {
	return p.Stream == info.Config.Name && p.Created == created(info)
}

func (p position) cursor() json.RawMessage {
	cursor, err := json.Marshal(p)
	if err != nil {
		return nil // of a time after the year 9999: the former cursor stays
	}
	return cursor
}

// reading is one run of a source.
type reading struct {
	*source
	js  jetstream.JetStream
	out sources.Output
	at  position

	holder *jetstream.StreamInfo // of the subject as it was looked up last
	former bool                  // at is on a stream that holds the subject no more; the holder is next

	warned bool
	saveAt time.Time // when a position without an event may be saved next
}

// Run implements sources.Source.
func (s *source) Run(ctx context.Context, out sources.Output) error {
	js, err := jetstream.New(s.nc)
	if err != nil {
		return fmt.Errorf("using JetStream: %w", err)
	}
	r := &reading{source: s, js: js, out: out}
	if cursor := out.Cursor(); cursor != nil {
		if err := json.Unmarshal(cursor, &r.at); err != nil || r.at.Stream == "" {
			r.at = position{}
			r.warn(fmt.Errorf("the cursor %.100q is none of this source's; beginning with new messages", cursor))
		}
	}
	for failed := false; ; {
		if err := r.settle(ctx); err != nil {
			return ended(ctx, err)
		}
		if s.named != "" && !r.warned {
			out.Warn(nil) // of what was before this connection
		}
		before := r.at
		err := r.follow(ctx)
		stuck := err != nil && r.at == before
		if err != nil && !errors.Is(err, errUpstream) || stuck && failed {
			return ended(ctx, err)
		}
		failed = stuck // once: the stream may have been deleted, which settle sees
	}
}

// ended is ctx's error where that is what ended a run.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// settle finds the stream that holds the subject and the position to go on from.
func (r *reading) settle(ctx context.Context) error {
	var err error
	if r.holder, err = r.findHolder(ctx); err != nil {
		return err
	}
	r.former = false
	switch info := r.holder; {
	case r.at.Stream == "" && r.all:
		// What was deleted before was never ours to read.
		r.at = position{Stream: info.Config.Name, Created: created(info), Seq: max(info.State.FirstSeq, 1) - 1}
		return r.save(ctx)
	case r.at.Stream == "":
		r.at = position{info.Config.Name, created(info), info.State.LastSeq, info.TimeStamp}
		return r.save(ctx)
	case r.at.on(info) && r.at.Seq > info.State.LastSeq:
		r.warn(fmt.Errorf("the stream %s ends at %d and had reached %d: an older copy was put in its place; going on with what is newer than %s",
			info.Config.Name, info.State.LastSeq, r.at.Seq, r.at.Time.Format(time.RFC3339)))
		r.at.Seq = 0
	case r.at.on(info):
		r.noteEvicted(info)
	case r.at.Stream == info.Config.Name:
		r.warn(fmt.Errorf("the stream %s was made anew; beginning with its first message", info.Config.Name))
		r.at = position{Stream: info.Config.Name, Created: created(info)}
		r.noteEvicted(info)
	default:
		return r.leave(ctx)
	}
	return nil
}

// findHolder returns the stream that holds the subject, and makes one where
// there is none.
func (r *reading) findHolder(ctx context.Context) (*jetstream.StreamInfo, error) {
	if r.at.Stream == "" {
		return r.hold(ctx, r.js, true)
	}
	deadline := time.Now().Add(r.source.handover)
	for waited := false; time.Now().Before(deadline); waited = true {
		info, err := r.hold(ctx, r.js, false)
		if err != nil {
			return nil, err
		}
		if info != nil {
			if waited {
				r.well()
			}
			return info, nil
		}
		r.warn(fmt.Errorf("the stream %s holds %q no more; waiting for another one that does", r.at.Stream, r.rule.Subject))
		if err := pause(ctx, min(time.Second, r.source.handover/10)); err != nil {
			return nil, err
		}
	}
	return r.hold(ctx, r.js, true)
}

// leave goes from the stream that held the subject to the one that does now,
// by way of what is left in the former.
func (r *reading) leave(ctx context.Context) error {
	old, err := r.js.Stream(ctx, r.at.Stream)
	if err == nil && r.at.on(old.CachedInfo()) {
		r.former = true
		r.noteEvicted(old.CachedInfo())
		return nil
	}
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("reading the stream %s: %w", r.at.Stream, err)
	}
	r.warn(fmt.Errorf("the stream %s is gone; going on in %s with what is newer than %s",
		r.at.Stream, r.holder.Config.Name, r.at.Time.Format(time.RFC3339)))
	r.move()
	return nil
}

// move goes to the holder, to where it is newer than what was read.
func (r *reading) move() {
	r.former = false
	r.at = position{Stream: r.holder.Config.Name, Created: created(r.holder), Time: r.at.Time}
}

// noteEvicted warns of messages that were deleted before they could be read.
// Which of them the rule would have matched nobody can tell any more.
func (r *reading) noteEvicted(info *jetstream.StreamInfo) {
	first := r.at.Seq + 1
	if r.at.Seq == 0 && !r.at.Time.IsZero() || info.State.FirstSeq <= first {
		return
	}
	r.warn(fmt.Errorf("the stream %s has deleted up to %d messages of %q before they could be read (%d to %d)",
		info.Config.Name, info.State.FirstSeq-first, r.rule.Subject, first, info.State.FirstSeq-1))
	r.at.Seq = info.State.FirstSeq - 1
}

// save stores the position without an event.
func (r *reading) save(ctx context.Context) error {
	if err := r.out.SaveCursor(ctx, r.at.cursor()); err != nil {
		return err
	}
	r.saveAt = time.Now().Add(saveEvery)
	return nil
}

func (r *reading) warn(err error) {
	r.warned = true
	r.out.Warn(err)
}

// well takes a warning back.
func (r *reading) well() {
	if r.warned {
		r.warned = false
		r.out.Warn(nil)
	}
}

// pause waits for d and returns ctx's error when that ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}

// event makes an event of a stored message.
func (r *reading) event(msg jetstream.Msg, next position, stored time.Time) (sources.Event, error) {
	e, err := r.rule.event(msg.Subject(), msg.Headers(), msg.Data(), stored)
	e.ID = next.Stream + "@" + next.Created + ":" + strconv.FormatUint(next.Seq, 10)
	e.Cursor = next.cursor()
	return e, err
}

// event makes an event of a message that was published at the time when.
func (r Rule) event(subject string, h client.Header, data []byte, when time.Time) (sources.Event, error) {
	kind, key, ok := r.Expand(subject)
	if !ok {
		return sources.Event{}, errors.New("the rule does not match it")
	}
	if len(data) == 0 {
		return sources.Event{}, errors.New("it has no payload")
	}
	if t, err := time.Parse(time.RFC3339Nano, h.Get("ce-time")); err == nil && t.Year() > 0 && t.Year() <= 9999 {
		when = t.UTC()
	}
	return sources.Event{
		Kind: kind, Key: key, Data: []byte(stream.Text(data)), Time: when, About: about(subject, h),
		Origin: sources.Origin{ID: h.Get("ce-id"), Source: h.Get("ce-source"), Type: h.Get("ce-type")},
	}, nil
}

// about is what a message has beside its payload: its headers, and its subject.
func about(subject string, headers client.Header) map[string]string {
	all := map[string]string{}
	for name, values := range headers {
		if len(values) > 0 {
			all[strings.ToLower(name)] = values[0]
		}
	}
	all["subject"] = subject
	return all
}
