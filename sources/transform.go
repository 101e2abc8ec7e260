package sources

import "context"

// Transform makes zero or more events of one, as the configuration's map and
// only do. It may be used concurrently, and is bounded in time and output.
//
// An event that it returns has the Wall, Kind, Key, ID and Time that were set,
// or else those of the event that it was made of; its Cursor and About are
// ignored. The error is an *EventError.
type Transform interface {
	Transform(ctx context.Context, e Event) ([]Event, error)
}
