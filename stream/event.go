package stream

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"
)

// Event is one entry of a wall's history as a reader gets it: an event, a
// control event of ours, or an entry that is neither (see [Event.Odd]).
type Event struct {
	ID      ID
	Subject Subject   // zero for a control event and for an odd entry
	Time    time.Time // when it happened: the header ce-time, else when it was stored
	Source  string    // who made it: the header ce-source; empty when unknown
	Data    []byte    // the payload as published; not necessarily valid UTF-8

	// Hops is how many plugins stand between this event and what came from
	// outside: 0 for an event that no plugin has made, 1 for what a plugin makes
	// of such an event, and so on. Where it is not 0, the store vouches for it and
	// for Source.
	Hops int

	Control string // name of a control event, as [Retract]; empty for others
	Target  ID     // what a control event is about
}

// Retract is the control event that takes its target off the wall. When the
// target was the newest version of a keyed card, its older versions go too.
const Retract = "retract"

// Odd reports whether the entry is something that Wallcast does not show, such
// as an event of a NATS client with a malformed kind. It has an ID, since it
// counts as considered, and nothing else to rely on.
func (e Event) Odd() bool { return e.Control == "" && e.Subject == Subject{} }

// Draft is an event that is to be stored.
type Draft struct {
	Subject Subject
	Data    []byte
	Time    time.Time // when it happened; the zero time means now
	Source  string    // CloudEvents' source; may be empty
	EventID string    // CloudEvents' id; may be empty
	Type    string    // CloudEvents' type; may be empty
	Hops    int       // see Event

	// DedupeID makes a retry harmless: of two drafts with the same DedupeID on
	// one wall, the later is not stored while the first is, within the store's
	// window. The caller scopes it by who is publishing. Empty means none.
	DedupeID string

	// Mark is set for events of a source that keeps a cursor. It is stored in
	// the same write as the event, so no crash can part the two.
	Mark *Mark
}

// Mark is how far a source has come, as stored with its newest event.
type Mark struct {
	Source string          // the source's name in the configuration
	Count  uint64          // of events emitted by the source, from 1; the highest is the newest
	Cursor json.RawMessage // whatever the source needs to go on; valid JSON
}

// Receipt is what the store answers.
type Receipt struct {
	ID        ID
	Duplicate bool // the event was stored before under the same DedupeID; ID is the first one's

	// Held is the number of an event that waits for a moderator, whose ID is zero.
	Held uint64
}

// Held is an event that waits for a moderator.
type Held struct {
	Number uint64 // grows with each event that is held, of all walls
	Event  Event  // its ID is zero
}

// State describes what is held of a wall.
type State struct {
	Epoch string
	// First is the oldest sequence that eviction has left: every event from
	// there on is either held or was retracted. One more than Last when nothing
	// is held.
	First uint64
	Last  uint64   // the newest sequence given out; 0 on a new wall
	Kinds []string // kinds that occur in what is held, sorted
}

// Head is the ID of the newest entry.
func (s State) Head() ID { return ID{s.Epoch, s.Last} }

// Publisher stores events. Its methods may be called concurrently.
type Publisher interface {
	// Publish returns when the store has acknowledged the event, which with the
	// embedded server means that it is on disk. An error that is not one of this
	// package's means that it is unknown whether the event was stored; a retry
	// with the same DedupeID is safe.
	Publish(ctx context.Context, d Draft) (Receipt, error)
}

// Retractor takes events back. Its methods may be called concurrently.
type Retractor interface {
	// Retract stores the control event that announces the retraction and then
	// deletes the event with the given id from the wall; it returns the control
	// event's id. Should the process die in between, whoever serves the wall
	// next completes it. ErrNotFound when no such event is held.
	Retract(ctx context.Context, wall string, id ID) (ID, error)
}

// Moderator keeps events back until somebody decides. Its methods may be called
// concurrently.
type Moderator interface {
	// Hold is as [Publisher].Publish, and keeps the event back.
	Hold(ctx context.Context, d Draft) (Receipt, error)

	// Held returns what waits, oldest first: of one wall, or of all when wall is
	// empty.
	Held(ctx context.Context, wall string) ([]Held, error)

	// Approve puts a held event on its wall and returns its id there. Should the
	// process die in between, whoever starts next completes it. ErrNotFound when
	// nothing of that wall waits under that number.
	Approve(ctx context.Context, wall string, number uint64) (ID, error)

	// Drop deletes a held event; ErrNotFound as Approve.
	Drop(ctx context.Context, wall string, number uint64) error
}

// Reader reads walls. Its methods may be called concurrently.
type Reader interface {
	// State asks the store, so it is as new as the call.
	State(ctx context.Context, wall string) (State, error)

	// Range yields the entries after the sequence after, up to and including
	// through, that are held when it is called, in order. The sequences of what
	// was retracted or evicted are missing. An error ends it.
	Range(ctx context.Context, wall string, after, through uint64) iter.Seq2[Event, error]

	// Follow yields the entries after the sequence after, in order and each
	// once, and goes on with new ones as they are stored, until ctx ends
	// (with ctx's error) or the store can't go on from there: ErrReset.
	Follow(ctx context.Context, wall string, after uint64) iter.Seq2[Event, error]

	// Cards returns the newest version of every keyed card, ordered by
	// sequence, also of those whose events the history has evicted.
	Cards(ctx context.Context, wall string) ([]Event, error)
}

// Errors that callers tell apart with errors.Is.
var (
	ErrNotFound    = errors.New("no such event is held")
	ErrUnknownWall = errors.New("no such wall")
	ErrReset       = errors.New("the wall's store was replaced")
	ErrTooLarge    = errors.New("the payload is larger than the wall accepts")
	ErrFull        = errors.New("the store is full")
	ErrUnavailable = errors.New("the store can't be reached")
)
