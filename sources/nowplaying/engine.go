package nowplaying

import (
	"math"
	"strconv"
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

const (
	// interlude is for how long a jingle or the news may interrupt a song that is
	// then still the same play.
	interlude = 10 * time.Minute

	// throttle is the least time between cards that differ in nothing but the
	// listeners.
	throttle = 30 * time.Second

	// lateness is how late a look at an upstream may be for what has changed by then
	// to have changed since the look before.
	lateness = 5 * time.Second

	// fresh is for how long a song has played at most when it is heard to have begun
	// anew; one that goes on after a pause has played for longer, mostly.
	fresh = 20 * time.Second

	// drift is by how much a beginning that is computed anew may differ from the
	// one before without being another.
	drift = 3 * time.Second

	// patientDebounce is how many debounces a restless upstream can make a song wait.
	patientDebounce = 4
)

// engine makes cards of reports. It knows no clock and does nothing by itself: it
// is told the time, which never goes back.
type engine struct {
	name     string
	logo     string
	debounce time.Duration
	delay    time.Duration
	cover    func(song) string // finds a cover at once, or none; may be nil
	reader   reader
	order    order

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
	stir   bool      // the queue has changed
}

// play is a song while it is on air.
type play struct {
	song
	id     string // for history
	key    string
	from   string
	at     time.Time // when it was heard first
	began  time.Time // as far as is known
	exact  bool
	hidden bool
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

// advance does what the time alone brings.
func (e *engine) advance(now time.Time) {
	was := e.order.active
	e.order.choose(now)
	e.turn(was, -1)
	e.refresh(now)
}

// turn considers what the followed upstream says, if it has just said it or is
// followed from now on.
func (e *engine) turn(was, reported int) {
	if a := e.order.active; a >= 0 && (a != was || a == reported) {
		e.consider(e.order.ranks[a].last)
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
	return r.pushed && r.answered && !h.song.started.IsZero() && h.song.started.Add(time.Second).Before(r.last.song.started)
}

// playOf is what of h says which play it is.
func playOf(h heard) play {
	return play{song: h.song, key: key(h.song.text), from: h.from, hidden: h.hidden}
}

// sameSong reports whether h is about p, as far as the title and the upstream's
// own ids tell.
func sameSong(p play, h heard) bool {
	if p.key != key(h.song.text) || p.key == "" || p.hidden != h.hidden {
		return false
	}
	if p.from == h.from && p.playID != "" && h.song.playID != "" {
		return p.playID == h.song.playID
	}
	return !anew(p, h)
}

// anew reports whether h is the same title, begun anew when p was over.
func anew(p play, h heard) bool {
	began := h.song.started
	if began.IsZero() || p.started.IsZero() || p.duration == 0 {
		return false
	}
	return !began.Before(p.started.Add(p.duration-lateness)) && h.at.Sub(began) < fresh
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
		if !h.hidden {
			e.current.merge(h)
		}
		known := e.settled
		e.settled = playOf(h)
		if known.from == h.from {
			e.settled.playID = first(h.song.playID, known.playID)
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
	c, held, ok := e.card(now)
	if e.pending == nil && !held { // a post that may yet change something is read again after a restart
		e.done = e.newest
	}
	if ok {
		e.stage(now, at, c)
	}
}

// accept makes h what is on air.
func (e *engine) accept(h heard) {
	e.settled = playOf(h)
	interrupts := h.song.kind == typeJingle || h.song.kind == typeAd
	switch {
	case h.hidden:
		if e.since.IsZero() {
			e.since = h.at
		}
		return
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

// continues reports whether h is the same play; since is when something else
// began to interrupt it, if anything did.
func (p *play) continues(h heard, since time.Time) bool {
	switch {
	case p == nil || !sameSong(*p, h):
		return false
	case p.playID != "" && p.from == h.from && p.playID == h.song.playID:
		return true
	case since.IsZero():
		return true
	case p.duration > 0 && !p.began.IsZero() && h.at.After(p.began.Add(p.duration+h.at.Sub(since)+overdue)):
		return false
	}
	return h.at.Sub(since) <= interlude
}

// newPlay begins a play. Its beginning is known where the upstream says it, or the
// change was seen.
func (e *engine) newPlay(h heard) *play {
	p := playOf(h)
	p.at, p.id = h.at, playID(h.at, e.current)
	if p.art == "" && e.cover != nil {
		p.art = e.cover(p.song)
	}
	p.began, p.exact = h.song.started, !h.song.started.IsZero()
	if !p.exact && h.changed {
		p.began = moment(h.at)
	}
	return &p
}

// playID is an id that is greater than the one of the play before.
func playID(at time.Time, before *play) string {
	n := at.UnixMilli()
	if before != nil {
		if last, err := strconv.ParseInt(before.id, 36, 64); err == nil && last >= n && last < math.MaxInt64 {
			n = last + 1
		}
	}
	return strconv.FormatInt(max(n, 1), 36)
}

// merge takes what a further report adds to a play.
func (p *play) merge(h heard) {
	s, old := h.song, p.song
	p.song = s
	p.album = first(s.album, old.album)
	if s.art == "" {
		p.art = old.art
	}
	if s.duration == 0 {
		p.duration = old.duration
	}
	if p.from == h.from {
		p.playID = first(s.playID, old.playID)
	}
	p.from = h.from
	if !s.started.IsZero() && (!p.exact || s.started.Sub(p.began).Abs() > drift) {
		p.began, p.exact = s.started, true
	}
}

// state is the station's, as it is now, "" while it isn't known; held says that
// it is only because nobody has waited for long enough to say something else.
func (e *engine) state(now time.Time) (state string, held bool) {
	was := ""
	if e.base != nil {
		was = e.base.State
	}
	if e.pending != nil && e.base != nil { // it is not about the song that is shown
		return was, true
	}
	if e.order.active < 0 {
		if !e.order.lost.IsZero() && !now.Before(e.order.lost.Add(e.order.patience)) {
			return stateUnreachable, false
		}
		return was, true
	}
	r := e.order.ranks[e.order.active]
	h, waited := r.last, !now.Before(r.state.Add(e.order.patience))
	says := h.titled() && !(h.hidden && e.current == nil)
	switch {
	case e.order.isStale(r, now):
		return stateStale, false
	case says:
		return onAir(h), false
	case !waited:
		return was, true
	case h.state == upstream.Offline:
		return stateOffline, false
	case h.state == upstream.Silent:
		return stateSilent, false
	case e.current == nil:
		return onAir(h), false
	}
	return stateStale, false
}

func onAir(h heard) string {
	if h.live {
		return stateLive
	}
	return statePlaying
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

// card is what should be shown, whether its state is held, and false while there is
// nothing to show.
func (e *engine) card(now time.Time) (c card, held, ok bool) {
	state, held := e.state(now)
	if state == "" || e.current == nil && e.pending != nil {
		return card{}, held, false
	}
	c = card{Station: e.name, State: state, Art: e.logo}
	if p := e.current; p != nil {
		c.setSong(p.song)
		c.Art, c.PlayID = first(p.art, e.logo), p.id
		if !p.began.IsZero() {
			exact := p.exact
			c.StartedAt, c.StartedExact = p.began.Add(e.delay), &exact
		}
	}
	switch {
	case held: // so is what goes with it
		c.Source, c.Listeners = e.base.Source, e.base.Listeners
		c.Live, c.DJ, c.Next = e.base.Live, e.base.DJ, e.base.Next
	case e.order.active >= 0:
		h := e.order.ranks[e.order.active].last
		c.Source, c.Listeners = h.from, h.listeners
		if state == statePlaying || state == stateLive {
			c.Live, c.DJ, c.Next = h.live, h.dj, h.next.asNext()
		}
	}
	return c, held, true
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
	all := e.order.deadlines(now)
	if e.pending != nil {
		all = append(all, e.pending.ripe(e.debounce))
	}
	if len(e.queue) > 0 {
		all = append(all, e.queue[0].At.Add(e.delay))
	}
	if e.base != nil {
		if c, _, ok := e.card(now); ok && !c.equal(*e.base) {
			all = append(all, e.based.Add(throttle))
		}
	}
	return earliest(all)
}
