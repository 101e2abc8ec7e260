package nowplaying

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"strconv"
	"time"
)

const (
	// interlude is for how long a jingle or the news may interrupt a song that is
	// then still the same play.
	interlude = 10 * time.Minute

	// lateness is how late a look at an upstream may be for what has changed by then
	// to have changed since the look before.
	lateness = 5 * time.Second

	// fresh is for how long a song has played at most when it is heard to have begun
	// anew; one that goes on after a pause has played for longer, mostly.
	fresh = 20 * time.Second

	// drift is by how much a beginning that is computed anew may differ from the
	// one before without being another.
	drift = 3 * time.Second
)

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

// identity is a key that is short enough for a cursor.
func identity(text string) string { return short(key(text)) }

// short is s, or a hash of it where it is long.
func short(s string) string {
	if len(s) <= 2*sha256.Size {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// playOf is what of h says which play it is.
func playOf(h heard) play {
	return play{song: h.song, key: identity(h.song.text), from: h.from, hidden: h.hidden}
}

// sameSong reports whether h is about p, as far as the title and the upstream's
// own ids tell.
func sameSong(p play, h heard) bool {
	if p.key != identity(h.song.text) || p.key == "" || p.hidden != h.hidden {
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
	if s.started.IsZero() {
		p.started = old.started
	}
	if p.from == h.from {
		p.playID = first(s.playID, old.playID)
	}
	p.from = h.from
	if !s.started.IsZero() && (!p.exact || s.started.Sub(p.began).Abs() > drift) {
		p.began, p.exact = s.started, true
	}
}

// complete adds to what was heard of a play what was heard of it before.
func (p *play) complete(s *song) {
	if p == nil || identity(s.text) != p.key {
		return
	}
	if s.duration == 0 {
		s.duration = p.duration
	}
	if s.started.IsZero() && p.exact {
		s.started = p.began
	}
}
