package main_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/wallcast/wallcast/stream"
)

// written is an event as its writer meant it, or as a viewer got it.
type written struct {
	kind, key string
	text      string
}

// ledger is what is known of a wall from outside: what writers have tried and
// what was acknowledged to them. It may be used concurrently.
type ledger struct {
	t *testing.T

	mu      sync.Mutex
	epoch   string
	tried   map[string]written // by text, which is different for each event
	acked   map[uint64]written
	count   int
	changed chan struct{} // closed and replaced at each acknowledgement
}

func newLedger(t *testing.T) *ledger {
	return &ledger{t: t, tried: map[string]written{}, acked: map[uint64]written{}, changed: make(chan struct{})}
}

// seq is the sequence of an id, whose epoch has to be the same all the time.
func (l *ledger) seq(id string) uint64 {
	parsed, err := stream.ParseID(id)
	if err != nil {
		l.t.Error(err)
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch == "" {
		l.epoch = parsed.Epoch
	}
	if parsed.Epoch != l.epoch {
		l.t.Errorf("the id %s is of another epoch than %s", id, l.epoch)
	}
	return parsed.Seq
}

func (l *ledger) try(e written) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tried[e.text] = e
}

func (l *ledger) acknowledge(seq uint64, e written) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if other, ok := l.acked[seq]; ok && other != e {
		l.t.Errorf("the sequence %d was acknowledged for %.60q and for %.60q", seq, other.text, e.text)
	}
	l.acked[seq] = e
	l.count++
	close(l.changed)
	l.changed = make(chan struct{})
}

// await waits until n more events than now were acknowledged, or until done.
func (l *ledger) await(n int, done <-chan struct{}) {
	l.mu.Lock()
	target := l.count + n
	l.mu.Unlock()
	for {
		l.mu.Lock()
		reached, changed := l.count >= target, l.changed
		l.mu.Unlock()
		if reached {
			return
		}
		select {
		case <-changed:
		case <-done:
			return
		}
	}
}

// history is all that is known of a wall once everything has come to its end.
type history struct {
	*ledger
	keep   uint64             // events that the wall holds; 0 for all of them
	events map[uint64]written // what was acknowledged, and what any viewer got
	last   uint64
	lines  int // of the followed file
}

const lineKind = "log"

func lineText(n int) string { return fmt.Sprintf("line %d of the file", n) }

// gather puts together what writers and viewers know, and compares it.
func gather(l *ledger, keep uint64, lines int, viewers []*watcher) *history {
	h := &history{ledger: l, keep: keep, events: map[uint64]written{}, lines: lines}
	for seq, e := range l.acked {
		h.events[seq] = e
	}
	for _, v := range viewers {
		for _, s := range v.log {
			if s.what == sawEvent {
				h.learn(v, s)
			}
		}
	}
	for seq := range h.events {
		h.last = max(h.last, seq)
	}
	return h
}

// learn takes over what a viewer got, and compares it with what others know.
func (h *history) learn(v *watcher, s sight) {
	known, ok := h.events[s.seq]
	if !ok {
		if meant, ok := h.tried[s.event.text]; ok {
			s.event.key = meant.key // as a payload alone, an event does not show its key
		}
		h.events[s.seq] = s.event
		return
	}
	if known.text != s.event.text || known.kind != s.event.kind || v.asJSON && known.key != s.event.key {
		h.t.Errorf("%s got %+.100v as %d, which is %+.100v", v.name, s.event, s.seq, known)
	}
}

// check holds what is known against what was promised to writers.
func (h *history) check() {
	at := map[string]uint64{}
	for seq := uint64(1); seq <= h.last; seq++ {
		e, ok := h.events[seq]
		if !ok {
			if h.keep == 0 {
				h.t.Errorf("nobody knows of the event %d, and nothing else takes a sequence", seq)
			}
			continue
		}
		before, twice := at[e.text]
		// A retry is recognized as long as its first copy is held, see Event.DedupeID.
		if twice && (e.kind == lineKind || h.keep == 0 || seq-before < h.keep) {
			h.t.Errorf("%.60q is stored twice, as %d and %d", e.text, before, seq)
		}
		at[e.text] = seq
		if meant, ok := h.tried[e.text]; ok && (meant.kind != e.kind || meant.key != e.key) || !ok && e.kind != lineKind {
			h.t.Errorf("%d is %+.100v, which nobody has written", seq, e)
		}
	}
	h.checkLines(at)
}

