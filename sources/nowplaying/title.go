package nowplaying

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// The longest texts of a card, in bytes: they are part of the cursor, which
// travels in a header.
const (
	maxText    = 500
	maxName    = 250
	maxAddress = 700
)

// unknowns are what programs write that have no title.
var unknowns = []string{"unknown", "unknown artist", "unknown title", "unknown song", "untitled", "no artist", "no title", "null", "n/a", "<unknown>", "[unknown]"}

// heard is a report, read as the station's settings say.
type heard struct {
	at   time.Time
	from string // the upstream's label

	state     upstream.State
	song      song
	hidden    bool // a jingle or the like, which leaves what is shown as it is
	next      *song
	live      bool
	dj        string
	listeners *int

	changed bool // the upstream was seen to change, so at is when the song began
}

// song is one piece of programme, ready to be shown.
type song struct {
	text, raw, artist, title, album string
	art, kind                       string
	playID                          string
	started                         time.Time
	duration                        time.Duration
}

// titled reports whether it is known what plays.
func (h heard) titled() bool { return h.state == upstream.Playing && h.song.text != "" }

// reader reads reports as the settings say.
type reader struct {
	station    string
	said       string   // what the upstream calls the station, as a key
	separators []string // empty: titles are not split
	rules      []rule
	ignore     []pattern
	hide       []string
	sticky     bool

	// What was learned of titles that begin with the artist of an earlier one.
	artist  string   // that of the last song
	middles []string // what stood behind it, where more follows
	known   []string // artists of late, as keys
}

// read makes a song of what an upstream says, and says whether it is hidden.
func (d *reader) read(s upstream.Song) (result song, hidden bool) {
	result = song{
		raw:   rawText(s),
		album: d.name(s.Album), playID: short(s.PlayID),
		started: s.StartedAt, duration: max(s.Duration, 0),
		art: cut(s.Art, maxAddress), kind: s.Type,
	}
	if len(s.Art) > maxAddress {
		result.art = ""
	}
	if result.raw == "" {
		return song{}, false
	}
	said, does, ruled := apply(d.rules, result.raw)
	switch {
	case ruled && said != result.raw:
		d.split(&result, text.Clean(said, text.Charset{}))
	case s.Text != "" || s.Artist == "":
		d.split(&result, first(s.Text, s.Title))
	default:
		result.artist, result.title = d.name(s.Artist), d.name(d.withoutArtist(s.Artist, s.Title))
	}
	d.finish(&result)
	if result.text == "" && does == asHide {
		result.text = result.raw
	}
	if result.text == "" {
		return song{}, false
	}
	switch does {
	case "", asHide, asKeep:
	default:
		result.kind = does
	}
	if !slices.Contains([]string{typeJingle, typeAd, typeLive}, result.kind) {
		result.kind = typeSong
	}
	return result, does == asHide || does != asKeep && slices.Contains(d.hide, result.kind)
}

// rawText is artist and title in one, as the upstream has them.
func rawText(s upstream.Song) string {
	switch {
	case s.Text != "":
		return cut(s.Text, maxText)
	case s.Artist != "" && s.Title != "":
		return cut(s.Artist+" - "+s.Title, maxText)
	}
	return cut(s.Artist+s.Title, maxText)
}

// name returns s, or nothing where it means nothing.
func (d *reader) name(s string) string {
	s = strings.TrimSpace(s)
	if strings.Trim(s, "-–—_ ") == "" || slices.Contains(unknowns, strings.ToLower(s)) {
		return ""
	}
	return cut(s, maxName)
}

// withoutArtist takes the artist off a title that repeats it.
func (d *reader) withoutArtist(artist, title string) string {
	for _, separator := range d.separators {
		if rest, ok := strings.CutPrefix(title, artist+separator); ok && strings.TrimSpace(rest) != "" {
			return rest
		}
	}
	return title
}

// split tells artist and title apart.
func (d *reader) split(s *song, whole string) {
	whole = d.unstick(cut(strings.TrimSpace(whole), maxText))
	artist, title, ok := d.cutTitle(whole)
	if !ok {
		s.artist, s.title = "", d.name(whole)
		return
	}
	s.artist, s.title = d.name(artist), d.name(title)
}

// cutTitle cuts at the first separator that is there, which may stand at an end.
func (d *reader) cutTitle(whole string) (artist, title string, ok bool) {
	for _, separator := range d.separators {
		if artist, title, ok = strings.Cut(" "+whole+" ", separator); ok {
			return strings.TrimSpace(artist), strings.TrimSpace(title), true
		}
	}
	return "", whole, false
}

// finish gives a song its text, and takes it away from what is no title.
func (d *reader) finish(s *song) {
	switch {
	case s.artist != "" && s.title != "":
		s.text = s.artist + " - " + s.title
	default:
		s.text = s.artist + s.title
	}
	if k := key(s.text); k != "" && (k == key(d.station) || k == d.said || matches(d.ignore, s.text) || matches(d.ignore, s.raw)) {
		s.text = ""
	}
	if s.raw == s.text {
		s.raw = ""
	}
}

// unstick takes an artist off the front that a streaming server has kept from an
// earlier title, as Icecast does: "Old - New - Song". That looks like a song of Old
// named "New - Song", so it takes evidence: New was an artist lately, or Old stands
// before the third different one in a row.
func (d *reader) unstick(whole string) string {
	if !d.sticky {
		return whole
	}
	artist, rest, ok := d.cutTitle(whole)
	middle, _, more := d.cutTitle(rest)
	if !ok || !more || d.artist == "" || key(artist) != d.artist {
		return whole
	}
	if slices.Contains(d.known, key(middle)) || len(d.middles) >= 3 ||
		len(d.middles) == 2 && !slices.Contains(d.middles, key(middle)) {
		return rest
	}
	return whole
}

// maxKnown is how many artists are remembered.
const maxKnown = 200

// learn remembers the song that has come on air, for unstick.
func (d *reader) learn(s song) {
	raw := first(s.raw, s.text)
	artist, rest, ok := d.cutTitle(raw)
	middle, _, more := d.cutTitle(rest)
	if !ok {
		return
	}
	if key(artist) != d.artist {
		d.artist, d.middles = key(artist), nil
	}
	if more && !slices.Contains(d.middles, key(middle)) && len(d.middles) < 3 {
		d.middles = append(d.middles, key(middle))
	}
	if k := key(s.artist); k != "" && !slices.Contains(d.known, k) {
		d.known = append(d.known, k)
		d.known = d.known[max(0, len(d.known)-maxKnown):]
	}
}

// key is what of a title counts for whether it is the same one: servers differ in
// case, spaces, punctuation and how they compose letters.
func key(s string) string {
	s = norm.NFKC.String(s)
	k := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
	if k == "" { // "!!!" is a band
		return strings.ToLower(strings.Join(strings.Fields(s), " "))
	}
	return k
}

// cut shortens s to at most n bytes, at the end of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
