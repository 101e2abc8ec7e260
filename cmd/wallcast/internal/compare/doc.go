//go:build linux

// Command compare measures Wallcast beside the hub that every tutorial on
// Server-Sent Events writes, and prints a table.
//
// # Usage
//
//	make bench
//	go run ./cmd/wallcast/internal/compare -run saturated -rounds 1
//
// It needs Linux and the Go toolchain, builds wallcast itself, and takes some
// eight minutes. The data lies in the system's folder for temporary files, whose
// disk it is that events are synced to: TMPDIR chooses another one.
//
// # What is compared
//
// Ours is "wallcast serve" as people run it: a private wall and a list of origins,
// so that the access rules are in the way, the embedded JetStream, which
// syncs every event to disk before it acknowledges it, ids, heartbeats, and
// a filter (kinds) in every second viewer's address. The plain hub has a goroutine
// and a channel per client, Fprintf and Flush; it keeps events in a slice, and
// has none of the rest.
//
// Three processes take part in a measurement: the server, the generator, which
// holds the viewers, and this one, which publishes. They share the computer.
// Viewers check that every event came once and in order. Each measurement has a
// new server; plain hub and ours take turns, and the table has the medians of the
// rounds and the median of the rounds' ratios, for the figures of a
// computer drift more than their ratio.
//
// # What limits
//
// A saturated server is sent events as fast as it acknowledges them, as long as
// it is not more than [lead] events ahead of what a viewer has received. They come
// over one connection, so that their order is known, and at most [window] of them
// are not acknowledged: ours takes them by NATS and acknowledges what the disk has,
// the hub by HTTP, and what its clients' channels have room for.
//
// With few viewers the disk may be the limit, and not the fan-out. So that is
// measured once more with the data in memory, where a sync costs next to nothing.
// Notes under the table say what the processes used and what the limit was.
package main
