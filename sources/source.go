package sources

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/wallcast/wallcast/stream"
)

// Source is a producer: it emits events until it is told to stop.
//
// A Source is run by the supervisor, one Run at a time. What it needs to go on
// after a crash it puts into the cursor of each event: the event and its cursor
// are stored in one write, and the next Run starts from the newest stored one.
type Source interface {
	// Run emits events through out. It returns nil when it has nothing more to
	// emit, ctx's error when ctx ended, and any other error to be run again after
	// a while. It leaves no goroutine behind.
	Run(ctx context.Context, out Output) error
}

// Checker is a Source that can look whether what it reads from is there, as
// "wallcast check" does.
type Checker interface {
	Source

	// Check looks once and changes nothing. It returns before ctx ends, and a
	// *SettingError where one setting is to blame.
	Check(ctx context.Context) error
}

// Output is what a running Source is given. Its methods may be called
// concurrently.
type Output interface {
	// Cursor returns the cursor of the source's newest stored event as it was
	// when Run began; nil when there is none.
	Cursor() json.RawMessage

	// Emit stores an event and returns when that is acknowledged. It retries
	// while the store is away. After an error other than *EventError the source
	// returns from Run; an *EventError concerns this event alone.
	Emit(ctx context.Context, e Event) error

	// SaveCursor stores a cursor without an event, for a source that has come on
	// with nothing to emit. It is a write of its own, so it is for seldom use: a
	// cursor that matters for an event goes with the event. It retries and fails
	// as Emit does.
	SaveCursor(ctx context.Context, cursor json.RawMessage) error

	// Warn puts a problem into the source's status and log, as an upstream that
	// can't be reached; nil says that it is over.
	Warn(err error)

	// Delivery returns the oldest delivery to the source's hook that was accepted
	// after the one with that number (0: the oldest that is held), and waits for
	// one. Only a [Receiver] has any.
	Delivery(ctx context.Context, after uint64) (Delivery, error)

	// Log returns the source's own logger.
	Log() *slog.Logger
}

// Event is what a source emits.
type Event struct {
	// Wall, Kind and Key are what the source itself says of the address. Where
	// they are empty the configuration's "to" counts.
	Wall, Kind, Key string

	Data []byte    // a JSON object or flat text; kept byte for byte
	Time time.Time // when it happened; the zero time means now
	ID   string    // the event's id where it comes from; a second one with it is not stored

	// Origin is set for an event that had CloudEvents' attributes before.
	Origin Origin

	// About is what came along with the payload outside of it, as the headers of a
	// request (names in lower case). The configuration's jq programs see it as
	// $about; it is not stored.
	About map[string]string

	// Hops is stream.Event's, for what a plugin emits; else 0.
	Hops int

	// Cursor is what Output.Cursor returns once this is the newest stored event.
	// Nil leaves it as it was, and is what a source gives that keeps no cursor.
	Cursor json.RawMessage
}

// Origin is CloudEvents' attributes that an event had where it comes from. Those
// that are empty become the event's ID, the source's name and the kind.
type Origin struct{ ID, Source, Type string }

// EventError says why one event can't be stored, whatever is tried.
type EventError struct{ Err error }

func (e *EventError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *EventError) Unwrap() error { return e.Err }

// Type is a kind of source: what a configuration names.
type Type struct {
	Name string // as in the configuration: "file"
	Doc  string // one sentence for the reference and the schema

	// Maps are ready programs for the configuration's map, by name.
	Maps map[string]string

	// Kind is set for a type whose sources have one card each: the kind of its
	// events where the configuration's "to" names none. Where that names no key
	// either, the source's name is the key.
	Kind string

	// New returns a pointer to a settings struct that holds the defaults. Its
	// fields carry the tags `yaml:"name"` and `doc:"…"`; the latter is the one
	// place where a setting is described.
	New func() Settings
}

// Settings are the decoded settings of one source.
type Settings interface {
	// Source checks the settings and makes the source. It opens nothing. A
	// *SettingError says which setting is wrong.
	Source(env Env) (Source, error)
}

// Env is what a source may know of where it runs.
type Env struct {
	Name    string // the source's name in the configuration
	Folder  string // what relative paths are relative to: the configuration file's folder
	Network Network

	// Unmapped says that the source has no map, so that what it makes has to be an
	// event as it is. For a source whose upstream may say what is none.
	Unmapped bool

	// Pictures is where pictures are kept; nil when the program has no place for
	// them, as in a test.
	Pictures Pictures
}

// Complete returns e with a Network that lacks nothing: what it lacks is the
// standard library's, which is for tests.
func (e Env) Complete() Env {
	for _, client := range []**http.Client{&e.Network.Client, &e.Network.Streams, &e.Network.Public} {
		if *client == nil {
			*client = http.DefaultClient
		}
	}
	if e.Network.Dial == nil {
		e.Network.Dial = new(net.Dialer).DialContext
	}
	return e
}

// Network is how a source reaches others. The program's own is careful: time
// limits, few redirects, proxies from the environment, an honest User-Agent. None
// of its fields is nil when a source is made; see Env.Complete.
type Network struct {
	// Client is for requests whose answers end: it bounds their time and size.
	Client *http.Client

	// Streams is for answers that never end: it bounds only the time until an
	// answer begins.
	Streams *http.Client

	// Public is as Client, and connects to public addresses alone. It is for
	// addresses that events bring, which anybody may have written.
	Public *http.Client

	// Dial connects to a server that doesn't speak HTTP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// SettingError is a setting that can't work, with what would.
type SettingError struct {
	Setting string // the yaml name, dotted below the source's settings
	Err     error
}

func (e *SettingError) Error() string { return fmt.Sprintf("%s: %v", e.Setting, e.Err) }

// Unwrap returns the cause.
func (e *SettingError) Unwrap() error { return e.Err }

// Store is what the supervisor needs of the stream.
type Store interface {
	stream.Publisher

	// Hold keeps a draft for a moderator instead of publishing it. Its DedupeID
	// and Mark count as they do for Publish, and so does the error; LastMark knows
	// the mark also once somebody has decided about the event.
	Hold(ctx context.Context, d stream.Draft) (stream.Receipt, error)

	// LastMark returns the newest mark of a source: of the events on walls that
	// carry one, and of the last checkpoint. The zero Mark (Count 0) when there
	// is none.
	LastMark(ctx context.Context, source string, walls []string) (stream.Mark, error)

	// Checkpoint keeps mark apart from the events, so that LastMark reads only
	// what was stored after at (a position per wall).
	Checkpoint(ctx context.Context, mark stream.Mark, at map[string]stream.ID) error

	// NextDelivery returns the oldest accepted delivery to a source's hook after
	// the one with that number, and waits for one.
	NextDelivery(ctx context.Context, source string, after uint64) (Delivery, error)

	// Lease waits until this process alone may run the named source. The context
	// it returns ends when the lease is lost; release gives it up.
	Lease(ctx context.Context, name string) (held context.Context, release func(), err error)
}
