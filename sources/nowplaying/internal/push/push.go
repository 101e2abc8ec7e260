// Package push reads what automation posts when a song begins: JSON (an object,
// Liquidsoap's list of pairs, AzuraCast's now-playing object), a form, the fields
// of an address, or plain text. The names of the fields are found, whatever
// program writes them.
package push

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/azuracast"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// Config is how posts are read. It may be used concurrently.
type Config struct {
	Secret  string         // what a post must prove to know
	Charset text.Charset   // of titles that are no UTF-8
	Zone    *time.Location // of times without one; nil: those are not known
}

// maxBody is far more than any program says of a song, without its cover.
const maxBody = 256 << 10

// Hook says how posts are served.
func (c Config) Hook() sources.Hook {
	return sources.Hook{Limit: maxBody, Secrets: []string{"token"}, Hide: []string{c.Secret}}
}

// Receive judges a request: it knows the secret, as a bearer token, as the password
// of basic authentication, or as token in the address.
func (c Config) Receive(r *http.Request, _ []byte) sources.Verdict {
	if r.Method != http.MethodPost && r.Method != http.MethodGet && r.Method != http.MethodPut {
		return sources.Verdict{
			Refused: errors.New("the method " + strconv.Quote(r.Method) + " is none of GET, POST and PUT"),
			Status:  http.StatusMethodNotAllowed, Reason: "Titles are told with GET, POST or PUT.",
			Header: http.Header{"Allow": {"GET, POST, PUT"}},
		}
	}
	proofs := c.proofs(r)
	for _, proof := range proofs {
		if same(proof, c.Secret) {
			return sources.Verdict{ID: r.Header.Get("Idempotency-Key")}
		}
	}
	v := sources.Verdict{
		Refused: errors.New("the secret is wrong"), Status: http.StatusUnauthorized,
		Reason: "The secret is wrong.", Header: http.Header{"WWW-Authenticate": {`Bearer, Basic realm="now playing"`}},
	}
	if len(proofs) == 0 {
		v.Refused = errors.New("there is no secret: it may be a bearer token, the password of basic authentication, or ?token= in the address")
		v.Reason = "The secret is missing. It may be a bearer token, the password of basic authentication, or ?token= in the address."
	}
	return v
}

// proofs are what a request gives as the secret.
func (c Config) proofs(r *http.Request) []string {
	var all []string
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		all = append(all, strings.TrimSpace(token))
	}
	if _, password, ok := r.BasicAuth(); ok {
		all = append(all, password)
	}
	query, _ := url.ParseQuery(r.URL.RawQuery) // of an unreadable one what is readable counts
	return append(all, query["token"]...)
}

// same compares in a time that tells nothing.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return b != "" && subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

var errNothing = errors.New("no field says what is on air; send artist and title, or text with both")

// Parse reads a post. A post that knows no title is one that says so; one without
// any field that is known is an error.
func (c Config) Parse(d sources.Delivery) (upstream.Report, error) {
	if r, ok := azuraCast(d.Body); ok {
		return r, nil
	}
	f, err := c.read(d)
	if err != nil {
		return upstream.Report{}, err
	}
	if !f.knows() {
		return upstream.Report{}, errNothing
	}
	r := upstream.Report{
		State: f.state(),
		Song: upstream.Song{
			Text: f.get("text"), Artist: f.get("artist"), Title: f.get("title"), Album: f.get("album"),
			Art: picture(f.get("art")), Type: songType(f), PlayID: f.get("play"),
			StartedAt: c.moment(f.get("started"), d.Time), Duration: duration(f),
		},
		Live: yes(f.get("live")), DJ: f.get("dj"),
	}
	switch s := &r.Song; {
	case s.Title != "": // text says the same in one
		s.Text = ""
	case s.Artist != "" && !strings.Contains(strings.ToLower(s.Text), strings.ToLower(s.Artist)):
		s.Title, s.Text = s.Text, "" // as song= beside artist=
	}
	if n, err := strconv.Atoi(f.get("listeners")); err == nil && n >= 0 {
		r.Listeners = &n
	}
	if next := (upstream.Song{Text: f.get("next"), Artist: f.get("nextartist"), Title: f.get("nexttitle")}); next.Text+next.Title != "" {
		r.Next = &next
	}
	return r, nil
}

// azuraCast reads a body that is AzuraCast's now-playing object, which its web
// hooks post.
func azuraCast(body []byte) (upstream.Report, bool) {
	if !bytes.Contains(body, []byte(`"now_playing"`)) {
		return upstream.Report{}, false
	}
	var shape struct {
		NowPlaying struct {
			Song json.RawMessage `json:"song"`
		} `json:"now_playing"`
	}
	if json.Unmarshal(body, &shape) != nil || len(shape.NowPlaying.Song) == 0 {
		return upstream.Report{}, false
	}
	r, err := azuracast.Parse(body, nil)
	return r, err == nil
}

