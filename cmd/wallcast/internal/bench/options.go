package bench

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/wallcast/wallcast/stream"
)

// Options says what to do to which wall.
type Options struct {
	Own    *Own   // a wall of the test's own; nil: Target
	Target Target // an existing wall
	PID    int    // the process that serves Target, to measure it; 0: not known

	Viewers    int
	Rate       float64 // events a second; 0: as fast as they are acknowledged
	Ahead      int     // with Rate 0: how many events the viewers may be behind, on average
	Payload    int     // bytes of an event
	Publishers int     // posts under way at a time
	Kind       string  // of the events
	Duration   time.Duration
	Idle       time.Duration // before the publishing begins

	Storm      float64 // share of the viewers that are cut and come back, every StormEvery
	StormEvery time.Duration
	Slow       float64  // share of the viewers that read slowly
	Stuck      float64  // share of the viewers that stop reading
	Filtered   float64  // share of the viewers that want one kind of two
	As         []string // representations, which the viewers take in turn: raw, json, html

	// Notes is told what will be done, and what went otherwise than asked for.
	Notes io.Writer

	// Progress is called every second, from one goroutine.
	Progress func(Progress)
}

// Bounds of a run.
const (
	maxViewers    = 1_000_000
	maxRate       = 1_000_000
	maxPayload    = 1_000_000
	maxPublishers = 1_024
	maxDuration   = 24 * time.Hour
)

// Check says which option is out of its bounds, naming the command's flag.
func (o *Options) Check() error {
	for _, c := range []struct {
		wrong bool
		text  string
	}{
		{o.Viewers < 1 || o.Viewers > maxViewers, "--viewers wants a number from 1 to 1000000"},
		{!(o.Rate >= 0 && o.Rate <= maxRate), "--rate wants a number from 0 to 1000000"},
		{o.Ahead < 1, "--ahead wants a number of at least 1"},
		{o.Payload < minPayload || o.Payload > maxPayload, fmt.Sprintf("--payload wants from %d to %d bytes; each event carries a marker", minPayload, maxPayload)},
		{o.Publishers < 1 || o.Publishers > maxPublishers, fmt.Sprintf("--publishers wants a number from 1 to %d", maxPublishers)},
		{o.Duration <= 0 || o.Duration > maxDuration, "--duration wants a time such as 30s, and 24h at most"},
		{o.Idle < 0 || o.Idle > maxDuration, "--idle wants a time such as 5s, and 24h at most"},
		{o.Storm > 0 && o.StormEvery < 100*time.Millisecond, "--storm-every wants a time of at least 100ms"},
		{o.Slow+o.Stuck > 1, "--slow and --stuck are shares of the same viewers, and are more than all of them together"},
		{o.Rate*o.Duration.Seconds() > maxEvents, fmt.Sprintf("--rate and --duration make more than %d events", maxEvents)},
	} {
		if c.wrong {
			return fmt.Errorf("%s", c.text)
		}
	}
	for _, as := range o.As {
		if !slices.Contains([]string{"raw", "json", "html"}, as) {
			return fmt.Errorf("--as wants raw, json or html, or several with commas between, not %q", as)
		}
	}
	if err := stream.CheckKind(o.filteredKind()); err != nil {
		return fmt.Errorf("--kind: %w", err)
	}
	return o.checkDescriptors(descriptors())
}

// spareDescriptors is what a process needs beside its connections. One that is
// being handed to a poller has two.
const spareDescriptors = 100 + parallelConnects

// checkDescriptors says how many viewers fit into the limit on open files.
func (o *Options) checkDescriptors(limit int) error {
	fit := limit - o.Publishers - spareDescriptors
	if limit == 0 || o.Viewers <= fit {
		return nil
	}
	return fmt.Errorf("%s viewers do not fit: a process may have %s files open here, and %s viewers fit; "+
		"raise the hard limit (ulimit -Hn), or run several wallcast bench --url",
		number(o.Viewers), number(limit), number(max(0, fit)))
}

// filteredKind is the kind that filtered viewers want: every second event has it.
func (o *Options) filteredKind() string {
	if o.Filtered > 0 {
		return o.Kind + "-filtered"
	}
	return o.Kind
}

// members draws a share of n.
func members(n int, share float64) []int { return rand.Perm(n)[:int(share*float64(n)+0.5)] }
