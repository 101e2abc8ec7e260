package nowplaying

import (
	"context"

	"github.com/wallcast/wallcast/sources"
)

// WithLookup makes a source look for covers with find.
func WithLookup(src sources.Source, find func(artist, title string) string) sources.Source {
	s := *src.(*station)
	s.lookup = finding(find)
	return &s
}

type finding func(artist, title string) string

func (f finding) find(_ context.Context, s song) (string, error) { return f(s.artist, s.title), nil }
