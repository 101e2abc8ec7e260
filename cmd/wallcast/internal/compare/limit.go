//go:build linux

package main

import (
	"runtime"
	"time"
)

// load is what a saturated server was sent, and what that took.
type load struct {
	flooded           flooded
	took              time.Duration
	server, generator time.Duration // of the processors
}

const (
	// waits is the share of the time from which on what was waited for counts as
	// the limit.
	waits = 0.15

	// full is the share of the computer from which on there is none left.
	full = 0.9
)

// tellLimit notes what kept a saturated server from being faster.
func (c *comparison) tellLimit(s *server, l load) {
	share := func(d, of time.Duration) float64 { return d.Seconds() / of.Seconds() }
	processors := time.Duration(runtime.NumCPU()) * l.took
	server, generator := share(l.server, processors), share(l.generator, processors)
	limit := "other programs on this computer"
	switch {
	case s.contender == plainHub && share(l.flooded.taking, l.took) >= waits:
		limit = "the hub, which takes an event when its clients' channels have room"
	case share(l.flooded.viewing, l.took) >= waits:
		limit = "the fan-out"
	case share(l.flooded.taking, l.took) >= waits:
		limit = "the store, which acknowledges what is on disk"
		if rate, err := syncRate(s.folder, c.size.syncing/2); err == nil {
			limit += ": it can sync " + short(rate) + " times a second"
		}
	}
	if server+generator >= full && generator > server {
		limit += ", and the generator, which needed more than the server"
	}
	c.note(s.contender, "%s events/s; the server took %.0f %% of the computer, the generator %.0f %%; the limit was %s",
		short(float64(l.flooded.events)/l.took.Seconds()), 100*server, 100*generator, limit)
}
