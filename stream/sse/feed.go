package sse

import (
	"context"
	"log/slog"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wallcast/wallcast/stream"
)

// coalesce is the shortest time between two wake-ups of a wall's viewers. The
// first event after a pause goes out at once; of a burst, a viewer gets all
// that has come in the meantime in one write.
const coalesce = 5 * time.Millisecond

// entry is one position of a wall's history in memory, with its blocks as they
// were encoded for the first viewer that wanted them.
type entry struct {
	seq   uint64
	event stream.Event
	kind  int         // index into feed.kinds, of an event
	lost  *loss       // what was evicted unread just before it; usually nil
	gone  atomic.Bool // retracted: given to nobody any more

	size   atomic.Int64 // bytes it counts in the window; far below 0 when it is not in there
	mu     sync.Mutex   // held while encoding
	blocks [representations]atomic.Pointer[[]byte]
}

// outsideWindow is added to the size of an entry that the window does not hold.
const outsideWindow = -1 << 62

// newEntry makes an entry that is in no window.
func newEntry(e stream.Event) *entry {
	n := &entry{seq: e.ID.Seq, event: e}
	n.size.Store(outsideWindow)
	return n
}

// loss is a stretch of history that was evicted before this process read it.
type loss struct {
	from  uint64 // the last sequence before it
	first uint64 // the oldest that eviction left
}

func (e *entry) isEvent() bool {
	return e.event.Control == "" && e.event.Subject != stream.Subject{}
}

func (e *entry) isRetract() bool {
	return e.event.Control == stream.Retract && !e.event.Target.IsZero()
}

// feed is what one process holds of one wall during one life of its store: the
// newest entries, how far it has read, and who is to be told about news.
// Viewers are cursors into it. Its methods may be called concurrently.
type feed struct {
	wall, epoch string
	maxEntries  int
	maxBytes    int64
	render      func(stream.Event) ([]byte, error)
	log         *slog.Logger

	bytes  atomic.Int64  // of the window's payloads and blocks
	wanted atomic.Uint32 // representations with cards that viewers have asked for, as bits

	mu      sync.RWMutex
	window  []*entry // ascending; every entry held after low
	low     uint64   // the window is complete after this sequence
	pos     uint64   // everything up to here has been read
	ping    ping
	taken   uint64        // counts retractions
	changed chan struct{} // closed and replaced when there is news
	desks   []desk        // told the same
	woken   time.Time
	waking  bool // a wake-up is due

	kinds     []string // kinds seen so far, only ever appended to
	kindIndex map[string]int

	ended  chan struct{} // closed when viewers are to leave
	reason string        // why, for wall:bye; set before ended is closed
	once   sync.Once
}

// desk is told about news of a feed. It must not block, nor call the feed.
type desk interface{ notify() }

// ping is the newest wall:ping of a feed.
type ping struct {
	number uint64 // counts pings from 1
	seq    uint64 // its place: after the entry of this sequence
	block  []byte
}

func newFeed(cfg *Config, wall, epoch string, low uint64) *feed {
	return &feed{
		wall: wall, epoch: epoch, low: low, pos: low,
		maxEntries: cfg.WindowEntries, maxBytes: int64(cfg.WindowBytes),
		render: cfg.Render, log: cfg.Log,
		changed: make(chan struct{}), ended: make(chan struct{}), kindIndex: map[string]int{},
	}
}

func (f *feed) id(seq uint64) stream.ID { return stream.ID{Epoch: f.epoch, Seq: seq} }

// end tells all viewers to leave, with the reason of their wall:bye.
func (f *feed) end(reason string) {
	f.once.Do(func() {
		f.reason = reason
		close(f.ended)
		f.notify()
	})
}

// enrol has d told about news from now on.
func (f *feed) enrol(d desk) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.desks = append(f.desks, d)
}

// dismiss undoes enrol.
func (f *feed) dismiss(d desk) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.desks = slices.DeleteFunc(f.desks, func(other desk) bool { return other == d })
}

// notify makes the desks look at the feed again.
func (f *feed) notify() {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, d := range f.desks {
		d.notify()
	}
}

