// Package feed is the source that reads a feed: RSS 0.9 to 2.0, Atom, JSON Feed.
//
// # Usage
//
//	sources:
//	  news:
//	    feed: {url: "https://example.com/feed.xml", every: 15m, latest: 10}
//	    to: wall.main.post
//
// # Events
//
// New items become events, the oldest first. Each has the fields title, text, url,
// image, author and time, as far as the feed tells them. The text is the summary, or where
// there is none the content, without markup, its paragraphs apart, cut to the
// setting length. Links are made absolute; only http and https are kept. The image is the one
// that the feed names beside the text (enclosure, media:content, media:thumbnail,
// itunes:image, image), else the first of the text. The kind is that of the setting to.
//
// The key stands for the item's id (guid, id, rdf:about; else its link; else a sum
// of its text) and the source's name. So an item that was edited replaces its card. What
// a reader sees of it must have changed: an item whose times alone did is not
// published again, nor is one whose image's query did. In map and only, $about.id is the id.
//
// # The first run
//
// Of what the feed holds at the first run ever the newest items are published, as
// many as the setting latest says; the others count as seen. The same goes for another
// address in the configuration, except for what was seen before.
//
// # What is remembered
//
// The cursor holds eight bytes for each of the 300 items that the feed had most
// recently. So of a feed that has more, the 300 newest are looked at (where items
// have no dates, the first 300), and items that are older than all of
// them never count as new. An item that vanishes from the feed and returns after 300
// others is published again. A guid that changes is another item.
//
// # Politeness
//
// The server is asked with If-None-Match and If-Modified-Since, no more often
// than every 30 s. Retry-After is obeyed, whatever the status, for up to a day. After an
// error the source waits for half a minute, then twice as long each time, up to an
// hour. 410 means for good: the feed is not asked for again. A feed that has moved
// for good is asked for at its new address until the program ends.
//
// # Limits
//
// A feed may have 8 MiB and 200,000 elements. Any encoding that a browser knows is read, by
// byte order mark, Content-Type or XML declaration. Control characters and unknown
// entities, which no XML may have and many feeds do, are passed over; XML that
// ends in the midst is a warning, and none of it is used.
package feed

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/internal/web"
)

// leastEvery is the floor of politeness; a test's is lower.
var leastEvery = 30 * time.Second

const (
	// mostWait is how long the source waits after errors, unless every is longer.
	mostWait = time.Hour

	// maxLength is the longest text, in characters: four bytes each of them fit
	// into the payload that a wall takes by default, with the other fields.
	maxLength = 10_000

	accept = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5"
)

// Type is the source type "feed".
var Type = sources.Type{
	Name: "feed",
	Doc:  "A feed (RSS, Atom or JSON Feed): new items, and those that were edited.",
	New:  func() sources.Settings { return &Settings{Every: 15 * time.Minute, Latest: 10, Length: 500} },
}

// Settings are the settings of a feed source.
type Settings struct {
	URL     string            `yaml:"url" doc:"Address of the feed."`
	Every   time.Duration     `yaml:"every" doc:"The time from one question to the next, 30s or more."`
	Latest  int               `yaml:"latest" doc:"How many items the very first run publishes, the newest ones; at most 300."`
	Length  int               `yaml:"length" doc:"Longest text of an item, in characters, at most 10000; 0 for none."`
	Headers map[string]string `yaml:"headers" doc:"Headers of the request, such as Authorization. They go to this host alone."`
}

// Source checks the settings; see [sources.Settings].
func (s *Settings) Source(env sources.Env) (sources.Source, error) {
	wrong := func(setting, format string, args ...any) (sources.Source, error) {
		return nil, &sources.SettingError{Setting: setting, Err: fmt.Errorf(format, args...)}
	}
	target, err := web.NewTarget(s.URL, s.Headers)
	if err != nil {
		return nil, err
	}
	switch {
	case s.Every < leastEvery:
		return wrong("every", "%v is too short for somebody else's server; %v is the least", s.Every, leastEvery)
	case s.Latest < 0 || s.Latest > most:
		return wrong("latest", "%d is not from 0 to %d", s.Latest, most)
	case s.Length < 0 || s.Length > maxLength:
		return wrong("length", "%d is not from 0 to %d", s.Length, maxLength)
	}
	return &reader{name: env.Name, target: target, client: env.Network.Client, every: s.Every, latest: s.Latest, length: s.Length}, nil
}

// reader reads one feed.
type reader struct {
	name   string
	target web.Target
	client *http.Client
	every  time.Duration
	latest int
	length int // characters
}

var _ sources.Checker = (*reader)(nil)

func (r *reader) asker() *web.Asker {
	return web.NewAsker(r.client, r.target, http.MethodGet, "", accept)
}

// fetch asks for the feed and reads it. Its error is ctx's or a *web.AskError.
func (r *reader) fetch(ctx context.Context, asker *web.Asker, last web.Validators) ([]item, web.Answer, error) {
	answer, err := asker.Ask(ctx, last)
	if err != nil || answer.Unchanged {
		return nil, answer, err
	}
	items, err := parse(web.UTF8(answer.Body, answer.Type), answer.URL)
	if err != nil {
		return nil, answer, &web.AskError{Err: fmt.Errorf("reading the feed of %s: %w", r.target.Host(), err)}
	}
	return items, answer, nil
}

// Check implements sources.Checker.
func (r *reader) Check(ctx context.Context) error {
	asker := r.asker()
	defer asker.Close()
	if _, _, err := r.fetch(ctx, asker, web.Validators{}); err != nil {
		return &sources.SettingError{Setting: "url", Err: err}
	}
	return nil
}
