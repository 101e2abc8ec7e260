//go:build linux

package main

import (
	"context"
	"time"
)

// size is how large the measurements are.
type size struct {
	few, many, secured int // viewers; secured: over TLS and HTTP/2
	history            int // events to replay
	saturated, paced   time.Duration
	posting, syncing   time.Duration
	settle             time.Duration // that a server's memory has at most
}

// promised is the size that the figures are promised for.
var promised = size{
	few: 1000, many: 10_000, secured: 2000, history: 10_000,
	saturated: 4 * time.Second, paced: 6 * time.Second,
	posting: 3 * time.Second, syncing: time.Second, settle: 20 * time.Second,
}

// row is a figure of the table.
type row struct {
	what, unit string
	reach      string // what is to be reached; empty: nothing
	reached    func(f figures) bool
}

// figures are a row's medians. A contender that does not have the figure has 0.
type figures struct{ plain, ours, ratio float64 }

// trial is a measurement that gives a value for each of its rows.
type trial struct {
	name    string
	rounds  int
	alone   bool // the plain hub does not do it
	rows    []row
	measure func(*comparison, context.Context, contender) ([]float64, error)
}

func ratioOf(least float64) func(figures) bool {
	return func(f figures) bool { return f.ratio >= least }
}
func ratioTo(most float64) func(figures) bool { return func(f figures) bool { return f.ratio <= most } }
func ours(most float64) func(figures) bool    { return func(f figures) bool { return f.ours <= most } }
func oursOf(least float64) func(figures) bool { return func(f figures) bool { return f.ours >= least } }

func saturatedRows(what string) []row {
	return []row{
		{"saturated, " + what, "deliveries/s", "≥ 8 ×", ratioOf(8)},
		{"", "CPU µs a delivery", "", nil},
	}
}

func pacedRows(what string) []row {
	return []row{
		{what, "CPU µs a delivery", "≤ 0.7 ×", ratioTo(0.7)},
		{"", "p50 ms", "", nil},
		{"", "p99 ms", "≤ 1 ×", ratioTo(1)},
	}
}

// trials are all measurements, in the order of the table.
var trials = []trial{
	{name: "saturated-1000", rounds: 5, rows: saturatedRows("1,000 viewers"), measure: func(c *comparison, ctx context.Context, who contender) ([]float64, error) {
		return c.saturated(ctx, who, c.size.few)
	}},
	{name: "saturated-memory", rounds: 3, rows: saturatedRows("1,000 viewers, data in memory"), measure: func(c *comparison, ctx context.Context, who contender) (found []float64, err error) {
		err = c.inMemory(func() error {
			found, err = c.saturated(ctx, who, c.size.few)
			return err
		})
		return found, err
	}},
	{name: "saturated-10000", rounds: 3, rows: saturatedRows("10,000 viewers"), measure: func(c *comparison, ctx context.Context, who contender) ([]float64, error) {
		return c.saturated(ctx, who, c.size.many)
	}},
	{name: "paced-1000", rounds: 5, rows: pacedRows("1,000 viewers, 20 events/s"), measure: func(c *comparison, ctx context.Context, who contender) ([]float64, error) {
		return c.paced(ctx, who, c.size.few, 20)
	}},
	{name: "paced-10000", rounds: 3, rows: pacedRows("10,000 viewers, 5 events/s"), measure: func(c *comparison, ctx context.Context, who contender) ([]float64, error) {
		return c.paced(ctx, who, c.size.many, 5)
	}},
	{name: "replay", rounds: 3, rows: []row{
		{"10,000 recent events, replayed to one viewer", "ms", "≤ 8 ms", ours(8)},
		{"to 1,000 viewers at once", "ms", "≤ 0.35 ×", ratioTo(0.35)},
		{"10,000 events older than the window, to one", "ms", "≤ 150 ms", ours(150)},
	}, measure: (*comparison).replay},
	{name: "publishing", rounds: 3, alone: true, rows: []row{
		{"posts, on disk, 16 publishers over HTTP", "events/s", "≥ 3,000", oursOf(3000)},
		{"beside what the disk syncs a second", "share", "≥ 0.5", oursOf(0.5)},
	}, measure: (*comparison).publishing},
	{name: "idle", rounds: 1, rows: []row{{"idle, 10,000 viewers, plain HTTP/1.1", "bytes a viewer", "≤ 3,000", ours(3000)}},
		measure: func(c *comparison, ctx context.Context, who contender) ([]float64, error) {
			return c.idle(ctx, who, plainHTTP, c.size.many)
		}},
	{name: "idle-tls", rounds: 1, rows: []row{{"idle, 2,000 viewers, TLS, HTTP/1.1", "bytes a viewer", "≤ 30,000", ours(30_000)}},
		measure: func(c *comparison, ctx context.Context, who contender) ([]float64, error) {
			return c.idle(ctx, who, overTLS, c.size.secured)
		}},
	{name: "idle-http2", rounds: 1, rows: []row{{"idle, 2,000 viewers, TLS, HTTP/2", "bytes a viewer", "≤ 30,000", ours(30_000)}},
		measure: func(c *comparison, ctx context.Context, who contender) ([]float64, error) {
			return c.idle(ctx, who, overHTTP2, c.size.secured)
		}},
}
