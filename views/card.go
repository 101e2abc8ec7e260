package views

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/wallcast/wallcast/stream"
)

// Card is how e looks on the wall w: an article that carries its id, kind, key
// and slot. It is empty for an entry that is no event.
func Card(w Wall, e stream.Event) templ.Component {
	if e.Control != "" || e.Odd() {
		return templ.NopComponent
	}
	return newCard(w, e).component()
}

// RenderCard is [Card] as the bytes that the event stream sends for as=html. It
// holds no line break that the payload did not.
func RenderCard(w Wall, e stream.Event) ([]byte, error) {
	var b bytes.Buffer
	if err := Card(w, e).Render(context.Background(), &b); err != nil {
		return nil, fmt.Errorf("rendering the card of %s: %w", e.ID, err)
	}
	return b.Bytes(), nil
}

// card is an event made ready for the templates: cleaned, bounded, links checked.
type card struct {
	id, kind, key, slot string
	label, icon         string
	time, expires       time.Time

	title, link, host string
	text              []span
	long              bool
	author            person
	image, imageLink  string // the one that can be shown, or the one that can only be linked to
	fields            []field
	song              song
	own               string // the body's markup, which stands instead of all that is above
}

type person struct{ name, link, image string }

type field struct{ name, value string }

func newCard(w Wall, e stream.Event) card {
	content := stream.ParseContent(e.Data)
	text := display(content.Text, maxText, true)
	kind := e.Subject.Kind
	c := card{
		id: e.ID.String(), kind: kind, key: e.Subject.Key, slot: w.slot(kind),
		label: w.badge(kind), icon: line(w.Kinds[kind].Icon, maxIcon),
		time: shownTime(content.Time, e.Time), expires: content.Expires,
		title: line(content.Title, maxTitle),
		link:  webAddress(content.URL),
		text:  autolink(text),
		long:  len([]rune(text)) > longText || strings.Count(text, "\n") >= longLines,
		author: person{
			name:  line(content.Author.Name, maxName),
			link:  webAddress(content.Author.URL),
			image: w.image(content.Author.Image),
		},
	}
	c.host = hostOf(c.link)
	if c.image = w.image(content.Image); c.image == "" {
		c.imageLink = webAddress(content.Image)
	}
	if c.slot == Bar {
		c.song = newSong(w, content)
	}
	if w.Body != nil && (c.slot == Timeline || c.slot == Banner) {
		if markup, ok := w.Body(e, w.image); ok {
			c.own = markup
		}
	}
	if text == "" && content.Fields != nil {
		c.fields = furtherFields(e.Data)
	}
	return c
}

// image returns where the image at src can be loaded from this host.
func (w Wall) image(src string) string {
	if w.Image == nil {
		return ""
	}
	if !strings.HasPrefix(src, "/") { // a path is one of this host, if Image says so
		if src = webAddress(src); src == "" {
			return ""
		}
	}
	return w.Image(src)
}

// shownTime prefers what the payload says, as long as a calendar can hold it.
func shownTime(said, stored time.Time) time.Time {
	if y := said.Year(); !said.IsZero() && y >= 1 && y <= 9999 {
		return said.UTC()
	}
	return stored.UTC()
}

func (c card) expired(now time.Time) bool {
	return !c.expires.IsZero() && !c.expires.After(now)
}

func (c card) expiresMillis() string { return strconv.FormatInt(c.expires.UnixMilli(), 10) }

func (c card) datetime() string { return c.time.Format(time.RFC3339) }

// clock is the time as it stands where no script makes it the reader's own.
func (c card) clock() string { return c.time.Format("2 Jan, 15:04 MST") }

// headline is what stands for the card in one line.
func (c card) headline() string {
	if c.title != "" {
		return c.title
	}
	var b strings.Builder
	for _, s := range c.text {
		b.WriteString(s.Text)
	}
	if b.Len() == 0 {
		for i, f := range c.fields {
			if i > 0 {
				b.WriteString(" · ")
			}
			b.WriteString(f.name + " " + f.value)
		}
	}
	return line(b.String(), maxTitle)
}

// maxFields is how many fields of a payload without a text show.
const maxFields = 12

// furtherFields lists the scalar fields of a JSON object in the object's own
// order; a field that holds others shows as its JSON, shortened.
func furtherFields(data []byte) []field {
	in := json.NewDecoder(strings.NewReader(stream.Text(data)))
	in.UseNumber()
	if _, err := in.Token(); err != nil {
		return nil
	}
	var fields []field
	for in.More() && len(fields) < maxFields {
		token, err := in.Token()
		name, ok := token.(string)
		var raw json.RawMessage
		if err != nil || !ok || in.Decode(&raw) != nil {
			return fields
		}
		value := fieldValue(raw)
		if stream.KnownField(name) || value == "" {
			continue
		}
		fields = append(fields, field{line(strings.NewReplacer("_", " ", "-", " ").Replace(name), maxName), value})
	}
	return fields
}

