// Package shoutcast learns from a Shoutcast server, version 1 or 2, what it plays,
// by asking for its status again and again: the public one, or, with a password,
// that of version 2's administration. When a song began it can't tell, for the
// server doesn't.
package shoutcast

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/icyhttp"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

const (
	// DefaultEvery is between two looks at the server.
	DefaultEvery = 10 * time.Second

	leastEvery = time.Second
	answerTime = 20 * time.Second
	maxAnswer  = 1 << 20 // bytes

	// patience is how many looks in a row may fail, the next a moment later, before
	// the upstream is given up.
	patience   = 3
	retryAfter = time.Second

	// agent is a browser's name, because version 1 plays the stream to all others.
	agent = "Mozilla/5.0 (compatible; Wallcast)"
)

// Config says which stream of which server.
type Config struct {
	URL     string        // of the server or the stream
	Version int           // 1 or 2; 0: find out
	SID     int           // the stream's number in version 2; 0: what the URL says, else 1
	Charset text.Charset  // of titles
	Every   time.Duration // between two looks; 0: DefaultEvery
	Network sources.Network

	// User and Password are the administrator's, for a version 2 that tells the
	// public nothing. The default user is admin.
	User, Password string

	// Warn, if set, is told that the password is refused while the public status
	// will do. It is called by Watch, in between.
	Warn func(error)
}

// New checks c and makes an upstream of it. A *sources.SettingError says what is
// wrong with it. It connects to nothing.
func New(c Config) (upstream.Upstream, error) {
	base, err := url.Parse(strings.TrimSpace(c.URL))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" {
		return nil, &sources.SettingError{Setting: "shoutcast", Err: errors.New("a Shoutcast server's address is such as http://radio.example:8000")}
	}
	s := &server{Config: c, base: base}
	if sid, err := strconv.Atoi(base.Query().Get("sid")); err == nil && s.SID == 0 {
		s.SID = sid
	}
	base.RawQuery, base.Fragment, base.RawPath = "", "", ""
	base.Path = strings.TrimRight(base.Path, "/")
	if m := streamPath.FindStringSubmatch(base.Path); m != nil {
		if sid, err := strconv.Atoi(m[1]); err == nil && s.SID == 0 {
			s.SID = sid
		}
		base.Path = strings.TrimSuffix(base.Path, m[0])
	}
	if s.SID == 0 {
		s.SID = 1
	}
	if s.Every == 0 {
		s.Every = DefaultEvery
	}
	if s.User == "" {
		s.User = "admin"
	}
	if s.Warn == nil {
		s.Warn = func(error) {}
	}
	switch {
	case s.SID < 0:
		return nil, &sources.SettingError{Setting: "sid", Err: errors.New("a stream's number is 1 or more")}
	case s.Version < 0 || s.Version > 2:
		return nil, &sources.SettingError{Setting: "version", Err: errors.New("the versions of Shoutcast are 1 and 2")}
	case s.Every < leastEvery:
		return nil, &sources.SettingError{Setting: "every", Err: fmt.Errorf("%s is too often; at least %s", s.Every, leastEvery)}
	}
	return s, nil
}

// streamPath is what follows the server's own path: a stream as players are given
// it, or a page.
var streamPath = regexp.MustCompile(`/(?:stream(?:/([0-9]+))?|;.*|stats|statistics|currentsong|7\.html|index\.html|listen\.pls|admin\.cgi)$`)

// server is an upstream.Upstream.
type server struct {
	Config
	base *url.URL // without a slash at its end
}

// page is one that says what is on air.
type page struct {
	path  string // with %d for the stream's number
	parse func([]byte, text.Charset) (upstream.Report, error)
	admin bool // it is for the administrator
}

var (
	viewJSON    = page{path: "/admin.cgi?sid=%d&mode=viewjson&page=1", parse: parseStats, admin: true}
	stats       = page{path: "/stats?sid=%d&json=1", parse: parseStats}
	currentSong = page{path: "/currentsong?sid=%d", parse: parseCurrentSong}
	seven       = page{path: "/7.html?sid=%d", parse: parseSeven} // version 1 has no numbers, and takes one
)

// pages are those to be tried, the one that tells most first. Version 2 has all.
func (s *server) pages() []page {
	all := []page{stats, seven, currentSong}
	switch {
	case s.Version == 1:
		return []page{seven}
	case s.Password != "":
		return append([]page{viewJSON}, all...)
	}
	return all
}

// Watch implements upstream.Upstream.
func (s *server) Watch(ctx context.Context, report func(upstream.Report)) error {
	l := &look{server: s, pages: s.pages()}
	for failed := 0; ; {
		wait := s.Every
		r, err := l.once(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			failed = 0
			report(r)
		default:
			if failed++; failed == patience {
				return err
			}
			wait = min(wait, retryAfter)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// look is what one Watch has found out.
type look struct {
	*server
	pages []page // one, once it is known which
	icy   bool   // the server does not speak HTTP
}

// once asks the server: one page, or all that there may be.
func (l *look) once(ctx context.Context) (upstream.Report, error) {
	var all []error
	for _, p := range l.pages {
		path := fmt.Sprintf(p.path, l.SID)
		body, err := l.get(ctx, path, p.admin)
		if err == nil {
			var r upstream.Report
			if r, err = p.parse(body, l.Charset); err == nil {
				if l.pages[0].admin && !p.admin {
					l.Warn(fmt.Errorf("asking %s for %w; only what the server says to everybody is used", l.base.Host, all[0]))
				}
				l.pages = []page{p}
				return r, nil
			}
		}
		all = append(all, fmt.Errorf("%s: %w", path, err))
		if _, answered := errors.AsType[*statusError](err); !answered && body == nil {
			break // it can't be reached, and won't be by another page
		}
	}
	return upstream.Report{}, fmt.Errorf("asking %s for %w", l.base.Host, joined(all))
}

// joined is all errors in one line.
func joined(all []error) error {
	err := all[0]
	for _, next := range all[1:] {
		err = fmt.Errorf("%w; %w", err, next)
	}
	return err
}

// get fetches a page. It never returns nil for a page that is empty.
func (l *look) get(ctx context.Context, path string, admin bool) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.base.String()+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", agent)
	if admin {
		request.SetBasicAuth(l.User, l.Password)
	}
	answer, err := l.ask(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, &statusError{answer.Status}
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxAnswer:
		return nil, &statusError{"with more than it may; it seems to play the stream"}
	}
	return body, nil
}

func (l *look) ask(request *http.Request) (*http.Response, error) {
	if l.icy {
		return icyhttp.Ask(l.Network, request)
	}
	answer, err := icyhttp.Do(l.Network, l.Network.Client, request)
	l.icy = err == nil && answer.Proto == icyhttp.Proto
	return answer, err
}

// statusError is an answer that is none.
type statusError struct{ status string }

func (e *statusError) Error() string { return "the server answers " + strings.TrimSpace(e.status) }