// checkLines wants every line of the file, in the file's order.
func (h *history) checkLines(at map[string]uint64) {
	var before uint64 // the sequence of the last line that is known
	missing := uint64(0)
	for n := 1; n <= h.lines; n++ {
		seq, ok := at[lineText(n)]
		if !ok {
			missing++
			continue
		}
		if seq <= before {
			h.t.Errorf("line %d is stored as %d, after a later line, %d", n, seq, before)
		}
		if unknown := h.unknown(before, seq); unknown < missing {
			h.t.Errorf("of the %d lines before line %d no more than %d can be stored", missing, n, unknown)
		}
		before, missing = seq, 0
	}
	if missing > 0 {
		h.t.Errorf("the last %d lines of the file did not arrive", missing)
	}
}

// unknown counts the sequences between two of which nobody knows what they are.
func (h *history) unknown(after, before uint64) uint64 {
	n := uint64(0)
	for seq := after + 1; seq < before; seq++ {
		if _, ok := h.events[seq]; !ok {
			n++
		}
	}
	return n
}

// checkViewer walks through what a viewer got: everything that passes its
// filter, once and in order, or a gap in its place.
func (h *history) checkViewer(v *watcher) {
	pos := v.from
	var cards, until uint64 // after a gap, sequences below until are cards that outlived the history
	for _, s := range v.log {
		switch {
		case s.what == sawGap:
			if h.keep == 0 || s.reason != "expired" {
				h.t.Errorf("%s, at %d: a gap up to %d, reason %s", v.name, pos, s.seq, s.reason)
			}
			cards, until, pos = 0, s.seq, max(pos, s.seq-1)
		case s.what == sawEvent && s.seq < until && s.event.kind == cardKind && s.seq > cards:
			cards = s.seq
		case s.what == sawEvent:
			if s.seq <= pos {
				h.t.Errorf("%s: %d came after %d", v.name, s.seq, pos)
				continue
			}
			if !v.wants(s.event.kind) {
				h.t.Errorf("%s got %d, which is of the kind %s", v.name, s.seq, s.event.kind)
			}
			h.checkSkipped(v, pos, s.seq)
			pos = s.seq
		case s.seq > pos: // a position: everything up to there was considered
			h.checkSkipped(v, pos, s.seq+1)
			pos = s.seq
		}
	}
	if end := h.lastFor(v); pos < end {
		h.t.Errorf("%s came to %d, and not to the end at %d", v.name, pos, end)
	}
}

// checkSkipped wants nothing for the viewer between two sequences.
func (h *history) checkSkipped(v *watcher, after, before uint64) {
	var missing []string
	for seq := after + 1; seq < before; seq++ {
		if e, ok := h.events[seq]; ok && v.wants(e.kind) {
			missing = append(missing, fmt.Sprintf("%d %s %.30q", seq, e.kind, e.text))
		}
	}
	if len(missing) > 0 {
		h.t.Errorf("%s, between %d and %d, without a gap: %d events are missing: %s", v.name, after, before, len(missing),
			strings.Join(missing[:min(len(missing), 5)], ", "))
	}
}

func (h *history) lastFor(v *watcher) uint64 {
	last := uint64(0)
	for seq, e := range h.events {
		if v.wants(e.kind) {
			last = max(last, seq)
		}
	}
	return last
}

// wants reports whether a kind passes the viewer's filter.
func (v *watcher) wants(kind string) bool { return len(v.kinds) == 0 || slices.Contains(v.kinds, kind) }
