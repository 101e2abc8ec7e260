package main

import (
	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/feed"
	"github.com/wallcast/wallcast/sources/file"
	"github.com/wallcast/wallcast/sources/nats"
	"github.com/wallcast/wallcast/sources/nowplaying"
	"github.com/wallcast/wallcast/sources/poll"
	"github.com/wallcast/wallcast/sources/sse"
	"github.com/wallcast/wallcast/sources/webhook"
)

// sourceTypes are the kinds of sources that a configuration can name. A source
// of your own is one line more.
var sourceTypes = register(
	feed.Type,
	file.Type,
	nats.Type,
	nowplaying.Type,
	plugins.Type(),
	poll.Type,
	sse.Type,
	withMaps(webhook.Type, webhook.Maps()),
)

// withMaps gives a type its ready maps.
func withMaps(t sources.Type, maps map[string]string) sources.Type {
	t.Maps = maps
	return t
}

// register returns types in the order of their names. One without a name or
// settings, and a name given twice, are mistakes in the list above: no program
// that has one should start.
func register(types ...sources.Type) []sources.Type {
	registry, err := sources.NewRegistry(types...)
	if err != nil {
		panic(err)
	}
	return registry.Types()
}
