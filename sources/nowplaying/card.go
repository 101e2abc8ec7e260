package nowplaying

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"
)

// The states of a station.
const (
	statePlaying     = "playing"
	stateLive        = "live"        // somebody speaks or plays live
	stateSilent      = "silent"      // it is on air, and nothing plays
	stateStale       = "stale"       // something plays, and what is shown may be over
	stateOffline     = "offline"     // its server is up and the station isn't
	stateUnreachable = "unreachable" // nobody answers
)

// card is the payload of an event. What is not known is absent.
type card struct {
	Station      string    `json:"station"`
	State        string    `json:"state"`
	Type         string    `json:"type,omitempty"`
	Artist       string    `json:"artist,omitempty"`
	Title        string    `json:"title,omitempty"`
	Text         string    `json:"text,omitempty"`
	Raw          string    `json:"raw,omitempty"` // the title as it came, where that differs from text
	Album        string    `json:"album,omitempty"`
	Art          string    `json:"art,omitempty"`
	PlayID       string    `json:"play_id,omitempty"`
	StartedAt    time.Time `json:"started_at,omitzero"`
	StartedExact *bool     `json:"started_exact,omitempty"` // with StartedAt alone
	Duration     int64     `json:"duration,omitempty"`      // seconds
	Next         *nextSong `json:"next,omitempty"`
	Live         bool      `json:"live,omitempty"`
	DJ           string    `json:"dj,omitempty"`
	Listeners    *int      `json:"listeners,omitempty"`
	Source       string    `json:"source,omitempty"` // the upstream that says so
	Listen       string    `json:"listen_url,omitempty"`
	Recent       []recent  `json:"recent,omitempty"` // songs before this one, newest first
}

// recent is a song that was on air before.
type recent struct {
	PlayID    string    `json:"play_id"`
	Artist    string    `json:"artist,omitempty"`
	Title     string    `json:"title,omitempty"`
	Text      string    `json:"text,omitempty"`
	StartedAt time.Time `json:"started_at,omitzero"`
}

// mostRecent is how many songs are listed as played before.
const mostRecent = 5

// follow lists on c the songs that were on air before it, by the card before it.
func (c *card) follow(before *card) {
	if before == nil {
		return
	}
	songs := before.Recent
	if before.PlayID != "" && before.Type != typeJingle && before.Type != typeAd {
		songs = append([]recent{{before.PlayID, before.Artist, before.Title, before.Text, before.StartedAt}}, songs...)
	}
	// A song that goes on after a jingle is not played before itself.
	songs = slices.DeleteFunc(slices.Clone(songs), func(r recent) bool { return r.PlayID == c.PlayID })
	if len(songs) > 0 {
		c.Recent = songs[:min(len(songs), mostRecent)]
	}
}

// nextSong is what comes after.
type nextSong struct {
	Artist string `json:"artist,omitempty"`
	Title  string `json:"title,omitempty"`
	Text   string `json:"text,omitempty"`
	Album  string `json:"album,omitempty"`
	Art    string `json:"art,omitempty"`
}

func (c card) json() []byte { return encode(c) }

// encode writes a card or a cursor. It leaves what HTML has to escape: that would
// make six bytes of one.
func encode(v any) []byte {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	if err := out.Encode(v); err != nil { // strings, numbers and times that were checked
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func (c card) equal(d card) bool { return bytes.Equal(c.json(), d.json()) }

// alike reports whether c and d differ in nothing that needs telling at once.
func (c card) alike(d card) bool {
	c.Listeners, c.Source = nil, ""
	d.Listeners, d.Source = nil, ""
	return c.equal(d)
}

// setSong fills in what is known of a song.
func (c *card) setSong(s song) {
	c.Type, c.Artist, c.Title, c.Text, c.Raw = s.kind, s.artist, s.title, s.text, s.raw
	c.Album, c.Art = s.album, s.art
	c.Duration = int64(s.duration.Round(time.Second) / time.Second)
}

func (s *song) asNext() *nextSong {
	if s == nil {
		return nil
	}
	return &nextSong{Artist: s.artist, Title: s.title, Text: s.text, Album: s.album, Art: s.art}
}
