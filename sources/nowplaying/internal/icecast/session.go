package icecast

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

const (
	publicPath      = "/status-json.xsl"
	publicStatsPath = "/admin/publicstats.json" // which 2.5 has as well, without a template
	adminPath       = "/admin/stats"

	maxAnswer = 4 << 20 // bytes; a mount takes about 500

	// probeEvery is how often a mount that is not listed is asked for directly,
	// and probeAgain after how long it is once more when it plays.
	probeEvery = time.Minute
	probeAgain = 5 * time.Second
)

// media are the types of what can be listened to.
var media = regexp.MustCompile(`^(?i)(audio|video)/|^(?i)application/ogg`)

// session is what one Watch has found out.
type session struct {
	*server
	admin   bool    // the administrator's status is open to us
	plain   bool    // the public status is publicStatsPath
	version version // of the server
	listed  bool    // the mount was there once

	// What asking for it directly has brought, and when it is asked again.
	plays     bool
	probed    time.Time
	probeWait time.Duration
}

// look asks the server once.
func (s *session) look(ctx context.Context) (upstream.Report, error) {
	st, err := s.status(ctx)
	if err != nil {
		return upstream.Report{}, err
	}
	s.version = st.version
	m, ok, err := s.pick(st.mounts)
	switch {
	case err != nil:
		return upstream.Report{}, err
	case ok:
		s.listed = true
		return m.report(s.Charset), nil
	}
	if err := s.probe(ctx); err != nil {
		return upstream.Report{}, err
	}
	return upstream.Report{State: upstream.Offline}, nil
}

// status returns the best status that is to be had.
func (s *session) status(ctx context.Context) (status, error) {
	if s.admin {
		st, err := s.administration(ctx)
		if err == nil || s.admin {
			return st, err
		}
		s.Warn(fmt.Errorf("%w; only what the server says to everybody is used", err))
	}
	if !s.plain {
		var query url.Values
		if s.mount != "" {
			query = url.Values{"mount": {s.mount}}
		}
		body, err := s.get(ctx, publicPath, query, false)
		if err == nil {
			return parseJSON(body)
		}
		if code, ok := refusal(err); !ok || code >= 500 {
			return status{}, err
		}
		if body, err := s.get(ctx, publicStatsPath, nil, false); err == nil {
			s.plain = true
			return parseJSON(body)
		}
		return status{}, err
	}
	body, err := s.get(ctx, publicStatsPath, nil, false)
	if err != nil {
		return status{}, err
	}
	return parseJSON(body)
}

// administration returns the administrator's status. If that is not for us, it is
// not asked for again.
func (s *session) administration(ctx context.Context) (status, error) {
	body, err := s.get(ctx, adminPath, nil, true)
	code, refused := refusal(err)
	switch {
	case refused && (code == http.StatusUnauthorized || code == http.StatusForbidden):
		s.admin = false
		return status{}, fmt.Errorf("%s refuses the password of the user %q (%w)", s.base.Host, s.User, err)
	case refused && code < 500:
		s.admin = false
		return status{}, fmt.Errorf("%s hides the administrator's status (%w)", s.base.Host, err)
	case err != nil:
		return status{}, err
	}
	st, err := parseXML(body)
	if err == errForeign {
		s.admin = false
		return status{}, fmt.Errorf("something before %s hides the administrator's status (%w)", s.base.Host, err)
	}
	return st, err
}

// pick returns the mount that is meant; false if the server doesn't list it.
func (s *session) pick(mounts []mount) (mount, bool, error) {
	if s.mount != "" {
		i := slices.IndexFunc(mounts, func(m mount) bool { return strings.TrimRight(m.path, "/") == s.mount })
		if i < 0 {
			return mount{}, false, nil
		}
		return mounts[i], true, nil
	}
	switch len(mounts) {
	case 0:
		return mount{}, false, nil
	case 1:
		return mounts[0], true, nil
	}
	var names []string
	for _, m := range mounts[:min(len(mounts), 5)] {
		names = append(names, m.path)
	}
	return mount{}, false, finalError{fmt.Errorf("%s has %d mounts (%s …); say which one with mount", s.base.Host, len(mounts), strings.Join(names, ", "))}
}

// probe asks for a mount that was never listed: a hidden one plays nevertheless,
// which would else be taken for a station that is off the air. Icecast lists a new
// one a little late, so it is asked twice. It counts this as no listener, for it
// ends before it begins to listen.
func (s *session) probe(ctx context.Context) error {
	if s.admin || s.listed || s.mount == "" || time.Since(s.probed) < s.probeWait {
		return nil
	}
	before := s.plays
	s.plays = s.isPlaying(ctx)
	s.probed, s.probeWait = time.Now(), probeEvery
	switch {
	case s.plays && before:
		return finalError{fmt.Errorf("%s plays %s and doesn't list it: the mount is hidden, or another plays in its place; the administrator's password shows it, or its titles can be read from the stream", s.base.Host, s.mount)}
	case s.plays:
		s.probeWait = probeAgain
	}
	return nil
}

// isPlaying reports whether there is something to be heard at the mount.
func (s *session) isPlaying(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, probeAgain)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base.JoinPath(s.mount).String(), nil)
	if err != nil {
		return false
	}
	answer, err := s.Network.Streams.Do(request)
	if err != nil {
		return false
	}
	cancel() // so that closing reads no more of what doesn't end
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK && media.MatchString(answer.Header.Get("Content-Type"))
}

// get fetches one page of the server.
func (s *session) get(ctx context.Context, path string, query url.Values, auth bool) ([]byte, error) {
	address := s.base.JoinPath(path)
	address.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, finalError{err}
	}
	if auth {
		request.SetBasicAuth(s.User, s.Password)
	}
	answer, err := s.Network.Client.Do(request)
	if err != nil {
		return nil, s.asking(path, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, s.asking(path, &statusError{answer.StatusCode, answer.Status})
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, s.asking(path, err)
	case len(body) > maxAnswer:
		return nil, s.asking(path, fmt.Errorf("the answer is larger than %d MiB", maxAnswer>>20))
	}
	return body, nil
}

// asking says what was asked; net/http would say it with the whole address.
func (s *session) asking(path string, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return fmt.Errorf("asking %s for %s: %w", s.base.Host, path, err)
}

// statusError is an answer that is none.
type statusError struct {
	code   int
	status string
}

func (e *statusError) Error() string { return "the server answers " + e.status }

// refusal returns the status of an answer that is none.
func refusal(err error) (code int, ok bool) {
	e, ok := errors.AsType[*statusError](err)
	if !ok {
		return 0, false
	}
	return e.code, true
}

// version is the number of an Icecast, as {2, 5}.
type version struct{ major, minor int }

// parseVersion reads a server_id, as "Icecast 2.4.4".
func parseVersion(id string) version {
	number, ok := strings.CutPrefix(id, "Icecast ")
	parts := strings.SplitN(number, ".", 3)
	if !ok || len(parts) < 2 {
		return version{}
	}
	major, _ := strconv.Atoi(parts[0])
	minor, _ := strconv.Atoi(parts[1])
	return version{major, minor}
}

// tells reports whether the server has an event feed for us.
func (s *session) tells() bool {
	v := s.version
	return s.admin && (v.major > 2 || v.major == 2 && v.minor >= 5)
}
