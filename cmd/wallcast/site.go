package main

import (
	"log/slog"
	"sync/atomic"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/onair"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/plugincard"
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/jetstream"
	"github.com/wallcast/wallcast/views"
)

// site is what the parts of the program look up in the configuration while it
// may be replaced.
type site struct {
	image func(address string) string // where pages find a picture; see views.Wall
	cards *plugincard.Folder          // the templates that plugins have brought
	now   atomic.Pointer[siteState]
}

// siteState is one configuration, prepared. It never changes.
type siteState struct {
	cfg   *config.Config
	walls map[string]siteWall
	hooks map[string]hookSource
}

type siteWall struct {
	config config.Wall
	view   views.Wall
}

func newSite(cfg *config.Config, image func(address string) string, log *slog.Logger) *site {
	s := &site{image: image, cards: plugincard.NewFolder(log)}
	s.apply(cfg)
	return s
}

func (s *site) apply(cfg *config.Config) {
	state := &siteState{cfg: cfg, walls: make(map[string]siteWall, len(cfg.Walls)), hooks: map[string]hookSource{}}
	for _, w := range cfg.Walls {
		state.walls[w.Name] = siteWall{w, s.viewOf(w)}
	}
	for _, instance := range cfg.Instances() {
		if receiver, ok := instance.Source.(sources.Receiver); ok {
			state.hooks[instance.Name] = hookSource{instance.Name, receiver, instance}
		}
	}
	s.cards.Open(cfg.Plugins)
	s.now.Store(state)
}

func (s *site) viewOf(w config.Wall) views.Wall {
	kinds := make(map[string]views.Kind, len(w.Kinds))
	for _, k := range w.Kinds {
		kinds[k.Name] = views.Kind{Label: k.Label, Icon: k.Icon, Color: k.Color, Slot: k.Slot}
	}
	return views.Wall{Name: w.Name, Title: w.Title, Lang: w.Lang, Kinds: kinds, Image: s.image, Body: s.cards.Body}
}

func (s *site) config() *config.Config { return s.now.Load().cfg }

// first is the wall that counts where none is named.
func (s *site) first() string { return s.config().Walls[0].Name }

func (s *site) wall(name string) (siteWall, bool) {
	w, ok := s.now.Load().walls[name]
	return w, ok
}

func (s *site) has(name string) bool {
	_, ok := s.wall(name)
	return ok
}

// names lists the walls in the configuration's order.
func (s *site) names() []string {
	var names []string
	for _, w := range s.config().Walls {
		names = append(names, w.Name)
	}
	return names
}

// wallOfStation is the wall to which a source sends what is on air at a station.
func (s *site) wallOfStation(short string) (string, bool) {
	for _, source := range s.config().Sources {
		if source.To.Kind == onair.Kind && source.To.Key == short {
			return source.To.Wall, true
		}
	}
	return "", false
}

func (s *site) limit(name string) (int, bool) {
	w, ok := s.wall(name)
	return int(w.config.Payload), ok
}

// label is what a kind is called on pages.
func (s *site) label(wall, kind string) string {
	w, _ := s.wall(wall)
	return w.view.Label(kind)
}

// card renders an event for pages that are open.
func (s *site) card(e stream.Event) ([]byte, error) {
	w, _ := s.wall(e.Subject.Wall)
	return views.RenderCard(w.view, e)
}

// storeWalls is what the store needs to know of the walls.
func storeWalls(cfg *config.Config) []jetstream.Wall {
	walls := make([]jetstream.Wall, len(cfg.Walls))
	for i, w := range cfg.Walls {
		walls[i] = jetstream.Wall{
			Name: w.Name, Events: w.Keep.Events, Age: w.Keep.Age, Bytes: int64(w.Keep.Bytes),
			History: w.History, Payload: int(w.Payload),
		}
	}
	return walls
}