// add appends an entry that was read. One that was read before is ignored. Its
// card is rendered before, where viewers want it: how long that takes is then the
// matter of this wall alone.
func (f *feed) add(e stream.Event) {
	read := newEntry(e)
	for rep := range representations {
		if f.wanted.Load()&(1<<rep) != 0 && read.isEvent() {
			f.block(read, rep)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addLocked(read)
}

// ready has the cards rendered that a viewer of the window is given after a
// sequence, and from now on those of what is added.
func (f *feed) ready(ctx context.Context, after uint64, rep representation) {
	if !rep.hasCard() {
		return
	}
	f.wanted.Or(1 << rep)
	f.mu.RLock()
	entries := slices.Clone(f.window[f.searchLocked(after):])
	f.mu.RUnlock()
	for _, e := range entries {
		if ctx.Err() == nil && e.isEvent() && !e.gone.Load() {
			f.block(e, rep)
		}
	}
}

func (f *feed) addLocked(e *entry) {
	if e.seq <= f.pos {
		return
	}
	f.pos = e.seq
	switch {
	case e.isEvent():
		e.kind = f.kindLocked(e.event.Subject.Kind)
	case e.isRetract():
		f.retractLocked(e.event.Target, e.seq)
	case e.lost == nil: // nothing to show: it only counts as read
		f.wakeLocked()
		return
	}
	size := int64(len(e.event.Data))
	for rep := range e.blocks {
		if b := e.blocks[rep].Load(); b != nil {
			size += int64(len(*b))
		}
	}
	e.size.Store(size)
	f.bytes.Add(size)
	f.window = append(f.window, e)
	for len(f.window) > f.maxEntries || len(f.window) > 1 && f.bytes.Load() > f.maxBytes {
		f.dropLocked()
	}
	f.wakeLocked()
}

// dropLocked takes the oldest entry out of the window.
func (f *feed) dropLocked() {
	e := f.window[0]
	f.window[0] = nil
	f.window = f.window[1:]
	f.low = e.seq
	f.bytes.Add(-e.size.Swap(outsideWindow))
}

// advance marks everything up to seq as read.
func (f *feed) advance(seq uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if seq > f.pos {
		f.pos = seq
		f.wakeLocked()
	}
}

// lose records that what follows the position, up to before, was evicted
// unread and that cards are what survives of it.
func (f *feed) lose(first, before uint64, cards []stream.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	lost := &loss{from: f.pos, first: min(first, before)}
	for _, c := range cards {
		if f.pos < c.ID.Seq && c.ID.Seq < before {
			f.addLocked(&entry{seq: c.ID.Seq, event: c, lost: lost})
			lost = nil
		}
	}
	f.addLocked(&entry{seq: before - 1, lost: lost})
}

// retractLocked hides the target and, when it was the newest version of a keyed
// card, the older ones. What is older than the window is in the store alone,
// which deletes it.
func (f *feed) retractLocked(target stream.ID, at uint64) {
	if target.Epoch != f.epoch || target.Seq == 0 {
		return
	}
	f.taken++
	i := f.searchLocked(target.Seq - 1)
	if i == len(f.window) || f.window[i].seq != target.Seq {
		return
	}
	e := f.window[i]
	e.gone.Store(true)
	if !e.event.Subject.Keyed() {
		return
	}
	for _, newer := range f.window[i+1:] {
		if newer.event.Subject == e.event.Subject && newer.seq < at {
			return
		}
	}
	for _, older := range f.window[:i] {
		if older.event.Subject == e.event.Subject {
			older.gone.Store(true)
		}
	}
}

// searchLocked returns the index of the first entry after seq.
func (f *feed) searchLocked(seq uint64) int {
	n := len(f.window)
	for i := 0; i < 4; i++ { // most viewers are near the end
		if i == n || f.window[n-1-i].seq <= seq {
			return n - i
		}
	}
	return sort.Search(n, func(i int) bool { return f.window[i].seq > seq })
}

// kindLocked returns the index of a kind.
func (f *feed) kindLocked(kind string) int {
	i, ok := f.kindIndex[kind]
	if !ok {
		i = len(f.kinds)
		f.kindIndex[kind] = i
		f.kinds = append(f.kinds, kind)
	}
	return i
}

// nameKinds adds kinds and returns all that are known. The caller must not
// write to the result.
func (f *feed) nameKinds(kinds ...string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range kinds {
		f.kindLocked(k)
	}
	return slices.Clip(f.kinds)
}

// outside makes the entry of an event that is not in the window.
func (f *feed) outside(e stream.Event) *entry {
	out := newEntry(e)
	if out.isEvent() {
		f.mu.Lock()
		defer f.mu.Unlock()
		out.kind = f.kindLocked(e.Subject.Kind)
	}
	return out
}

// wakeLocked tells waiting viewers that there is news, at once or a little later.
func (f *feed) wakeLocked() {
	if f.waking {
		return
	}
	if wait := coalesce - time.Since(f.woken); wait > 0 {
		f.waking = true
		time.AfterFunc(wait, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.waking = false
			f.wakeNowLocked()
		})
		return
	}
	f.wakeNowLocked()
}

func (f *feed) wakeNowLocked() {
	f.woken = time.Now()
	close(f.changed)
	f.changed = make(chan struct{})
	for _, d := range f.desks {
		d.notify()
	}
}

// sendPing puts a ping behind what has been read so far.
func (f *feed) sendPing(viewers int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	block := appendOurs(nil, pingEvent, f.id(f.pos), pingData{time.Now().UnixMilli(), viewers})
	f.ping = ping{f.ping.number + 1, f.pos, block}
	f.wakeLocked()
}

// position returns how far the feed has been read and a channel that is closed
// when there is news.
func (f *feed) position() (uint64, <-chan struct{}) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.pos, f.changed
}

// moment says how far a feed is. What was made for a viewer at one moment is
// right for another viewer in the same place as long as no later one matters.
type moment struct {
	pos   uint64 // everything up to here has been read
	taken uint64 // retractions so far
	ping  ping   // the newest
}

// moment returns how far the feed is now.
func (f *feed) moment() moment {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return moment{f.pos, f.taken, f.ping}
}

// pending is what a feed has for a cursor.
type pending struct {
	moment
	entries []*entry
	through uint64          // the position after them
	low     uint64          // the window is complete after this; when it is after the cursor, there are no entries
	news    <-chan struct{} // closed when there is more; nil when there is already
}

// after appends to room the entries after the cursor, as many as fit.
func (f *feed) after(cursor uint64, room []*entry) pending {
	f.mu.RLock()
	defer f.mu.RUnlock()
	p := pending{low: f.low, moment: moment{f.pos, f.taken, f.ping}}
	if cursor < f.low {
		return p
	}
	i := f.searchLocked(cursor)
	n := min(len(f.window)-i, cap(room)-len(room))
	p.entries = append(room, f.window[i:i+n]...)
	if i+n < len(f.window) {
		p.through = f.window[i+n-1].seq
		return p
	}
	p.through, p.news = max(cursor, f.pos), f.changed
	return p
}
