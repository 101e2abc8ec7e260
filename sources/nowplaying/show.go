package nowplaying

import (
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

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

// card is what should be shown; false while there is nothing to show.
func (e *engine) card(now time.Time) (c card, ok bool) {
	state, held := e.state(now)
	if state == "" || e.current == nil && e.pending != nil {
		return card{}, false
	}
	c = card{Station: e.name, State: state, Art: e.logo, Listen: e.listen}
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
	c.follow(e.base)
	return c, true
}
