package nowplaying

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// finder looks for covers elsewhere.
type finder interface {
	// find returns the address of a song's cover; "" when there is none.
	find(ctx context.Context, s song) (string, error)
}

// The services ask for no more than this of all that one program does.
var (
	musicBrainzPace = rate.NewLimiter(rate.Every(1100*time.Millisecond), 1)
	iTunesPace      = rate.NewLimiter(rate.Every(3*time.Second), 1)
)

const (
	musicBrainz     = "https://musicbrainz.org"
	coverArtArchive = "https://coverartarchive.org"
	iTunes          = "https://itunes.apple.com"
)

// maxFound is how many covers are remembered, those that were not found too.
const maxFound = 1000

// finder is what the settings want; nil for none.
func (s *Settings) finder(client *http.Client) finder {
	switch s.Lookup {
	case "musicbrainz":
		return &remembering{finder: musicBrainzFinder{client, musicBrainz, coverArtArchive, musicBrainzPace}}
	case "itunes":
		return &remembering{finder: iTunesFinder{client, iTunes, iTunesPace}}
	}
	return nil
}

// seek looks for the cover of the song on air, once.
func (r *run) seek(ctx context.Context) {
	p := r.current
	if r.lookup == nil || p == nil || p.art != "" || p.id == r.sought || p.kind != typeSong || p.artist == "" || p.title == "" {
		return
	}
	r.sought = p.id
	id, song := p.id, p.song
	r.workers.Go(func() {
		address, err := r.lookup.find(ctx, song)
		if err != nil {
			r.out.Log().Debug("looking for a cover", "song", song.text, "error", err)
			return
		}
		if address = r.remote(address); address != "" && len(address) <= maxAddress {
			r.inbox.put(notice{play: id, cover: address})
		}
	})
}

// remembering asks a finder once for each song.
type remembering struct {
	finder
	mu    sync.Mutex
	found map[string]string
}

func (m *remembering) find(ctx context.Context, s song) (string, error) {
	k := key(s.text)
	m.mu.Lock()
	address, ok := m.found[k]
	m.mu.Unlock()
	if ok {
		return address, nil
	}
	address, err := m.finder.find(ctx, s)
	if err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.found == nil || len(m.found) >= maxFound {
		m.found = map[string]string{}
	}
	m.found[k] = address
	return address, nil
}

// musicBrainzFinder finds the releases with a recording at MusicBrainz, and the
// cover of one at the Cover Art Archive.
type musicBrainzFinder struct {
	client             *http.Client
	catalogue, archive string
	pace               *rate.Limiter
}

func (f musicBrainzFinder) find(ctx context.Context, s song) (string, error) {
	query := "recording:" + phrase(s.title) + " AND artist:" + phrase(s.artist)
	if s.album != "" {
		query += " AND release:" + phrase(s.album)
	}
	var answer struct {
		Recordings []struct {
			Score    int `json:"score"`
			Releases []struct {
				ID string `json:"id"`
			} `json:"releases"`
		} `json:"recordings"`
	}
	address := f.catalogue + "/ws/2/recording?" + url.Values{"query": {query}, "fmt": {"json"}, "limit": {"3"}}.Encode()
	if err := ask(ctx, f.client, f.pace, address, &answer); err != nil {
		return "", err
	}
	const most = 5 // releases that are asked for a cover
	asked := 0
	for _, recording := range answer.Recordings {
		for _, release := range recording.Releases {
			if recording.Score < 90 || asked == most {
				return "", nil
			}
			asked++
			cover := f.archive + "/release/" + url.PathEscape(release.ID) + "/front-250"
			if ok, err := f.has(ctx, cover); ok || err != nil {
				return cover, err
			}
		}
	}
	return "", nil
}

// has reports whether there is a picture at an address.
func (f musicBrainzFinder) has(ctx context.Context, address string) (bool, error) {
	if err := f.pace.Wait(ctx); err != nil {
		return false, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return false, err
	}
	answer, err := f.client.Do(request)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK && isPicture(answer.Header.Get("Content-Type")), nil
}

// phrase quotes a text for a query.
func phrase(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// iTunesFinder finds covers in Apple's catalogue.
type iTunesFinder struct {
	client  *http.Client
	address string
	pace    *rate.Limiter
}

func (f iTunesFinder) find(ctx context.Context, s song) (string, error) {
	var answer struct {
		Results []struct {
			Artist  string `json:"artistName"`
			Title   string `json:"trackName"`
			Artwork string `json:"artworkUrl100"`
		} `json:"results"`
	}
	address := f.address + "/search?" + url.Values{"term": {s.artist + " " + s.title}, "media": {"music"}, "entity": {"song"}, "limit": {"10"}}.Encode()
	if err := ask(ctx, f.client, f.pace, address, &answer); err != nil {
		return "", err
	}
	for _, found := range answer.Results {
		// The search is generous; another artist's cover is worse than none.
		if key(found.Artist) == key(s.artist) && found.Artwork != "" && strings.HasPrefix(key(found.Title), key(s.title)) {
			return strings.Replace(found.Artwork, "/100x100bb.", "/300x300bb.", 1), nil
		}
	}
	return "", nil
}

// ask gets JSON from a service.
func ask(ctx context.Context, client *http.Client, pace *rate.Limiter, address string, answer any) error {
	if err := pace.Wait(ctx); err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", request.URL.Host, response.Status)
	}
	return json.NewDecoder(io.LimitReader(response.Body, 2<<20)).Decode(answer)
}
