package onair

import (
	"crypto/md5"
	"encoding/hex"
	"hash/fnv"
	"net/url"
	"strings"
	"time"

	"github.com/wallcast/wallcast/views"
)

// What follows is the shape of AzuraCast's API for "now playing", which existing
// radio players read; its names are AzuraCast's. A field that has no meaning here
// has the value that an installation without that feature gives.

type nowPlaying struct {
	Station     azStation    `json:"station"`
	Listeners   azListeners  `json:"listeners"`
	Live        azLive       `json:"live"`
	NowPlaying  azCurrent    `json:"now_playing"`
	PlayingNext *azNext      `json:"playing_next"`
	SongHistory []azPlay     `json:"song_history"`
	IsOnline    bool         `json:"is_online"`
	Cache       string       `json:"cache"`
	Wallcast    wallcastPart `json:"wallcast"`
}

// wallcastPart is what AzuraCast has no field for.
type wallcastPart struct {
	State string `json:"state"` // see package sources/nowplaying
	ID    string `json:"id"`    // of the event
	Type  string `json:"type,omitempty"`
}

type azStation struct {
	ID              uint32    `json:"id"`
	Name            string    `json:"name"`
	Shortcode       string    `json:"shortcode"`
	Description     string    `json:"description"`
	Frontend        string    `json:"frontend"`
	Backend         string    `json:"backend"`
	Timezone        string    `json:"timezone"`
	ListenURL       string    `json:"listen_url"`
	URL             string    `json:"url"`
	PublicPlayerURL string    `json:"public_player_url"`
	PlaylistPLSURL  string    `json:"playlist_pls_url"`
	PlaylistM3UURL  string    `json:"playlist_m3u_url"`
	IsPublic        bool      `json:"is_public"`
	RequestsEnabled bool      `json:"requests_enabled"`
	Mounts          []azMount `json:"mounts"`
	Remotes         []azMount `json:"remotes"`
	HLSEnabled      bool      `json:"hls_enabled"`
	HLSIsDefault    bool      `json:"hls_is_default"`
	HLSURL          *string   `json:"hls_url"`
	HLSListeners    int       `json:"hls_listeners"`
}

type azMount struct {
	ID        int         `json:"id"`
	Name      string      `json:"name"`
	URL       string      `json:"url"`
	Bitrate   *int        `json:"bitrate"`
	Format    *string     `json:"format"`
	Listeners azListeners `json:"listeners"`
	Path      string      `json:"path"`
	IsDefault bool        `json:"is_default"`
}

type azListeners struct {
	Total   int `json:"total"`
	Unique  int `json:"unique"`
	Current int `json:"current"`
}

type azLive struct {
	IsLive         bool    `json:"is_live"`
	StreamerName   string  `json:"streamer_name"`
	BroadcastStart *int64  `json:"broadcast_start"`
	Art            *string `json:"art"`
}

type azPlay struct {
	ShID      uint64 `json:"sh_id"`
	PlayedAt  int64  `json:"played_at"`
	Duration  int64  `json:"duration"`
	Playlist  string `json:"playlist"`
	Streamer  string `json:"streamer"`
	IsRequest bool   `json:"is_request"`
	Song      azSong `json:"song"`
}

type azCurrent struct {
	azPlay
	Elapsed   int64 `json:"elapsed"`
	Remaining int64 `json:"remaining"`
}

type azNext struct {
	CuedAt    int64  `json:"cued_at"`
	PlayedAt  int64  `json:"played_at"`
	Duration  int64  `json:"duration"`
	Playlist  string `json:"playlist"`
	IsRequest bool   `json:"is_request"`
	Song      azSong `json:"song"`
}

type azSong struct {
	ID           string   `json:"id"`
	Art          string   `json:"art"`
	CustomFields []string `json:"custom_fields"`
	Text         string   `json:"text"`
	Artist       string   `json:"artist"`
	Title        string   `json:"title"`
	Album        string   `json:"album"`
	Genre        string   `json:"genre"`
	ISRC         string   `json:"isrc"`
	Lyrics       string   `json:"lyrics"`
}

