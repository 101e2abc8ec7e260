package azuracast

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// nowPlaying is what is needed of the object at /api/nowplaying/{station}.
type nowPlaying struct {
	Station struct {
		Name      string `json:"name"`
		Shortcode string `json:"shortcode"`
	} `json:"station"`
	Listeners struct {
		Current *int `json:"current"`
	} `json:"listeners"`
	Live struct {
		IsLive   bool   `json:"is_live"`
		Streamer string `json:"streamer_name"`
	} `json:"live"`
	NowPlaying *played `json:"now_playing"`
	Next       *played `json:"playing_next"`
	Online     *bool   `json:"is_online"`
}

type played struct {
	ID       json.Number `json:"sh_id"`
	PlayedAt float64     `json:"played_at"` // seconds since 1970
	Duration float64     `json:"duration"`  // seconds, 0 for unknown
	Song     struct {
		Text   string `json:"text"`
		Artist string `json:"artist"`
		Title  string `json:"title"`
		Album  string `json:"album"`
		Art    string `json:"art"`
	} `json:"song"`
}

// Parse reads the object. Addresses in it are relative to base, which may be nil.
func Parse(body []byte, base *url.URL) (upstream.Report, error) {
	r, _, err := parse(body, base)
	return r, err
}

// parse returns the station's short name too.
func parse(body []byte, base *url.URL) (upstream.Report, string, error) {
	var np nowPlaying
	in := json.NewDecoder(bytes.NewReader(body))
	if err := in.Decode(&np); err != nil {
		return upstream.Report{}, "", fmt.Errorf("the answer is not AzuraCast's now-playing object: %w", err)
	}
	if np.NowPlaying == nil && np.Online == nil {
		return upstream.Report{}, "", errors.New("the answer is not AzuraCast's now-playing object: it has no now_playing")
	}
	r := upstream.Report{Live: np.Live.IsLive, DJ: clean(np.Live.Streamer), Listeners: np.Listeners.Current, Station: clean(np.Station.Name)}
	if np.Online != nil && !*np.Online {
		r.State = upstream.Offline
	}
	if np.NowPlaying != nil {
		r.Song = np.NowPlaying.song(base)
	}
	if np.Next != nil {
		next := np.Next.song(base)
		next.PlayID, next.StartedAt = "", time.Time{}
		r.Next = &next
	}
	return r, np.Station.Shortcode, nil
}

func (p *played) song(base *url.URL) upstream.Song {
	s := upstream.Song{
		Artist: clean(p.Song.Artist), Title: clean(p.Song.Title), Album: clean(p.Song.Album),
		Art: resolve(p.Song.Art, base),
	}
	if s.Artist == "" || s.Title == "" {
		s.Text = clean(p.Song.Text)
	}
	if n, err := strconv.ParseInt(p.ID.String(), 10, 64); err == nil && n > 0 {
		s.PlayID = p.ID.String()
	}
	if p.PlayedAt > 0 && p.PlayedAt < 1e11 {
		s.StartedAt = time.Unix(int64(p.PlayedAt), 0).UTC()
	}
	if p.Duration > 0 && p.Duration < 7*24*3600 {
		s.Duration = time.Duration(p.Duration * float64(time.Second))
	}
	return s
}

// clean makes text of a text that is UTF-8 and was meant as it is.
func clean(s string) string { return text.Clean(s, text.Charset{}) }

func resolve(address string, base *url.URL) string {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return ""
	}
	if base != nil {
		u = base.ResolveReference(u)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return u.String()
}

// frame is one message of the event stream, of which there are three kinds: the
// answer to the connection, a publication, and a ping, which is empty.
type frame struct {
	Connect *struct {
		Subs map[string]struct {
			Publications []publication `json:"publications"`
		} `json:"subs"`
		Ping float64 `json:"ping"` // seconds
	} `json:"connect"`
	Channel    string       `json:"channel"`
	Pub        *publication `json:"pub"`
	Disconnect *struct {
		Reason string `json:"reason"`
	} `json:"disconnect"`
}

type publication struct {
	Data struct {
		NP json.RawMessage `json:"np"`
	} `json:"data"`
}

// newest returns the newest now-playing object that a frame brings of a channel;
// nil when it brings none.
func (f frame) newest(channel string) []byte {
	if f.Pub != nil && f.Channel == channel {
		return f.Pub.Data.NP
	}
	if f.Connect == nil {
		return nil
	}
	if all := f.Connect.Subs[channel].Publications; len(all) > 0 {
		return all[len(all)-1].Data.NP
	}
	return nil
}
