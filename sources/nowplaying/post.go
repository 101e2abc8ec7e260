package nowplaying

import (
	"net/http"
	"slices"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/push"
)

var _ sources.Receiver = (*post)(nil)

// post is a station that automation posts to, at /hooks/ and the source's name.
type post struct {
	*station
	push push.Config
}

// Receive implements [sources.Receiver].
func (p *post) Receive(r *http.Request, body []byte) sources.Verdict { return p.push.Receive(r, body) }

// Hook implements [sources.Receiver].
func (p *post) Hook() sources.Hook { return p.push.Hook() }

// Parse implements [sources.Receiver]: the card that a post makes if it is the
// first and no other upstream is preferred. A post about something that isn't
// shown makes none.
func (p *post) Parse(d sources.Delivery) ([]sources.Event, error) {
	report, err := p.push.Parse(d)
	if err != nil {
		return nil, err
	}
	report.Song.Art = p.remote(report.Song.Art)
	e := p.engine()
	i := slices.IndexFunc(p.lines, func(l line) bool { return l.push != nil })
	e.report(d.Time, i, d.Time, d.Number, report)
	e.advance(d.Time.Add(p.settings.Debounce))
	c, at, ok := e.due(d.Time.Add(p.settings.Debounce + p.settings.Delay))
	if !ok {
		return nil, nil
	}
	return []sources.Event{{Kind: kind, Data: c.json(), Time: at}}, nil
}
