package nowplaying

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wallcast/wallcast/sources"
)

// Type is the source type "nowplaying".
var Type = sources.Type{
	Name: "nowplaying",
	Doc:  "The song on air, from whatever a radio has: a streaming server, automation, a file, or posts to a hook.",
	Kind: kind,
	New: func() sources.Settings {
		return &Settings{
			Separator: []string{" - ", " – ", " — "}, Hide: []string{typeJingle, typeAd}, StickyArtist: true,
			Debounce: 500 * time.Millisecond, Patience: 15 * time.Second, Stale: time.Hour, Lookup: "off",
		}
	},
}

// kind is the kind of all events of a station.
const kind = "song"

// Settings are the settings of a station. Those of its upstream stand beside the
// others, or in a list of several in from.
type Settings struct {
	Upstream
	From []Upstream `yaml:"from" doc:"Several upstreams instead of one, the preferred one first: each a mapping with the settings above. One further down is asked while those before it are silent, stale or out of reach."`

	Name   string `yaml:"name" doc:"The station's name on the card. A title that says no more is no title. The source's name, if it is not given."`
	Listen string `yaml:"listen" doc:"Address of the stream, for players that show what is on air."`
	Logo   string `yaml:"logo" doc:"Address of a picture for songs without a cover."`
	Covers string `yaml:"covers" doc:"A folder with pictures named like the songs (Artist - Title.jpg, Artist - Album.jpg or Artist.jpg; jpg, png, webp or gif), for songs without a cover."`
	Lookup string `yaml:"lookup" doc:"Where else to look for covers. It tells the titles to others, so it is off by default." enum:"off musicbrainz itunes"`

	Separator    []string      `yaml:"separator" doc:"What stands between artist and title; the first of them that occurs is where a title is split. off: titles are not split."`
	StickyArtist bool          `yaml:"sticky_artist" doc:"Whether to find out that a server puts the artist of an earlier song before every title, and to take it off."`
	Rules        []Rule        `yaml:"rules" doc:"What titles are, by how they look: each a mapping with match, as and text. The first that matches counts."`
	Ignore       []string      `yaml:"ignore" doc:"Titles that say nothing, as a slogan: * stands for anything, or a regular expression stands between slashes. The last song stays."`
	Hide         []string      `yaml:"hide" doc:"What is not shown: jingle, ad, live or song. The last song stays meanwhile, and goes on as the same one after it."`
	Delay        time.Duration `yaml:"delay" doc:"How much later listeners hear what the upstream says. The card waits so long."`
	Debounce     time.Duration `yaml:"debounce" doc:"How long a title must last to be shown: of several that follow each other at once only the last is."`
	Patience     time.Duration `yaml:"patience" doc:"How long there may be silence, no title or no answer before the card says so, or another upstream is followed."`
	Stale        time.Duration `yaml:"stale" doc:"After how long one title is probably over, where its duration is not known. 0: never."`
}

// Upstream is where a station learns what is on air. One of its addresses is set,
// or push.
type Upstream struct {
	Icecast   string `yaml:"icecast" doc:"Address of an Icecast server. With user and password its administration is asked, which tells titles more exactly."`
	ICY       string `yaml:"icy" doc:"Address of an MP3 or AAC stream, whose titles are read. Counts as a listener."`
	Shoutcast string `yaml:"shoutcast" doc:"Address of a Shoutcast server, version 1 or 2."`
	AzuraCast string `yaml:"azuracast" doc:"Address of an AzuraCast installation; station says which one of it."`
	LibreTime string `yaml:"libretime" doc:"Address of a LibreTime installation."`
	MPD       string `yaml:"mpd" doc:"Address of an MPD server, host:port (6600 if no port is given), or the path of its socket."`
	File      string `yaml:"file" doc:"A text file that automation writes. A relative path is relative to the configuration file's folder."`
	Playlist  string `yaml:"playlist" doc:"Icecast's playlist log, as /var/log/icecast2/playlist.log; mount says which. It tells exactly when a song began, and not that the station has gone. A relative path is relative to the configuration file's folder."`
	Push      bool   `yaml:"push" doc:"Whether automation posts titles to /hooks/ and the source's name."`

	Mount    string        `yaml:"mount" doc:"icecast, playlist: the mount, such as /jazz. It may be absent where there is just one."`
	SID      int           `yaml:"sid" doc:"shoutcast: the stream's number, 1 if it is not given."`
	Station  string        `yaml:"station" doc:"azuracast: the station's short name or number."`
	User     string        `yaml:"user" doc:"icecast, shoutcast: who asks. icecast: admin, if only a password is given."`
	Password string        `yaml:"password" doc:"icecast, shoutcast, mpd: the password."`
	Secret   string        `yaml:"secret" doc:"push: what posts must prove to know, as a bearer token, as the password of basic authentication, or as ?token= in the address."`
	Charset  string        `yaml:"charset" doc:"The encoding of titles, such as windows-1251, where it is not UTF-8 or Windows-1252."`
	Every    time.Duration `yaml:"every" doc:"How often to ask an upstream that doesn't say by itself what changes. If it is not given, 10s, and 5s for icecast and shoutcast."`
	Timezone string        `yaml:"timezone" doc:"libretime, push: the time zone of times that have none, such as Europe/Paris. libretime: the station's own, if it is not given."`
}

// Rule says what titles of a certain look are.
type Rule struct {
	Match string `yaml:"match" doc:"The title, artist and all: * stands for anything, or a regular expression stands between slashes."`
	As    string `yaml:"as" doc:"What it is: song, jingle, ad, live; hide: it is not shown; keep: it is, whatever it is." enum:"song jingle ad live hide keep"`
	Text  string `yaml:"text" doc:"What to show instead. $1 is what the first parentheses of a regular expression match."`
}

