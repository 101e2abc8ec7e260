// Package upstream says what a station's upstream is: something that knows what
// is on air, as a streaming server or an automation system. Each is a package of
// its own beside this one; package nowplaying makes a station of them.
package upstream

import (
	"context"
	"time"
)

// Upstream says what is on air, as long as it can.
type Upstream interface {
	// Watch calls report with what is on air: at once, and again whenever it has
	// looked or was told, changed or not. It returns ctx's error when ctx has ended,
	// and any other error when the upstream can't be used at the moment: the
	// station then turns to the next one, and comes back after a while. The error
	// is a sentence for people, without passwords. An answer that says nothing, as
	// a broken one, is not reported; after a few in a row Watch returns the error.
	//
	// report does not wait and may be called by one goroutine at a time.
	Watch(ctx context.Context, report func(Report)) error
}

// State is what an upstream says of a station.
type State int

// The states that an upstream can see. That a station is stale or unreachable
// is for the station to find out.
const (
	Playing State = iota // something plays, though its title may be unknown
	Silent               // the upstream is up, and nothing plays
	Offline              // the upstream is up, and the station isn't
)

// Report is what is on air at one moment. The zero value of a field says that the
// upstream does not tell. Texts are valid UTF-8 without control characters and
// entities, and otherwise as the upstream has them: whether an artist is part of
// the title, or a title means nothing, is for the station to find out.
type Report struct {
	State State
	Song  Song
	Next  *Song

	Live      bool   // somebody speaks or plays live
	DJ        string // who
	Listeners *int   // nil: not known

	// Station is what the upstream calls the station. A title that says the same
	// says nothing.
	Station string

	// Paused is set where the upstream knows that music has stopped in between,
	// as MPD does.
	Paused bool
}

// Song is one piece of programme.
type Song struct {
	Text                 string // artist and title in one, where the upstream has them so
	Artist, Title, Album string // where it tells them apart
	Art                  string // address of a picture

	// Picture is the cover itself, where the upstream hands it out rather than
	// an address, and PictureType its media type.
	Picture     []byte
	PictureType string

	Type      string        // song, jingle, ad or live, where the upstream says
	PlayID    string        // differs from play to play, also of one song
	StartedAt time.Time     // zero: not known
	Duration  time.Duration // 0: not known
}
