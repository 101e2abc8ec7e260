package icecast

import (
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// Hasten makes u look more often than a configuration may ask for.
func Hasten(u upstream.Upstream, every time.Duration) { u.(*server).Every = every }
