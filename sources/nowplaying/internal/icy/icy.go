// Package icy takes titles out of an audio stream, where servers put them for
// players that ask. The audio is read and thrown away, so this costs what a
// listener costs, and counts as one. It brings a title when listeners hear it, but
// for what their players hold ready.
package icy

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

const (
	// DefaultEvery is how often a stream is tried that is off the air.
	DefaultEvery = 5 * time.Second

	// DefaultStall is for how long a stream may bring nothing.
	DefaultStall = 30 * time.Second

	leastEvery = time.Second

	// patience is how many connections in a row may bring nothing, each a moment
	// after the other, before the upstream is given up.
	patience   = 3
	retryAfter = time.Second
)

// Config says which stream.
type Config struct {
	URL     string        // of an MP3 or AAC stream, or of a playlist (m3u, pls) with it
	Charset text.Charset  // of titles
	Every   time.Duration // between two tries while the station is off; 0: DefaultEvery
	Stall   time.Duration // 0: DefaultStall
	Network sources.Network
}

// New checks c and makes an upstream of it. A *sources.SettingError says what is
// wrong with it. It connects to nothing.
func New(c Config) (upstream.Upstream, error) {
	address, err := url.Parse(strings.TrimSpace(c.URL))
	if err != nil || address.Scheme != "http" && address.Scheme != "https" || address.Hostname() == "" {
		return nil, &sources.SettingError{Setting: "icy", Err: errors.New("the address of a stream is such as http://radio.example:8000/live.mp3")}
	}
	address.Fragment = ""
	s := &stream{Config: c, address: address}
	if s.Every == 0 {
		s.Every = DefaultEvery
	}
	if s.Every < leastEvery {
		return nil, &sources.SettingError{Setting: "every", Err: fmt.Errorf("%s is too often; at least %s", s.Every, leastEvery)}
	}
	if s.Stall <= 0 {
		s.Stall = DefaultStall
	}
	return s, nil
}

// stream is an upstream.Upstream.
type stream struct {
	Config
	address *url.URL
}

var (
	errOff     = errors.New("the station is off the air")
	errStalled = errors.New("the stream brings nothing any more")
)

// finalError is one that connecting again does not help.
type finalError struct{ error }

// Watch implements upstream.Upstream.
func (s *stream) Watch(ctx context.Context, report func(upstream.Report)) error {
	for failed := 0; ; {
		began := time.Now()
		heard, err := s.listen(ctx, report)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait := retryAfter
		_, final := err.(finalError)
		switch {
		case final:
			return s.named(err)
		case err == errOff:
			failed, wait = 0, s.Every
			report(upstream.Report{State: upstream.Offline})
		case heard:
			failed = 0
			if time.Since(began) < s.Every {
				wait = s.Every // a server that ends what it began is not to be pressed
			}
		default:
			if failed++; failed == patience {
				return s.named(err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// named is err with the place where it happened.
func (s *stream) named(err error) error {
	return fmt.Errorf("listening to %s%s: %w", s.address.Host, s.address.Path, err)
}
