// Package onair answers what is on air: the events of kind song of the walls, in
// the shape and under the addresses that existing radio players read, as plain
// text, and as a history. What it says comes from the same window in memory as
// the viewers' streams, so page, JSON and text agree.
//
// # Addresses
//
//	/walls/WALL/nowplaying            an array of the wall's stations
//	/walls/WALL/nowplaying/STATION    one of them; STATION.json, STATION.txt and STATION/history as well
//	/api/nowplaying[/STATION]         AzuraCast's own, of all walls that the caller may read
//	/api/nowplaying_static/STATION.json
//	/api/nowplaying/STATION/art       leads to the cover
//	/api/live/nowplaying/sse          AzuraCast's push: a Centrifugo server's framing
package onair

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/sse"
)

// Streams is what this package needs of the SSE side.
type Streams interface {
	Snapshot(ctx context.Context, wall string, last int, kinds []string) (sse.Snapshot, error)
	Since(ctx context.Context, wall string, after stream.ID, kinds []string) (sse.News, error)
	Await(ctx context.Context, wall string, after stream.ID, kinds []string) (sse.News, error)
}

// Config is what a Server needs. All fields must be set.
type Config struct {
	Streams Streams

	// Walls lists the walls, in the configuration's order.
	Walls func() []string

	// Guard protects a handler whose request has the path value wall, and answers
	// for it where the caller may not read.
	Guard func(http.Handler) http.Handler

	// MayRead reports whether a caller may read a wall.
	MayRead func(r *http.Request, wall string) *access.Problem

	// Station returns the wall whose configuration names a station, for one that
	// nobody has heard of yet.
	Station func(short string) (wall string, ok bool)

	// Picture returns the path on this host under which a player finds a picture
	// that an event names; "" for one that may not be shown.
	Picture func(address string) string

	// Base returns scheme and host as the visitor sees them.
	Base func(*http.Request) string

	Log *slog.Logger
}

// Server answers. Its methods may be called concurrently.
type Server struct {
	cfg    Config
	boards boards

	stopping context.Context
	stop     context.CancelFunc
}

// New makes a Server. Close ends it.
func New(cfg Config) *Server {
	stopping, stop := context.WithCancel(context.Background())
	return &Server{cfg: cfg, stopping: stopping, stop: stop, boards: boards{streams: cfg.Streams, walls: map[string]*kept{}}}
}

// Close ends the streams; their requests return soon.
func (s *Server) Close() { s.stop() }

// Register adds the routes to mux.
func (s *Server) Register(mux *http.ServeMux) {
	guarded := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, s.cfg.Guard(get(h))) }
	guarded("/walls/{wall}/nowplaying", s.wall)
	guarded("/walls/{wall}/nowplaying/{station}", s.station)
	guarded("/walls/{wall}/nowplaying/{station}/history", s.history)
	mux.HandleFunc("GET /api/nowplaying", s.all)
	mux.HandleFunc("/api/nowplaying/{station}", s.find(s.station))
	mux.HandleFunc("/api/nowplaying_static/{station}", s.find(s.station))
	mux.HandleFunc("GET /api/nowplaying/{station}/art", s.find(s.art))
	mux.HandleFunc("GET /api/live/nowplaying/sse", s.live)
}

func (s *Server) place(r *http.Request, wall string) place {
	base := s.cfg.Base(r)
	return place{base, wall, base + "/walls/" + wall, s.cfg.Picture}
}

// read returns a wall's board, or has answered why not.
func (s *Server) read(w http.ResponseWriter, r *http.Request, wall string) (*board, bool) {
	b, _, err := s.boards.get(r.Context(), wall)
	switch {
	case err == nil:
		return b, true
	case errors.Is(err, stream.ErrUnknownWall):
		(&access.Problem{Status: http.StatusNotFound, Detail: fmt.Sprintf("There is no wall %.80q here.", wall)}).Write(w)
	case r.Context().Err() == nil:
		s.cfg.Log.Error("what is on air was not read", "wall", wall, "error", err)
		(&access.Problem{Status: http.StatusServiceUnavailable, RetryAfter: 5 * time.Second, Detail: "The store can't be read at the moment; try again."}).Write(w)
	}
	return nil, false
}

// wall answers with all stations of a wall.
func (s *Server) wall(w http.ResponseWriter, r *http.Request) {
	if b, ok := s.read(w, r, r.PathValue("wall")); ok {
		writeJSON(w, s.shapes(b, r, r.PathValue("wall")))
	}
}

