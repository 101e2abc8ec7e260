package nowplaying

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// maxCursor is how large a cursor may be: it travels in a header.
const maxCursor = 3500

// cursor is what a station needs to go on: the card on the wall, those that wait,
// and by what to know the songs again.
type cursor struct {
	Version  int       `json:"v"`
	Delivery uint64    `json:"delivery,omitempty"` // the newest that all of this tells of
	Wall     *card     `json:"wall,omitempty"`
	At       time.Time `json:"at,omitzero"` // the time that the newest card is about
	Queue    []staged  `json:"queue,omitempty"`
	Current  *kept     `json:"current,omitempty"`
	Before   *kept     `json:"before,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	Hidden   *kept     `json:"hidden,omitempty"` // what is on air and not shown
	Last     *told     `json:"last,omitempty"`   // by posts, which don't repeat it
	Artist   string    `json:"artist,omitempty"` // see reader.unstick
	Middles  []string  `json:"middles,omitempty"`
}

const cursorVersion = 1

// kept is what of a play stands on no card.
type kept struct {
	ID     string    `json:"id,omitempty"`
	Key    string    `json:"key"`
	PlayID string    `json:"play,omitempty"` // the upstream's
	From   string    `json:"from"`
	At     time.Time `json:"at"`
	Began  time.Time `json:"began,omitzero"`
	Exact  bool      `json:"exact,omitempty"`
	Length int64     `json:"ms,omitempty"`
}

// told is what was posted last.
type told struct {
	kept
	State  upstream.State `json:"state,omitempty"`
	States time.Time      `json:"states"` // since when
	Title  time.Time      `json:"title"`  // since when it has had its title
	Hidden bool           `json:"hidden,omitempty"`
	Change bool           `json:"change,omitempty"` // it was seen to begin
	Live   bool           `json:"live,omitempty"`
	DJ     string         `json:"dj,omitempty"`
}

// posted is what was posted last; nil for nothing.
func (e *engine) posted() *told {
	for _, r := range e.order.ranks {
		if h := r.last; r.pushed && r.answered {
			t := &told{State: h.state, States: r.state, Title: r.title, Hidden: h.hidden, Change: h.changed, Live: h.live, DJ: h.dj}
			t.From, t.At, t.Began, t.Length = r.label, h.at, h.song.started, h.song.duration.Milliseconds()
			if h.song.text != "" {
				t.Key, t.PlayID = identity(h.song.text), h.song.playID
			}
			return t
		}
	}
	return nil
}

// concealed is what is on air and hidden, if it is.
func (e *engine) concealed() *play {
	if !e.settled.hidden {
		return nil
	}
	return &e.settled
}

func keep(p *play) *kept {
	if p == nil {
		return nil
	}
	return &kept{p.id, p.key, p.playID, p.from, p.at, p.began, p.exact, p.duration.Milliseconds()}
}

// play is the play of k, as the card c shows it.
func (k *kept) play(c *card) *play {
	if k == nil || k.Key == "" {
		return nil
	}
	p := &play{id: k.ID, key: k.Key, from: k.From, at: k.At, began: moment(k.Began), exact: k.Exact && !k.Began.IsZero()}
	if p.exact {
		p.started = p.began
	}
	p.playID, p.duration = k.PlayID, max(0, time.Duration(k.Length)*time.Millisecond)
	p.kind = typeSong
	if c != nil && k.ID != "" && c.PlayID == k.ID {
		p.kind, p.artist, p.title, p.text, p.raw = c.Type, c.Artist, c.Title, c.Text, c.Raw
		p.album, p.art = c.Album, c.Art
	}
	return p
}

// cursor is the engine's state. After the card that is due is stored, it is that
// of shown.
func (e *engine) cursor() json.RawMessage {
	c := cursor{
		Version: cursorVersion, Delivery: e.done, Wall: e.wall, At: e.baseAt, Queue: e.queue,
		Current: keep(e.current), Before: keep(e.before), Since: e.since, Hidden: keep(e.concealed()), Last: e.told,
		Artist: e.reader.artist, Middles: e.reader.middles,
	}
	raw := encode(c)
	for _, shrink := range []func(){ // what costs least first
		func() { c.forgetRecent(len(c.Queue) - 1) }, // the newest card has them, too
		func() { c.forgetRecent(len(c.Queue)) },
		func() { c.Middles, c.Artist = nil, "" },
		func() { c.Wall = c.Wall.small() },
		func() { c.Queue = nil },
		func() { c.Current, c.Before, c.Hidden, c.Last = nil, nil, nil, nil },
	} {
		if len(raw) <= maxCursor {
			break
		}
		shrink()
		raw = encode(c)
	}
	return raw
}

// forgetRecent takes the recent songs off the card on the wall and off the first n
// that wait.
func (c *cursor) forgetRecent(n int) {
	if n < 0 { // nothing waits
		return
	}
	c.Wall = c.Wall.forgetful()
	c.Queue = slices.Clone(c.Queue)
	for i := range n {
		c.Queue[i].Card.Recent = nil
	}
}

// forgetful is c without the recent songs.
func (c *card) forgetful() *card {
	if c == nil {
		return nil
	}
	f := *c
	f.Recent = nil
	return &f
}

// small is c without what can be long.
func (c *card) small() *card {
	if c == nil {
		return nil
	}
	s := *c
	s.Raw, s.Album, s.Art, s.Next, s.Recent = "", "", "", nil, nil
	return &s
}

// restore takes up a cursor; a foreign one counts as none.
func (e *engine) restore(now time.Time, raw json.RawMessage) {
	var c cursor
	if len(raw) == 0 || json.Unmarshal(raw, &c) != nil || c.Version != cursorVersion {
		return
	}
	e.done, e.newest = c.Delivery, c.Delivery
	e.wall, e.queue, e.base, e.based = c.Wall, c.Queue, c.Wall, now
	if n := len(c.Queue); n > 0 {
		e.base = &c.Queue[n-1].Card
	}
	if !c.At.After(now) {
		e.baseAt = c.At
	}
	e.reader.artist, e.reader.middles = c.Artist, c.Middles
	e.current, e.before, e.since = c.Current.play(e.base), c.Before.play(nil), c.Since
	e.told = c.Last
	defer e.remind(c.Last)
	if e.current == nil {
		return
	}
	if e.current.art == e.logo {
		e.current.art = ""
	}
	e.settled = *e.current
	if h := c.Hidden.play(nil); h != nil {
		e.settled, e.settled.hidden = *h, true
	}
}

// remind makes the upstream that is posted to know what it has said.
func (e *engine) remind(t *told) {
	if t == nil {
		return
	}
	h := heard{at: t.At, from: t.From, state: t.State, hidden: t.Hidden, changed: t.Change, live: t.Live, dj: t.DJ}
	h.song = song{text: t.Key, kind: typeSong}
	if e.current != nil && e.current.key == t.Key {
		h.song = e.current.song
	}
	h.song.playID, h.song.started, h.song.duration = t.PlayID, moment(t.Began), max(0, time.Duration(t.Length)*time.Millisecond)
	if e.base != nil {
		h.listeners = e.base.Listeners
		if n := e.base.Next; n != nil {
			h.next = &song{artist: n.Artist, title: n.Title, text: n.Text, album: n.Album, art: n.Art}
		}
	}
	for _, r := range e.order.ranks {
		if r.pushed && r.label == t.From {
			r.last, r.answered, r.state, r.title = h, true, t.States, t.Title
			e.clock = t.At
			if e.baseAt.After(e.clock) { // so far it had come
				e.clock = e.baseAt
			}
			e.order.choose(e.clock)
		}
	}
}