// names are the plain names under which programs write what is known, the most
// telling first.
var names = map[string][]string{
	"artist":     {"artist", "artistname", "trackartist", "songartist", "currentartist", "performer", "interpret", "albumartist"},
	"title":      {"title", "songtitle", "tracktitle", "trackname", "songname", "currenttitle"},
	"text":       {"text", "nowplaying", "currentsong", "streamtitle", "casttitle", "song", "track", "np", "current", "combined", "display"},
	"album":      {"album", "albumtitle", "albumname", "collection"},
	"art":        {"art", "arturl", "cover", "coverurl", "artwork", "artworkurl", "image", "imageurl", "picture", "albumart"},
	"type":       {"type", "songtype", "tracktype", "itemtype", "category", "class"},
	"jingle":     {"jinglemode", "isjingle", "jingle"},
	"play":       {"playid", "shid", "rid"},
	"started":    {"startedat", "onairtimestamp", "started", "starttime", "startedtimestamp", "playedat", "dateplayed", "airtime", "timestamp", "start"},
	"duration":   {"duration", "length", "songduration", "trackduration", "len", "seconds", "totaltime"},
	"durationms": {"durationms", "lengthms", "durationmillis"},
	"live":       {"live", "islive"},
	"dj":         {"dj", "djname", "streamer", "streamername", "presenter", "moderator"},
	"listeners":  {"listeners", "listenercount", "currentlisteners"},
	"state":      {"state", "status", "playstate", "playbackstate"},
	"next":       {"next", "nextsong", "nexttrack", "upnext"},
	"nextartist": {"nextartist", "nextsongartist"},
	"nexttitle":  {"nexttitle", "nextsongtitle"},
}

// get returns what a post says of one of the names; "" when it says nothing.
func (f fields) get(name string) string {
	for _, n := range names[name] {
		if v := f[n]; v != "" {
			return v
		}
	}
	return ""
}

// knows reports whether a post says anything of a song, be it that nothing is known.
func (f fields) knows() bool {
	for _, name := range []string{"artist", "title", "text", "play", "started", "state", "live", "dj"} {
		for _, n := range names[name] {
			if _, ok := f[n]; ok {
				return true
			}
		}
	}
	return false
}

func (f fields) state() upstream.State {
	switch strings.ToLower(f.get("state")) {
	case "stop", "stopped", "pause", "paused", "silent", "silence", "idle":
		return upstream.Silent
	case "offline", "off":
		return upstream.Offline
	}
	return upstream.Playing
}

// types are words in what programs call a kind of item, and what they mean here.
var types = []struct{ word, means string }{
	{"jingle", "jingle"}, {"sweeper", "jingle"}, {"station id", "jingle"}, {"stationid", "jingle"}, {"liner", "jingle"}, {"dropin", "jingle"},
	{"advert", "ad"}, {"commercial", "ad"}, {"spot", "ad"}, {"promo", "ad"},
	{"live", "live"},
}

func songType(f fields) string {
	said := strings.ToLower(f.get("type"))
	for _, t := range types {
		if strings.Contains(said, t.word) {
			return t.means
		}
	}
	switch {
	case yes(f.get("jingle")):
		return "jingle"
	case said == "ad", said == "ads":
		return "ad"
	case said == "song", said == "music", said == "track":
		return "song"
	}
	return ""
}

func yes(s string) bool {
	switch strings.ToLower(s) {
	case "true", "1", "yes", "on":
		return true
	}
	return false
}

// picture is an address that a page may load.
func picture(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return s
}

// layouts are how programs write times; the last of them have no zone.
var layouts = []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006/01/02 15:04:05", "02.01.2006 15:04:05", "02/01/2006 15:04:05"}

const zoneless = 2 // the first layout without a zone

// The span around a post in which what it tells can have begun.
const (
	longAgo = 12 * time.Hour
	soon    = time.Hour
)

// moment reads when a song began; the zero time for what can't be meant, as the
// date of an album.
func (c Config) moment(s string, posted time.Time) time.Time {
	t := parseTime(s, c.Zone)
	if t.IsZero() || t.Before(posted.Add(-longAgo)) || t.After(posted.Add(soon)) {
		return time.Time{}
	}
	return t
}

func parseTime(s string, zone *time.Location) time.Time {
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		if n > 1e11 { // milliseconds
			n /= 1000
		}
		if !(n > 0 && n < 1e11) {
			return time.Time{}
		}
		whole, fraction := math.Modf(n)
		return time.Unix(int64(whole), int64(fraction*1e9)).UTC()
	}
	for i, layout := range layouts {
		in := time.UTC
		if i >= zoneless {
			in = zone
		}
		if in == nil {
			continue
		}
		if t, err := time.ParseInLocation(layout, s, in); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// longest is the longest duration that is believed.
const longest = 24 * time.Hour

// duration reads seconds, or a clock as 3:45 or 01:02:03.
func duration(f fields) time.Duration {
	if ms, err := strconv.ParseFloat(f.get("durationms"), 64); err == nil {
		return bounded(ms / 1000)
	}
	s := f.get("duration")
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		if n > longest.Seconds() { // milliseconds
			n /= 1000
		}
		return bounded(n)
	}
	total := 0.0
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return 0
	}
	for _, part := range parts {
		n, err := strconv.ParseFloat(part, 64)
		if err != nil || !(n >= 0 && n < 1e6) {
			return 0
		}
		total = total*60 + n
	}
	return bounded(total)
}

func bounded(seconds float64) time.Duration {
	if !(seconds > 0 && seconds <= longest.Seconds()) {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}
