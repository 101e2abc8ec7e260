package nowplaying

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/time/rate"
)

// catalogue is MusicBrainz, the Cover Art Archive and iTunes as far as they are asked.
func catalogue(t *testing.T) (*httptest.Server, *atomic.Int64) {
	asked := new(atomic.Int64)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws/2/recording", func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch query := r.URL.Query().Get("query"); {
		case query == `recording:"Say \"No\"" AND artist:"A"`:
			fmt.Fprint(w, `{"recordings":[{"score":100,"releases":[{"id":"bare"},{"id":"page"},{"id":"covered"}]},{"score":50,"releases":[{"id":"other"}]}]}`)
		case strings.Contains(query, "Faint"):
			fmt.Fprint(w, `{"recordings":[{"score":60,"releases":[{"id":"covered"}]}]}`)
		case strings.Contains(query, "Busy"):
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			fmt.Fprint(w, `{"recordings":[]}`)
		}
	})
	mux.HandleFunc("HEAD /release/{id}/front-250", func(w http.ResponseWriter, r *http.Request) {
		switch r.PathValue("id") {
		case "covered":
			w.Header().Set("Content-Type", "image/jpeg")
		case "page":
			w.Header().Set("Content-Type", "text/html")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	mux.HandleFunc("GET /search", func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Query().Get("term") != "A One" {
			fmt.Fprint(w, `{"results":[]}`)
			return
		}
		fmt.Fprint(w, `{"results":[
			{"artistName":"A Tribute","trackName":"One","artworkUrl100":"https://x.example/wrong/100x100bb.jpg"},
			{"artistName":"a","trackName":"One (Remastered)","artworkUrl100":"https://x.example/right/100x100bb.jpg"}]}`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server, asked
}

func named(artist, title string) song {
	return song{artist: artist, title: title, text: artist + " - " + title}
}

func TestMusicBrainz(t *testing.T) {
	server, asked := catalogue(t)
	f := &remembering{finder: musicBrainzFinder{server.Client(), server.URL, server.URL, rate.NewLimiter(rate.Inf, 1)}}
	for range 2 {
		for title, want := range map[string]string{
			`Say "No"`: server.URL + "/release/covered/front-250",
			"Faint":    "", // it isn't sure
			"Nothing":  "",
		} {
			if got, err := f.find(t.Context(), named("A", title)); got != want || err != nil {
				t.Errorf("%s: %q, %v; want %q", title, got, err, want)
			}
		}
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("three songs were looked up %d times", n)
	}
	if _, err := f.find(t.Context(), named("A", "Busy")); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a busy service: %v", err)
	}
}

func TestITunes(t *testing.T) {
	server, _ := catalogue(t)
	f := iTunesFinder{server.Client(), server.URL, rate.NewLimiter(rate.Inf, 1)}
	if got, err := f.find(t.Context(), named("A", "One")); got != "https://x.example/right/300x300bb.jpg" || err != nil {
		t.Errorf("it finds %q, %v", got, err)
	}
	if got, err := f.find(t.Context(), named("B", "Two")); got != "" || err != nil {
		t.Errorf("of an unknown song it finds %q, %v", got, err)
	}
}

func TestPace(t *testing.T) {
	for name, pace := range map[string]*rate.Limiter{"MusicBrainz": musicBrainzPace, "iTunes": iTunesPace} {
		if pace.Limit() > 1 || pace.Burst() != 1 {
			t.Errorf("%s is asked %v times a second, %d at once", name, pace.Limit(), pace.Burst())
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	server, asked := catalogue(t)
	f := iTunesFinder{server.Client(), server.URL, rate.NewLimiter(1, 1)}
	if _, err := f.find(ctx, named("A", "One")); err == nil || asked.Load() != 0 {
		t.Errorf("after the end it has asked %d times: %v", asked.Load(), err)
	}
}

func TestLookupIsOffByDefault(t *testing.T) {
	s := Type.New().(*Settings)
	if f := s.finder(nil); f != nil {
		t.Errorf("by default covers are looked for by %T", f)
	}
	for _, service := range []string{"musicbrainz", "itunes"} {
		if s.Lookup = service; s.finder(nil) == nil {
			t.Errorf("%s is not asked", service)
		}
	}
}
