// Package icecast learns from an Icecast server what a mount plays: from its
// public status, or, with a password, from the administrator's, which also knows
// hidden mounts and is always well-formed. Icecast 2.5 says at once when something
// changes; older ones are asked again and again.
//
// What Icecast doesn't keep can't be told here: when a song began, what comes
// next, and whether "A - B - C" is a title or an artist that a source client gave
// once, which Icecast then puts before every title.
package icecast

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

const (
	// DefaultEvery and LeastEvery are between two looks at the server.
	DefaultEvery = 10 * time.Second
	LeastEvery   = time.Second

	defaultUser = "admin"

	// patience is how many looks in a row may fail, the next a moment later, before
	// the upstream is given up: a server that starts answers nonsense for a while.
	patience   = 3
	retryAfter = time.Second

	// calm is how often a server is asked that says by itself what changes; the
	// number of listeners is then what is old.
	calm = 30 * time.Second

	// settle is how long after the news of a change the server is asked, which may
	// count together what belongs together, and how long a busy one is left alone.
	settle = 300 * time.Millisecond
)

// Config says which mount of which server.
type Config struct {
	// URL is the address of the server, or of the stream; its path is the mount
	// then, unless Mount is set. It may hold user and password.
	URL string

	// Mount is the mount point, as /live.mp3. It may be empty where the server has
	// just one.
	Mount string

	// User and Password are the administrator's. Without a password only what is
	// public is seen. The default user is admin.
	User, Password string

	Every   time.Duration // between two looks; 0: DefaultEvery
	Charset text.Charset  // of titles, where the server takes it for Latin-1

	Network sources.Network

	// Warn, if set, is told of what is in the way and not in the end, as a password
	// that is refused. It is called by Watch, in between.
	Warn func(error)
}

// New checks c and makes an upstream of it. A *sources.SettingError says what is
// wrong with it. It connects to nothing.
func New(c Config) (upstream.Upstream, error) {
	u := &server{Config: c}
	if u.Every == 0 {
		u.Every = DefaultEvery
	}
	if u.Every < LeastEvery {
		return nil, &sources.SettingError{Setting: "every", Err: fmt.Errorf("%s is too often; at least %s", u.Every, LeastEvery)}
	}
	if u.Warn == nil {
		u.Warn = func(error) {}
	}
	if err := u.locate(); err != nil {
		return nil, err
	}
	if u.User == "" {
		u.User = defaultUser
	}
	return u, nil
}

// server is an upstream.Upstream.
type server struct {
	Config
	base  *url.URL // without a slash at its end
	mount string   // "": the only one
}

// locate tells the server's address from the mount.
func (u *server) locate() error {
	base, err := url.Parse(strings.TrimSpace(u.URL))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" {
		return &sources.SettingError{Setting: "icecast", Err: fmt.Errorf("an Icecast server's address is http://radio.example:8000, perhaps with the mount behind it")}
	}
	if password, ok := base.User.Password(); ok && u.Password == "" {
		u.User, u.Password = base.User.Username(), password
	}
	base.User, base.RawQuery, base.Fragment, base.RawPath = nil, "", "", ""
	path := strings.TrimRight(base.Path, "/")
	for _, page := range []string{publicPath, "/status.xsl", "/admin/stats", "/admin", publicStatsPath} {
		path = strings.TrimSuffix(path, page)
	}
	u.mount = u.Mount
	switch {
	case u.mount == "":
		u.mount, path = path, "" // which is the mount, if there is any
	case !strings.HasPrefix(u.mount, "/"):
		u.mount = "/" + u.mount
		fallthrough
	default:
		path = strings.TrimSuffix(path, strings.TrimRight(u.mount, "/"))
	}
	u.mount = strings.TrimRight(u.mount, "/")
	base.Path = path
	u.base = base
	return nil
}

// Watch implements upstream.Upstream.
func (u *server) Watch(ctx context.Context, report func(upstream.Report)) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()

	s := &session{server: u, admin: u.Password != ""}
	news := newFeed(s)
	for failed := 0; ; {
		wait := u.Every
		r, err := s.look(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			failed = 0
			report(r)
			if s.tells() && news.begin() {
				running.Go(func() { news.follow(ctx) })
			}
			if news.connected.Load() {
				wait = max(wait, calm)
			}
		default:
			if failed++; failed == patience || isFinal(err) {
				return err
			}
			wait = min(wait, retryAfter)
		}
		if !pause(ctx, wait, news.wake) {
			return ctx.Err()
		}
	}
}

// pause waits for d, or until a moment after something woke it. It returns false
// when ctx ended.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	case <-wake:
	}
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return false
	}
	select {
	case <-wake: // the same look is for it
	default:
	}
	return true
}

// finalError is one that looking again does not help.
type finalError struct{ error }

func isFinal(err error) bool {
	_, ok := err.(finalError)
	return ok
}
