package nowplaying

import (
	"slices"
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

const (
	// throttle is the least time between cards that differ in nothing but the
	// listeners.
	throttle = 30 * time.Second

	// patientDebounce is how many debounces a restless upstream can make a song wait.
	patientDebounce = 4
)

// engine makes cards of reports. It knows no clock and does nothing by itself: it
// is told the time, which never goes back.
type engine struct {
	name     string
	logo     string
	listen   string
	debounce time.Duration
	delay    time.Duration
	cover    func(song) string // finds a cover at once, or none; may be nil
	reader   reader
	order    order
	clock    time.Time // how far it has come

	settled play      // what was accepted last, shown or hidden
	pending *pending  // what will be, unless something else follows at once
	current *play     // the song that is shown or will be
	before  *play     // the song that a jingle interrupts
	since   time.Time // when what interrupts began; zero when nothing does

	queue  []staged  // cards that wait for the listeners to hear them
	base   *card     // the newest of them, or else the one on the wall
	based  time.Time // when base was made
	baseAt time.Time // the time that it is about
	wall   *card     // the one on the wall
	newest uint64    // the newest delivery
	done   uint64    // the newest delivery that the cards tell all of
	told   *told     // what was posted last by then
	stir   bool      // the queue has changed
}

// pending is a song that has just been heard.
type pending struct {
	heard
	first time.Time // when the first of several was heard that replaced each other
}

// staged is a card and the time it is about.
type staged struct {
	At   time.Time `json:"at"`
	Card card      `json:"card"`
}

// report takes what upstream i says at a moment; delivery is its number where it
// was posted, or 0.
func (e *engine) report(now time.Time, i int, at time.Time, delivery uint64, r upstream.Report) {
	e.advance(now)
	e.newest = max(e.newest, delivery)
	h := e.hear(i, at, r)
	if !e.late(i, h) {
		was := e.order.active
		e.order.report(now, i, h)
		e.turn(was, i)
	}
	e.refresh(now)
}

// fail says that upstream i can't be used at the moment.
func (e *engine) fail(now time.Time, i int) {
	e.advance(now)
	was := e.order.active
	e.order.fail(now, i)
	e.turn(was, -1)
	e.refresh(now)
}

// maxSteps bounds what advance does at once after a long time.
const maxSteps = 1000

// advance does what the time alone brings, each thing at its time.
func (e *engine) advance(now time.Time) {
	for range maxSteps {
		next := e.wake(e.clock)
		if e.clock.IsZero() || next.IsZero() || !next.Before(now) {
			break
		}
		e.step(next)
	}
	e.step(now)
}

func (e *engine) step(now time.Time) {
	if now.After(e.clock) {
		e.clock = now
	}
	was := e.order.active
	e.order.choose(now)
	e.turn(was, -1)
	e.refresh(now)
}

// turn considers what the followed upstream says, if it has just said it or is
// followed from now on.
func (e *engine) turn(was, reported int) {
	if a := e.order.active; a >= 0 && (a != was || a == reported) {
		last := &e.order.ranks[a].last
		e.consider(*last)
		e.current.complete(&last.song)
	}
}

// hear reads a report.
func (e *engine) hear(i int, at time.Time, r upstream.Report) heard {
	rank := e.order.ranks[i]
	h := heard{at: at, from: rank.label, state: r.State, live: r.Live, dj: e.reader.name(r.DJ), listeners: r.Listeners}
	if r.Paused && r.State == upstream.Playing {
		h.state = upstream.Silent
	}
	e.reader.said = key(r.Station)
	h.song, h.hidden = e.reader.read(r.Song)
	h.song.started = moment(h.song.started)
	h.hidden = h.hidden && h.state == upstream.Playing
	if h.live && h.dj != "" && h.state == upstream.Playing && h.song.text == "" {
		h.song = song{kind: typeLive, title: h.dj, text: h.dj} // better than the song before the show
	}
	h.live = h.live || h.song.kind == typeLive
	if r.Next != nil {
		if next, hidden := e.reader.read(*r.Next); next.text != "" && !hidden {
			h.next = &next
		}
	}
	last := rank.last
	seen := rank.answered && (last.titled() || last.hidden) && (rank.every == 0 || at.Sub(last.at) <= 2*rank.every+lateness && rank.every <= throttle)
	switch {
	case seen && !sameSong(playOf(last), h):
		h.changed = true
	case seen:
		h.changed = last.changed
	case rank.pushed: // who posts has something new to say
		h.changed = true
	}
	return h
}

// moment is t where JSON and a progress bar can make something of it.
func moment(t time.Time) time.Time {
	if t.Year() < 1980 || t.Year() > 9000 {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}

// late reports whether a post is about an earlier song than one that came before.
func (e *engine) late(i int, h heard) bool {
	r := e.order.ranks[i]
	return r.pushed && r.answered && r.last.titled() && !h.song.started.IsZero() && h.song.started.Add(time.Second).Before(r.last.song.started)
}

// consider takes what the followed upstream says. A new song has to last for a
// moment: of several that follow each other at once only the last is shown.
func (e *engine) consider(h heard) {
	if !h.titled() {
		return
	}
	switch {
	case sameSong(e.settled, h):
		e.pending = nil
		e.settled.merge(h)
		if !h.hidden {
			e.current.merge(h)
		}
	case e.pending == nil:
		e.pending = &pending{h, h.at}
	case sameSong(playOf(e.pending.heard), h):
		h.at, h.changed = e.pending.at, e.pending.changed
		e.pending.heard = h
	default:
		e.pending.heard = h
	}
}

// ripe is when the pending song is accepted.
func (p *pending) ripe(debounce time.Duration) time.Time {
	at, latest := p.at.Add(debounce), p.first.Add(patientDebounce*debounce)
	if latest.Before(at) {
		return latest
	}
	return at
}

// refresh accepts what has lasted and makes a card where something has changed.
func (e *engine) refresh(now time.Time) {
	at := now
	if p := e.pending; p != nil && !now.Before(p.ripe(e.debounce)) {
		e.pending = nil
		e.accept(p.heard)
		at = p.at
	}
	c, ok := e.card(now)
	if e.pending == nil { // which is read again after a restart
		e.done, e.told = e.newest, e.posted()
	}
	if ok {
		e.stage(now, at, c)
	}
}

// accept makes h what is on air.
func (e *engine) accept(h heard) {
	if h.hidden {
		e.settled = playOf(h)
		if e.since.IsZero() {
			e.since = h.at
		}
		return
	}
	e.begin(h)
	e.settled = *e.current
}

// begin makes h the song that is shown: a new play, or one that goes on.
func (e *engine) begin(h heard) {
	interrupts := h.song.kind == typeJingle || h.song.kind == typeAd
	switch {
	case e.current.continues(h, e.since):
		e.current.merge(h)
	case interrupts:
		if e.before == nil && e.current != nil {
			e.before, e.since = e.current, h.at
		}
		e.current = e.newPlay(h)
		return
	case e.before != nil && e.before.continues(h, e.since):
		e.current = e.before
		e.current.merge(h)
	default:
		e.current = e.newPlay(h)
		e.reader.learn(h.song)
	}
	e.before, e.since = nil, time.Time{}
}

// found adds a cover that was looked for to the song that is on air, if it still is.
func (e *engine) found(now time.Time, id, art string) {
	for _, p := range []*play{e.current, e.before} {
		if p != nil && p.id == id && p.art == "" {
			p.art = art
		}
	}
	e.advance(now)
}

// stage queues a card that differs from the one before it. Listeners come and go
// all the time: what differs in them alone waits.
func (e *engine) stage(now, at time.Time, c card) {
	if e.base != nil && (c.equal(*e.base) || c.alike(*e.base) && now.Before(e.based.Add(throttle))) {
		return
	}
	if at.Before(e.baseAt) { // it was heard before, from an upstream that wasn't followed then
		at = e.baseAt
	}
	e.base, e.based, e.baseAt = &c, now, at
	e.queue = append(e.queue, staged{at, c})
	e.stir = true
}

// due returns the card that is to be shown now, if any, and the time it is about.
func (e *engine) due(now time.Time) (card, time.Time, bool) {
	if len(e.queue) == 0 || now.Before(e.queue[0].At.Add(e.delay)) {
		return card{}, time.Time{}, false
	}
	return e.queue[0].Card, e.queue[0].At.Add(e.delay), true
}

// shown takes the card that is due from the queue: it is on the wall.
func (e *engine) shown() {
	e.wall = &e.queue[0].Card
	e.queue = e.queue[1:]
}

// deadline is when advance or due has something to do though nothing was
// reported; the zero time for never.
func (e *engine) deadline(now time.Time) time.Time {
	next := e.wake(now)
	if len(e.queue) > 0 {
		if at := e.queue[0].At.Add(e.delay); next.IsZero() || at.Before(next) {
			return at
		}
	}
	return next
}

// wake is when, after now, step has something to do.
func (e *engine) wake(now time.Time) time.Time {
	all := e.order.deadlines(now)
	if e.pending != nil {
		all = append(all, e.pending.ripe(e.debounce))
	}
	if e.base != nil {
		if c, ok := e.card(now); ok && !c.equal(*e.base) {
			all = append(all, e.based.Add(throttle))
		}
	}
	return earliest(slices.DeleteFunc(all, func(t time.Time) bool { return !t.After(now) }))
}