func fieldValue(raw json.RawMessage) string {
	if string(raw) == "null" {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return line(s, maxValue)
	}
	return line(string(raw), maxName)
}

// song is what the bar shows of a card beside its title.
type song struct {
	artist, album, station, next string
	live                         bool
	trouble                      string // why what is shown may not be what is heard
	over                         bool   // nothing is heard
	listeners                    string // how many there are, where that is known
	recent                       []played
	host                         string // who is live, where that is known
	art                          string
	started                      time.Time
	length                       time.Duration // 0 when not known
}

// played is a song that was on air before.
type played struct {
	text string
	at   time.Time
}

// maxRecent is how many songs are listed as played before.
const maxRecent = 5

func newSong(w Wall, c stream.Content) song {
	s := song{
		artist:  line(c.String("artist"), maxTitle),
		album:   line(c.String("album"), maxTitle),
		station: line(c.String("station"), maxName),
		next:    nextSong(c),
		art:     w.image(c.String("art")),
		started: parseMoment(c.String("started_at")),
	}
	if host, live := liveShow(c.Fields["live"]); live {
		s.host, s.live = host, true
	}
	if dj := line(c.String("dj"), maxName); dj != "" {
		s.host, s.live = dj, true
	}
	switch c.String("state") {
	case "stop", "stopped", "offline":
		s.trouble, s.over = english.OffAir, true
	case "pause", "paused", "silent":
		s.trouble, s.over = english.Silence, true
	case "unreachable":
		s.trouble = english.NoContact
	case "stale":
		s.trouble = english.Stale
	case "live":
		s.live = true
	}
	if n, err := strconv.Atoi(c.String("listeners")); err == nil && n > 0 && !s.over {
		s.listeners = strings.ReplaceAll(english.Listening, "{n}", strconv.Itoa(n))
	}
	s.recent = recentSongs(c.Fields["recent"])
	if d, err := strconv.ParseFloat(c.String("duration"), 64); err == nil && d > 0 && d < 7*24*3600 {
		s.length = time.Duration(d * float64(time.Second))
	}
	return s
}

// progress reports whether it is known how far the song is.
func (s song) progress() bool { return s.trouble == "" && !s.started.IsZero() && s.length > 0 }

func (s song) startedMillis() string { return strconv.FormatInt(s.started.UnixMilli(), 10) }

// clock is the song's length as people write it.
func (s song) clock() string {
	n := int(s.length / time.Second)
	return fmt.Sprintf("%d:%02d", n/60, n%60)
}

func (s song) seconds() string { return strconv.Itoa(int(s.length / time.Second)) }

// nextSong reads "next", which is a text or an object like a song.
func nextSong(c stream.Content) string {
	raw := c.Fields["next"]
	if !stream.IsObject(raw) {
		return line(c.String("next"), maxTitle)
	}
	return songLine(stream.ParseContent(raw))
}

// songLine is a song in one line.
func songLine(c stream.Content) string {
	if c.Title == "" {
		return line(c.Text, maxTitle)
	}
	if artist := c.String("artist"); artist != "" {
		return line(artist+" – "+c.Title, maxTitle)
	}
	return line(c.Title, maxTitle)
}

// recentSongs reads the songs that were played before, the newest first.
func recentSongs(raw json.RawMessage) []played {
	var all []json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return nil
	}
	var recent []played
	for _, one := range all[:min(len(all), maxRecent)] {
		c := stream.ParseContent(one)
		if text := songLine(c); stream.IsObject(one) && text != "" {
			recent = append(recent, played{text, parseMoment(c.String("started_at"))})
		}
	}
	return recent
}

func (p played) datetime() string { return p.at.UTC().Format(time.RFC3339) }

// clock is the time as it stands where no script makes it the reader's own.
func (p played) clock() string { return p.at.UTC().Format("15:04 MST") }

// liveShow reads "live", which is whether somebody is on air, who it is, or an
// object with both as AzuraCast has it.
func liveShow(raw json.RawMessage) (host string, live bool) {
	if stream.IsObject(raw) {
		show := stream.ParseContent(raw)
		for _, field := range []string{"streamer_name", "name", "dj", "title"} {
			if host = line(show.String(field), maxName); host != "" {
				break
			}
		}
		if is, ok := show.Fields["is_live"]; ok {
			_, live = liveShow(is)
			return host, live
		}
		return host, host != ""
	}
	said := line(stream.Content{Fields: map[string]json.RawMessage{"live": raw}}.String("live"), maxName)
	switch strings.ToLower(said) {
	case "", "0", "false", "no", "off":
		return "", false
	case "1", "true", "yes", "on", "live":
		return "", true
	}
	return said, true
}

// parseMoment reads RFC 3339, or seconds since 1970.
func parseMoment(s string) time.Time {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t
	}
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil || !(seconds > 0 && seconds < 253402300799) { // the year 9999
		return time.Time{}
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC()
}
