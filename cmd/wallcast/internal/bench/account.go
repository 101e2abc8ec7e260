package bench

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// A track is what there is to get: events by index, with the sequence under which the
// wall stored each. A track may be used concurrently.
type track struct {
	mu      sync.Mutex
	seqs    []uint64 // by index; 0 is not known yet
	settled int      // of all below, it is known
	frozen  bool
	size    atomic.Int64 // len(seqs), for who has no time to wait
	posted  atomic.Int64 // events that were sent to the wall
}

// unstored stands for the sequence of an event of which nobody knows whether it
// was stored, or that was taken off: it may come or not.
const unstored = ^uint64(0)

// issue adds an event, and returns its index.
func (t *track) issue() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seqs = append(t.seqs, 0)
	t.size.Store(int64(len(t.seqs)))
	return len(t.seqs) - 1
}

// store says under which sequence an event was stored.
func (t *track) store(index int, seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if index < len(t.seqs) {
		t.seqs[index] = seq
	}
	for t.settled < len(t.seqs) && t.seqs[t.settled] != 0 {
		t.settled++
	}
}

// see is for a track whose events are known only from the viewers: it takes one
// that a viewer was sent. After freeze it takes no more.
func (t *track) see(index int, seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.frozen && index >= len(t.seqs) {
		return
	}
	for len(t.seqs) <= index {
		t.seqs = append(t.seqs, 0)
	}
	if t.seqs[index] == 0 {
		t.seqs[index] = seq
	}
}

// retract says that an event may be missing.
func (t *track) retract(index int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if 0 <= index && index < len(t.seqs) {
		t.seqs[index] = unstored
	}
}

func (t *track) freeze() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.frozen = true
}

// begin is the first index that one who comes now may be sent.
func (t *track) begin() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.settled
}

// An account is what one viewer has got of a track. It takes one bit for each
// event from the first missing one on. It is used by one goroutine at a time.
type account struct {
	started bool
	start   uint64 // the sequence that the viewer's first stream started after
	last    uint64 // of the last event

	base int      // a multiple of 64: nothing below is missing
	seen []uint64 // the bits of the events from base on
	gaps []span

	received   int // different events
	doubled    int
	disordered int
}

// span is what lies between two sequences, both excluded.
type span struct{ after, before uint64 }

// join begins the account of a viewer whose first stream starts after a
// sequence. Indices below begin are not for it.
func (a *account) join(start uint64, begin int) {
	a.started, a.start = true, start
	a.base = begin &^ 63
	if rest := begin & 63; rest > 0 {
		a.seen = append(a.seen[:0], 1<<rest-1)
	}
}

// receive enters an event.
func (a *account) receive(index int, seq uint64) {
	known := a.mark(index)
	switch {
	case known:
		a.doubled++
	case seq <= a.last:
		a.disordered++
		a.received++
	default:
		a.received++
	}
	a.last = max(a.last, seq)
}

// mark sets an event's bit and reports whether it was set.
func (a *account) mark(index int) bool {
	if index < a.base {
		return true
	}
	word, bit := (index-a.base)/64, uint64(1)<<((index-a.base)%64)
	for len(a.seen) <= word {
		a.seen = append(a.seen, 0)
	}
	if a.seen[word]&bit != 0 {
		return true
	}
	a.seen[word] |= bit
	full := 0
	for full < len(a.seen) && a.seen[full] == ^uint64(0) {
		full++
	}
	if full > 0 {
		a.base += 64 * full
		a.seen = append(a.seen[:0], a.seen[full:]...)
	}
	return false
}

// tell enters a wall:gap: what lies between two sequences is not to come. With
// anew, the sequences begin again.
func (a *account) tell(after, before uint64, anew bool) {
	a.gaps = append(a.gaps, span{after, before})
	if anew {
		a.last = 0
	}
}

// missing is what an account lacks.
type missing struct {
	lost int // something behind it has come
	tail int // nothing behind it has come
	told int // a gap told of it
}

func (m missing) all() int { return m.lost + m.tail + m.told }

// missing holds the account against what there was to get.
func (a *account) missing(t *track) missing {
	var m missing
	if !a.started {
		return m
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for at := a.base; at < len(t.seqs); at += 64 {
		word := uint64(0)
		if i := (at - a.base) / 64; i < len(a.seen) {
			word = a.seen[i]
		}
		for absent := ^word; absent != 0; absent &= absent - 1 {
			index := at + bits.TrailingZeros64(absent)
			if index >= len(t.seqs) {
				break
			}
			a.classify(&m, t.seqs[index])
		}
	}
	return m
}

func (a *account) classify(m *missing, seq uint64) {
	switch {
	case seq == 0, seq == unstored, seq <= a.start:
	case a.told(seq):
		m.told++
	case seq < a.last:
		m.lost++
	default:
		m.tail++
	}
}

func (a *account) told(seq uint64) bool {
	for _, s := range a.gaps {
		if s.after < seq && seq < s.before {
			return true
		}
	}
	return false
}
