package views

import (
	"slices"
	"strings"
	"time"

	"github.com/wallcast/wallcast/stream"
)

// The places where a kind can show.
const (
	Timeline = "timeline"
	Bar      = "bar"
	Banner   = "banner"
	Ticker   = "ticker"
)

// Slots are the values of [Kind.Slot], the default first.
var Slots = []string{Timeline, Bar, Banner, Ticker}

// Wall is what the page needs to know of a wall's configuration.
type Wall struct {
	Name   string // as in its address
	Title  string // what stands at the top; the name when empty
	Lang   string // BCP 47 tag of the wall's own words; "en" when empty
	Accent string // a CSS colour; see [CheckColor]. Empty for ours
	Kinds  map[string]Kind

	// Image returns the address on this very host under which the image at src,
	// an http or https address or a path on this host, is served; "" shows a link instead. Nil means
	// always a link: the page loads nothing from other hosts.
	Image func(src string) string

	// Body returns the markup of the body of an event's card in the timeline or a
	// banner, or false for the standard one. Its result goes into the page as it is:
	// it must hold nothing but what the browser's list allows (see Safety), text made
	// fit by [Clean], and no images but those whose addresses image returned. Nil
	// means always the standard one.
	Body func(e stream.Event, image func(src string) string) (markup string, ok bool)
}

// Kind is how events of one kind show.
type Kind struct {
	Label string // the badge's text; made of the kind's name when empty
	Icon  string // a character or two before the label, as an emoji
	Color string // a CSS colour; see [CheckColor]
	Slot  string // one of [Slots]; the timeline when empty
}

// Page is one rendering of a wall.
type Page struct {
	Wall Wall

	// Head is the position that Events and Cards are read at. The page's stream
	// starts right after it.
	Head stream.ID

	// Events is the end of the history, newest last. The page shows the last
	// thirty of the timeline and what the other slots hold; a hundred or two
	// are a good number to give.
	Events []stream.Event

	// Cards are the newest versions of the keyed cards, also of those that are
	// older than Events. Cards that are in both show once.
	Cards []stream.Event

	Now     time.Time // when it is rendered
	Build   string    // the program's build; a page in view "tv" reloads itself when it changes
	BaseURL string    // scheme and host as the world sees them, without a slash at the end
	Older   string    // the address of older cards; empty when there are none
	View    string    // "" or "tv"
	Publish string    // the command that an empty wall proposes; none when empty
	Query   string    // what the page's stream has to carry in its address, as a signed link's grant; may be empty
}

// events is the address of the page's stream.
func (p Page) events() string {
	if p.Query == "" {
		return p.Wall.path() + "/events"
	}
	return p.Wall.path() + "/events?" + p.Query
}

// How many cards a rendered page holds; the browser keeps more of the timeline.
const (
	timelineCards = 30
	barCards      = 6
	bannerCards   = 3
	tickerCards   = 10
)

func (w Wall) title() string {
	if w.Title == "" {
		return w.Name
	}
	return w.Title
}

func (w Wall) lang() string {
	if w.Lang == "" {
		return "en"
	}
	return w.Lang
}

// rightToLeft are the languages whose script runs so.
var rightToLeft = []string{"ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"}

func (w Wall) dir() string {
	language, _, _ := strings.Cut(strings.ToLower(w.lang()), "-")
	if slices.Contains(rightToLeft, language) {
		return "rtl"
	}
	return "ltr"
}

func (w Wall) path() string { return "/walls/" + w.Name }

func (w Wall) slot(kind string) string {
	if s := w.Kinds[kind].Slot; slices.Contains(Slots, s) {
		return s
	}
	return Timeline
}

// Label is the name of a kind for people: the configured one, else one made of
// the kind's own name.
func (w Wall) Label(kind string) string {
	if l := w.Kinds[kind].Label; l != "" {
		return l
	}
	words := strings.TrimSpace(strings.ReplaceAll(kind, "-", " "))
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// badge is the label that a card wears. A plain message needs none, unless the
// configuration gives it one.
func (w Wall) badge(kind string) string {
	if kind == stream.Message && w.Kinds[kind].Label == "" {
		return ""
	}
	return line(w.Label(kind), maxName)
}

// place is what tells whether two events are one card.
type place struct{ kind, key, id string }

func placeOf(slot string, e stream.Event) place {
	if e.Subject.Keyed() || slot == Bar || slot == Banner {
		return place{kind: e.Subject.Kind, key: e.Subject.Key}
	}
	return place{id: e.ID.String()}
}

// arranged is the page's cards by slot, each newest first.
type arranged struct{ banner, bar, timeline, ticker []card }

func (p Page) arrange() arranged {
	var a arranged
	gone := map[stream.ID]bool{}
	for _, e := range p.Events {
		if e.Control == stream.Retract {
			gone[e.Target] = true
		}
	}
	taken := map[place]bool{}
	for _, e := range newestFirst(p.Events, p.Cards) {
		if e.Control != "" || e.Odd() || gone[e.ID] {
			continue
		}
		slot := p.Wall.slot(e.Subject.Kind)
		if at := placeOf(slot, e); taken[at] {
			continue
		} else {
			taken[at] = true
		}
		if c := newCard(p.Wall, e); !c.expired(p.Now) {
			a.add(slot, c)
		}
	}
	return a
}

func (a *arranged) add(slot string, c card) {
	list, most := &a.timeline, timelineCards
	switch slot {
	case Bar:
		list, most = &a.bar, barCards
	case Banner:
		list, most = &a.banner, bannerCards
	case Ticker:
		list, most = &a.ticker, tickerCards
	}
	if len(*list) < most {
		*list = append(*list, c)
	}
}

// mixed reports whether cards are of several kinds, so that each has to say
// which it is.
func mixed(cards []card) bool {
	return slices.ContainsFunc(cards, func(c card) bool { return c.kind != cards[0].kind })
}

func newestFirst(lists ...[]stream.Event) []stream.Event {
	all := slices.Concat(lists...)
	slices.SortStableFunc(all, func(a, b stream.Event) int {
		switch {
		case a.ID.Seq > b.ID.Seq:
			return -1
		case a.ID.Seq < b.ID.Seq:
			return 1
		}
		return 0
	})
	return slices.CompactFunc(all, func(a, b stream.Event) bool { return a.ID == b.ID })
}
