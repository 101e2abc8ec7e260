package feed

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/wallcast/wallcast/sources"
)

// maxTitle is the longest title, in characters.
const maxTitle = 300

// sum stands for what a reader sees of an item. Its times do not count, because
// some feeds give each item the present one, and neither does an image's query, where
// signatures stand that change with each answer.
func (i item) sum() [32]byte {
	image, _, _ := strings.Cut(i.image, "?")
	return sha256.Sum256([]byte(strings.Join([]string{i.title, i.text, i.url, image, i.author.name, i.author.url}, "\x00")))
}

// dated is when an item was published; zero where the feed doesn't say.
func (i item) dated() time.Time {
	if !i.published.IsZero() {
		return i.published
	}
	return i.updated
}

// payload is an item as the standard cards read it.
type payload struct {
	Title  string `json:"title,omitempty"`
	Text   string `json:"text,omitempty"`
	URL    string `json:"url,omitempty"`
	Image  string `json:"image,omitempty"`
	Author any    `json:"author,omitempty"`
	Time   string `json:"time,omitempty"`
}

type payloadAuthor struct {
	Name string `json:"name,omitempty"`
	URL  string `json:"url,omitempty"`
}

// event is what an item becomes. Edited says that an older version was seen.
func (r *reader) event(i item, edited bool) (sources.Event, error) {
	p := payload{Title: cut(i.title, maxTitle), Text: cut(i.text, r.length), URL: i.url, Image: i.image}
	switch name := cut(i.author.name, maxTitle); {
	case i.author.url != "":
		p.Author = payloadAuthor{name, i.author.url}
	case name != "":
		p.Author = name
	}
	when := i.dated()
	if !when.IsZero() {
		p.Time = when.Format(time.RFC3339)
	}
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false) // it is no page; cards escape what they show
	if err := enc.Encode(p); err != nil {
		return sources.Event{}, err
	}
	if edited && i.updated.After(when) {
		when = i.updated
	}
	if when.After(time.Now()) { // an article that is announced for later is here now
		when = time.Time{}
	}
	key := sha256.Sum256([]byte(r.name + "\n" + i.id))
	return sources.Event{
		Key: hex.EncodeToString(key[:8]), Data: bytes.TrimSpace(data.Bytes()), Time: when,
		Origin: sources.Origin{ID: i.id}, About: map[string]string{"id": i.id},
	}, nil
}