func (s *Server) shapes(b *board, r *http.Request, wall string) []nowPlaying {
	all := []nowPlaying{}
	for _, station := range b.stations {
		all = append(all, azuraCast(station, time.Now(), s.place(r, wall)))
	}
	return all
}

// all answers with all stations of all walls that the caller may read.
func (s *Server) all(w http.ResponseWriter, r *http.Request) {
	all := []nowPlaying{}
	for _, wall := range s.cfg.Walls() {
		if s.cfg.MayRead(r, wall) != nil {
			continue
		}
		b, _, err := s.boards.get(r.Context(), wall)
		if err != nil {
			continue // the others count
		}
		all = append(all, s.shapes(b, r, wall)...)
	}
	w.Header().Set("Access-Control-Allow-Origin", "*") // without a token only public walls are in it
	writeJSON(w, all)
}

// known returns the station that a request names, or has answered that there is
// none.
func (s *Server) known(w http.ResponseWriter, r *http.Request) (station Station, form string, ok bool) {
	b, ok := s.read(w, r, r.PathValue("wall"))
	if !ok {
		return Station{}, "", false
	}
	short, form, _ := strings.Cut(r.PathValue("station"), ".")
	station, ok = b.station(short)
	if !ok || form != "" && form != "json" && form != "txt" {
		var names []string
		for _, other := range b.stations {
			names = append(names, other.Short)
		}
		detail := fmt.Sprintf("Nothing has said yet what is on air at %.80q", r.PathValue("station"))
		if len(names) > 0 {
			detail += "; the wall has " + strings.Join(names, ", ")
		}
		(&access.Problem{Status: http.StatusNotFound, Detail: detail + "."}).Write(w)
		return Station{}, "", false
	}
	return station, form, true
}

// station answers with one station.
func (s *Server) station(w http.ResponseWriter, r *http.Request) {
	station, form, ok := s.known(w, r)
	switch {
	case !ok:
	case form == "txt":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		// An error means that the caller has gone.
		_, _ = fmt.Fprintln(w, station.now.line())
	default:
		writeJSON(w, azuraCast(station, time.Now(), s.place(r, r.PathValue("wall"))))
	}
}

// history answers with the songs before the current one.
func (s *Server) history(w http.ResponseWriter, r *http.Request) {
	if station, _, ok := s.known(w, r); ok {
		writeJSON(w, azuraCast(station, time.Now(), s.place(r, r.PathValue("wall"))).SongHistory)
	}
}

// art leads to the cover of the current song.
func (s *Server) art(w http.ResponseWriter, r *http.Request) {
	if station, _, ok := s.known(w, r); ok {
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, azuraCast(station, time.Now(), s.place(r, r.PathValue("wall"))).NowPlaying.Song.Art, http.StatusFound)
	}
}

// find answers for the wall that has the station; AzuraCast's addresses don't
// name one.
func (s *Server) find(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		wall, found := s.wallOf(r, r.PathValue("station"))
		if !found {
			(&access.Problem{Status: http.StatusNotFound, Detail: fmt.Sprintf("Nothing has said yet what is on air at %.80q.", r.PathValue("station"))}).Write(w)
			return
		}
		r.SetPathValue("wall", wall)
		s.cfg.Guard(get(next)).ServeHTTP(w, r)
	}
}

// get answers no other method than GET and HEAD; the guard has answered OPTIONS.
func get(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			(&access.Problem{Status: http.StatusMethodNotAllowed, Detail: "What is on air can be read alone."}).Write(w)
			return
		}
		next(w, r)
	})
}

// wallOf returns the first wall that the caller may read and that has the
// station.
func (s *Server) wallOf(r *http.Request, name string) (string, bool) {
	short, _, _ := strings.Cut(name, ".")
	walls := s.cfg.Walls()
	i := slices.IndexFunc(walls, func(wall string) bool {
		if s.cfg.MayRead(r, wall) != nil {
			return false
		}
		b, _, err := s.boards.get(r.Context(), wall)
		if err != nil {
			return false
		}
		_, ok := b.station(short)
		return ok
	})
	if i >= 0 {
		return walls[i], true
	}
	wall, ok := s.cfg.Station(short)
	return wall, ok && s.cfg.MayRead(r, wall) == nil
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	_ = out.Encode(v) // an error means that the caller has gone
}
