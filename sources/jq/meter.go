package jq

import (
	"context"
	"errors"
	"runtime/metrics"
	"time"
)

// maxTime is how long a program may take for one event.
var maxTime = time.Second

const (
	// leastSteps are done in any case: on a machine that stands still for a
	// second, a short program must not lose its event.
	leastSteps, mostTime = 10_000, 3 * time.Second

	// maxHeap is how much the heap may grow meanwhile, in bytes. Others in the
	// process make it grow, too, but hardly by that within a second.
	maxHeap = 256 << 20

	// lookSteps is after how many steps of the interpreter the clock is read, and
	// lookTime how often the heap is measured.
	lookSteps = 16
	lookTime  = 4 * time.Millisecond
)

var (
	errTime = errors.New("it takes longer than a second")
	errHeap = errors.New("it takes more than 256 MiB of memory")
)

// meter is the context of one run. The interpreter asks for Done before each of
// its steps, which is where they are counted.
type meter struct {
	context.Context // the caller's

	done   chan struct{} // closed with err
	err    error
	steps  int
	began  time.Time
	looked time.Time
	heap   uint64 // at the first look
}

func newMeter(ctx context.Context) *meter {
	now := time.Now()
	return &meter{Context: ctx, done: make(chan struct{}), began: now, looked: now}
}

// Done implements context.Context.
func (m *meter) Done() <-chan struct{} {
	if m.steps++; m.steps%lookSteps == 0 {
		m.look()
	}
	return m.done
}

// Err implements context.Context.
func (m *meter) Err() error { return m.err }

// Deadline implements context.Context: none that anybody should wait for.
func (m *meter) Deadline() (time.Time, bool) { return time.Time{}, false }

func (m *meter) look() {
	now := time.Now()
	if m.err != nil || now.Sub(m.looked) < lookTime {
		return
	}
	m.looked = now
	took, heap := now.Sub(m.began), heapSize()
	if m.heap == 0 {
		m.heap = heap
	}
	switch {
	case m.Context.Err() != nil:
		m.err = m.Context.Err()
	case took > mostTime, took > maxTime && m.steps > leastSteps:
		m.err = errTime
	case heap > m.heap+maxHeap:
		m.err = errHeap
	default:
		return
	}
	close(m.done)
}

// heapSize is what live and not yet swept objects take, in bytes.
func heapSize() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