const (
	defaultEvery = 10 * time.Second
	leastEvery   = time.Second

	// mostDelay keeps what waits for the listeners small enough to be kept over a
	// restart.
	mostDelay = 5 * time.Minute
)

func wrong(setting, format string, args ...any) error {
	return &sources.SettingError{Setting: setting, Err: fmt.Errorf(format, args...)}
}

// Source checks the settings; see [sources.Settings].
func (s *Settings) Source(env sources.Env) (sources.Source, error) {
	all, err := s.upstreams()
	if err != nil {
		return nil, err
	}
	st := &station{name: first(s.Name, env.Name), settings: *s, pictures: env.Pictures, lookup: s.finder(env.Network.Public)}
	if err := s.checkTimes(); err != nil {
		return nil, err
	}
	if st.reader, err = s.reader(st.name); err != nil {
		return nil, err
	}
	for name, address := range map[string]string{"logo": s.Logo, "listen": s.Listen} {
		if address == "" {
			continue
		}
		if err := checkAddress(address); err != nil {
			return nil, wrong(name, "%w", err)
		}
	}
	if !slices.Contains([]string{"", "off", "musicbrainz", "itunes"}, s.Lookup) {
		return nil, wrong("lookup", "wants off, musicbrainz or itunes, not %q", s.Lookup)
	}
	if s.Covers != "" {
		st.covers = inFolder(env.Folder, s.Covers)
	}
	var posts *post
	for i, u := range all {
		l, err := u.make(env)
		if err != nil {
			return nil, s.placed(err, i)
		}
		l.label, l.setting = st.label(u.word()), u.word()
		if len(s.From) > 0 {
			l.setting = fmt.Sprintf("from.[%d].%s", i, u.word())
		}
		if l.push != nil && posts != nil {
			return nil, s.placed(wrong("push", "is set twice; a source has one hook"), i)
		}
		if l.push != nil {
			posts = &post{station: st, push: *l.push}
		}
		st.lines = append(st.lines, l)
	}
	if posts != nil {
		return posts, nil
	}
	return st, nil
}

// upstreams are those of from, or the one that stands beside it.
func (s *Settings) upstreams() ([]Upstream, error) {
	switch {
	case len(s.From) == 0 && s.word() == "":
		return nil, wrong("from", "is missing, and so is an upstream beside it; one of %s says where the station learns what is on air", strings.Join(upstreamWords, ", "))
	case len(s.From) == 0:
		return []Upstream{s.Upstream}, nil
	case s.Upstream != Upstream{}:
		return nil, wrong("from", "is a list of upstreams, and there is one beside it; put them all into the list")
	}
	return s.From, nil
}

// placed is err with the place of its upstream.
func (s *Settings) placed(err error, i int) error {
	var setting *sources.SettingError
	if len(s.From) == 0 || !errors.As(err, &setting) {
		return err
	}
	return &sources.SettingError{Setting: fmt.Sprintf("from.[%d].%s", i, setting.Setting), Err: setting.Err}
}

func (s *Settings) checkTimes() error {
	switch {
	case s.Delay < 0 || s.Delay > mostDelay:
		return wrong("delay", "wants between 0 and %v, not %v", mostDelay, s.Delay)
	case s.Debounce < 0 || s.Debounce > 10*time.Second:
		return wrong("debounce", "wants between 0 and 10s, not %v", s.Debounce)
	case s.Patience < time.Second:
		return wrong("patience", "wants 1s or more, not %v", s.Patience)
	case s.Stale < 0:
		return wrong("stale", "wants a time, or 0 for never, not %v", s.Stale)
	}
	return nil
}

func (s *Settings) reader(name string) (reader, error) {
	d := reader{station: name, separators: s.Separator, hide: s.Hide, sticky: s.StickyArtist}
	if len(d.separators) == 1 && d.separators[0] == "off" {
		d.separators = nil
	}
	if i := slices.Index(d.separators, ""); i >= 0 {
		return d, wrong("separator", "is empty; it wants what stands between artist and title, in quotes, such as %q, or off", " - ")
	}
	for _, h := range d.hide {
		if !slices.Contains([]string{typeSong, typeJingle, typeAd, typeLive}, h) {
			return d, wrong("hide", "wants jingle, ad, live or song, not %q", h)
		}
	}
	for i, r := range s.Rules {
		parsed, setting, err := r.parse()
		if err != nil {
			return d, wrong(fmt.Sprintf("rules.[%d].%s", i, setting), "%w", err)
		}
		d.rules = append(d.rules, parsed)
	}
	ignore, i, err := parsePatterns(s.Ignore)
	if err != nil {
		return d, wrong(fmt.Sprintf("ignore.[%d]", i), "%w", err)
	}
	d.ignore = ignore
	return d, nil
}

// upstreamWords are the settings of which an upstream has one.
var upstreamWords = []string{"icecast", "icy", "shoutcast", "azuracast", "libretime", "mpd", "file", "playlist", "push"}

// words are those of them that are set.
func (u Upstream) words() []string {
	var set []string
	for i, address := range []string{u.Icecast, u.ICY, u.Shoutcast, u.AzuraCast, u.LibreTime, u.MPD, u.File, u.Playlist} {
		if address != "" {
			set = append(set, upstreamWords[i])
		}
	}
	if u.Push {
		set = append(set, "push")
	}
	return set
}

// word is the first of them; "" when there is none.
func (u Upstream) word() string {
	if set := u.words(); len(set) > 0 {
		return set[0]
	}
	return ""
}

func inFolder(folder, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

// checkAddress checks the address of a picture or server.
func checkAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("wants an address such as https://radio.example.com, not %q", address)
	}
	return nil
}
