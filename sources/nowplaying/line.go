package nowplaying

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/azuracast"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/icecast"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/icy"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/libretime"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/mpd"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/playlistlog"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/push"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/shoutcast"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/textfile"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// line is an upstream of a station, as it is configured.
type line struct {
	label   string
	setting string        // the setting with its address
	every   time.Duration // how often it is asked; 0 if it says by itself what changes
	push    *push.Config  // nil for what is watched

	// open makes what is watched, which tells warn what is in its way though it
	// works; nil for push.
	open func(warn func(error)) (upstream.Upstream, error)
}

// opening is an open for an upstream that warns of nothing.
func opening(u upstream.Upstream) func(func(error)) (upstream.Upstream, error) {
	return func(func(error)) (upstream.Upstream, error) { return u, nil }
}

// make checks an upstream's settings and makes it. It opens nothing.
func (u Upstream) make(env sources.Env) (line, error) {
	if set := u.words(); len(set) != 1 {
		if len(set) == 0 {
			return line{}, wrong("push", "wants true, or one of %s instead of it", strings.Join(upstreamWords[:len(upstreamWords)-1], ", "))
		}
		return line{}, wrong(set[1], "is a second upstream beside %s; put the two into a list in from", set[0])
	}
	if err := u.checkStray(); err != nil {
		return line{}, err
	}
	if u.Every != 0 && u.Every < leastEvery {
		return line{}, wrong("every", "wants %v or more, not %v", leastEvery, u.Every)
	}
	charset, err := text.ParseCharset(u.Charset)
	if err != nil {
		return line{}, wrong("charset", "%w", err)
	}
	zone, err := u.zone()
	if err != nil {
		return line{}, err
	}
	switch u.word() {
	case "icecast":
		return opened(line{every: max(u.Every, seldom), open: func(warn func(error)) (upstream.Upstream, error) {
			return icecast.New(icecast.Config{
				URL: u.Icecast, Mount: u.Mount, User: u.User, Password: u.Password,
				Every: u.Every, Charset: charset, Network: env.Network, Warn: warn,
			})
		}})
	case "icy":
		return opened(line{open: func(func(error)) (upstream.Upstream, error) {
			return icy.New(icy.Config{URL: u.ICY, Charset: charset, Network: env.Network})
		}})
	case "shoutcast":
		return opened(line{every: max(u.Every, seldom), open: func(warn func(error)) (upstream.Upstream, error) {
			return shoutcast.New(shoutcast.Config{
				URL: u.Shoutcast, SID: u.SID, User: u.User, Password: u.Password,
				Every: u.Every, Charset: charset, Network: env.Network, Warn: warn,
			})
		}})
	case "azuracast":
		return u.azuracast(env)
	case "libretime":
		address, err := serverAddress("libretime", u.LibreTime)
		if err != nil {
			return line{}, err
		}
		return line{every: u.interval(), open: opening(libretime.Config{Address: address, Zone: zone, Every: u.interval(), Client: env.Network.Client})}, nil
	case "mpd":
		network, address, err := mpd.ParseAddress(u.MPD)
		if err != nil {
			return line{}, wrong("mpd", "%w", err)
		}
		return line{open: opening(mpd.Config{
			Network: network, Address: address, Password: u.Password,
			Pictures: env.Pictures != nil, Dial: env.Network.Dial,
		})}, nil
	case "file":
		return line{open: opening(textfile.Config{Path: inFolder(env.Folder, u.File), Charset: charset})}, nil
	case "playlist":
		return line{open: func(warn func(error)) (upstream.Upstream, error) {
			return playlistlog.Config{Path: inFolder(env.Folder, u.Playlist), Mount: u.Mount, Charset: charset, Warn: warn}, nil
		}}, nil
	}
	if u.Secret == "" {
		return line{}, wrong("secret", "is missing; whoever posts titles must prove to know it")
	}
	return line{push: &push.Config{Secret: u.Secret, Charset: charset, Zone: zone}}, nil
}

// seldom is how often a streaming server is looked at, at least: one that says by
// itself what changes is asked less often.
const seldom = 15 * time.Second

// opened checks that l can be opened.
func opened(l line) (line, error) {
	_, err := l.open(nil)
	return l, err
}

// interval is how often to ask.
func (u Upstream) interval() time.Duration {
	if u.Every == 0 {
		return defaultEvery
	}
	return u.Every
}

func (u Upstream) azuracast(env sources.Env) (line, error) {
	address, err := serverAddress("azuracast", u.AzuraCast)
	if err != nil {
		return line{}, err
	}
	if u.Station == "" || strings.ContainsAny(u.Station, "/?#") {
		return line{}, wrong("station", "wants the station's short name or number, as in its address /public/NAME, not %q", u.Station)
	}
	return line{open: opening(azuracast.Config{
		Address: address, Station: u.Station, Every: u.interval(),
		Client: env.Network.Client, Streams: env.Network.Streams,
	})}, nil
}

// strays says for which upstreams a setting is.
var strays = []struct {
	setting string
	set     func(Upstream) bool
	of      []string
}{
	{"mount", func(u Upstream) bool { return u.Mount != "" }, []string{"icecast", "playlist"}},
	{"sid", func(u Upstream) bool { return u.SID != 0 }, []string{"shoutcast"}},
	{"station", func(u Upstream) bool { return u.Station != "" }, []string{"azuracast"}},
	{"user", func(u Upstream) bool { return u.User != "" }, []string{"icecast", "shoutcast"}},
	{"password", func(u Upstream) bool { return u.Password != "" }, []string{"icecast", "shoutcast", "mpd"}},
	{"secret", func(u Upstream) bool { return u.Secret != "" }, []string{"push"}},
	{"every", func(u Upstream) bool { return u.Every != 0 }, []string{"icecast", "shoutcast", "azuracast", "libretime"}},
	{"timezone", func(u Upstream) bool { return u.Timezone != "" }, []string{"libretime", "push"}},
	{"charset", func(u Upstream) bool { return u.Charset != "" }, []string{"icecast", "icy", "shoutcast", "file", "playlist", "push"}},
}

// checkStray finds a setting that its upstream doesn't have, which somebody
// expects to have an effect.
func (u Upstream) checkStray() error {
	for _, s := range strays {
		if s.set(u) && !slices.Contains(s.of, u.word()) {
			return wrong(s.setting, "is a setting of %s, and the upstream here is %s", strings.Join(s.of, ", "), u.word())
		}
	}
	return nil
}

func (u Upstream) zone() (*time.Location, error) {
	if u.Timezone == "" {
		return nil, nil
	}
	zone, err := time.LoadLocation(u.Timezone)
	if err != nil {
		return nil, wrong("timezone", "wants a name such as Europe/Paris, not %q", u.Timezone)
	}
	return zone, nil
}

// serverAddress reads the address of a server.
func serverAddress(setting, address string) (*url.URL, error) {
	if err := checkAddress(address); err != nil {
		return nil, wrong(setting, "%w", err)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, wrong(setting, "%w", err)
	}
	u.RawQuery, u.Fragment = "", ""
	return u, nil
}

// label names a line so that those of a station differ.
func (s *station) label(word string) string {
	n := 1
	for _, l := range s.lines {
		if before, _, _ := strings.Cut(l.label, " "); before == word {
			n++
		}
	}
	if n == 1 {
		return word
	}
	return fmt.Sprintf("%s %d", word, n)
}
