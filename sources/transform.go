package sources

import (
	"context"
	"strconv"
	"time"

	"golang.org/x/time/rate"
)

// Transform makes zero or more events of one, as the configuration's map and
// only do. It may be used concurrently, and is bounded in time and output.
//
// An event that it returns has the Wall, Kind, Key, ID and Time that were set,
// or else those of the event that it was made of; its Cursor, About and Hops
// are ignored. The error is an *EventError.
type Transform interface {
	Transform(ctx context.Context, e Event) ([]Event, error)
}

// Rate is so many events in some time, which may also come all at once. The
// zero Rate is no limit.
type Rate struct {
	Events int
	Per    time.Duration
}

func (r Rate) limiter() *rate.Limiter {
	if r.Events <= 0 || r.Per <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Every(r.Per/time.Duration(r.Events)), r.Events)
}

// Made returns what is stored of an event that the source emits: what Transform
// makes of it, each with an id of its own where the source has given one. The
// order and the ids are the same each time, so that a redelivery can be told.
func (i Instance) Made(ctx context.Context, e Event) ([]Event, error) {
	if i.Transform == nil {
		return []Event{e}, nil
	}
	made, err := i.Transform.Transform(ctx, e)
	if err != nil {
		return nil, err
	}
	for n := range made {
		m := &made[n]
		m.Cursor, m.About, m.Hops = nil, nil, e.Hops
		if n == 0 {
			continue
		}
		suffix := "#" + strconv.Itoa(n+1)
		if m.ID != "" && m.ID == e.ID {
			m.ID += suffix
		}
		if m.Origin.ID != "" && m.Origin.ID == e.Origin.ID {
			m.Origin.ID += suffix
		}
	}
	return made, nil
}