// place is where a station's addresses lead.
type place struct {
	base string // scheme and host as the visitor sees them
	wall string
	page string // of the wall

	picture func(address string) string // see Config.Picture
}

// azuraCast is a station as it is at a time.
func azuraCast(s Station, at time.Time, p place) nowPlaying {
	now := s.now
	np := nowPlaying{
		Station:     s.azStation(p),
		Live:        azLive{IsLive: now.Live || now.State == "live", StreamerName: now.DJ},
		NowPlaying:  azCurrent{azPlay: now.azPlay(p)},
		SongHistory: []azPlay{},
		IsOnline:    now.State != "offline",
		Cache:       "event",
		Wallcast:    wallcastPart{State: now.State, ID: s.ID.String(), Type: now.Type},
	}
	if now.Listeners != nil {
		np.Listeners = azListeners{*now.Listeners, *now.Listeners, *now.Listeners}
	}
	np.NowPlaying.Elapsed = max(0, int64(at.Sub(now.at)/time.Second))
	if now.Duration > 0 {
		np.NowPlaying.Elapsed = min(np.NowPlaying.Elapsed, now.Duration)
		np.NowPlaying.Remaining = now.Duration - np.NowPlaying.Elapsed
	}
	if n := now.Next; n != nil && n.line() != "" {
		starts := at.Unix() + np.NowPlaying.Remaining
		np.PlayingNext = &azNext{CuedAt: starts, PlayedAt: starts, Duration: n.Duration, Song: n.azSong(p)}
	}
	for _, old := range s.history {
		np.SongHistory = append(np.SongHistory, old.azPlay(p))
	}
	return np
}

func (s Station) azStation(p place) azStation {
	name := s.now.Station
	if name == "" {
		name = s.Short
	}
	id := fnv.New32a()
	id.Write([]byte(p.wall + "." + s.Short)) // a hash takes all that is written
	a := azStation{
		ID: id.Sum32() >> 1, Name: name, Shortcode: s.Short, Frontend: "remote", Backend: "none", Timezone: "UTC",
		ListenURL: s.now.Listen, URL: p.page, PublicPlayerURL: p.page, IsPublic: true,
		Mounts: []azMount{}, Remotes: []azMount{},
	}
	if s.now.Listen != "" {
		m := azMount{ID: 1, Name: name, URL: s.now.Listen, IsDefault: true}
		if u, err := url.Parse(s.now.Listen); err == nil {
			m.Path = u.Path
		}
		if n := s.now.Listeners; n != nil {
			m.Listeners = azListeners{*n, *n, *n}
		}
		a.Mounts = append(a.Mounts, m)
	}
	return a
}

func (p play) azPlay(at place) azPlay {
	return azPlay{ShID: p.id, PlayedAt: p.at.Unix(), Duration: p.Duration, Streamer: p.DJ, Song: p.azSong(at)}
}

func (s song) azSong(p place) azSong {
	art := views.AssetURL("icon.svg")
	if s.Art != "" {
		if own := p.picture(s.Art); own != "" {
			art = own
		}
	}
	title := s.Title
	if title == "" {
		title = s.line()
	}
	return azSong{
		ID: songID(s.line()), Art: p.base + art, CustomFields: []string{},
		Text: s.line(), Artist: s.Artist, Title: title, Album: s.Album,
	}
}

// songID is how AzuraCast names a song: by the MD5 of the first 150 characters of
// its text, in lower case and without what differs between spellings.
func songID(text string) string {
	letters := []rune(strings.ToLower(text))
	bare := strings.NewReplacer(" ", "", "-", "", `"`, "", "'", "", "\n", "", "\r", "").Replace(string(letters[:min(len(letters), 150)]))
	sum := md5.Sum([]byte(bare))
	return hex.EncodeToString(sum[:])
}
