package icy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/icyhttp"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

const (
	maxInterval = 16 << 20 // bytes of audio between two titles
	bufferSize  = 8 << 10
)

// listen connects, and reports until the stream ends, which is always an error.
// heard says whether there was a title or the news that there is none.
func (s *stream) listen(ctx context.Context, report func(upstream.Report)) (heard bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dog := &watchdog{after: s.Stall, timer: time.AfterFunc(s.Stall, func() { cancel(errStalled) })}
	defer dog.timer.Stop()
	defer func() {
		if err != nil && context.Cause(ctx) == errStalled {
			err = fmt.Errorf("%w, for %v", errStalled, s.Stall)
		}
	}()
	answer, err := s.find(ctx)
	if err != nil {
		return false, err
	}
	defer func() {
		cancel(nil) // so that closing reads no more of what doesn't end
		answer.Body.Close()
	}()
	interval, err := titleInterval(answer)
	if err != nil {
		return false, err
	}
	dog.r = answer.Body
	station := text.Clean(answer.Header.Get("Icy-Name"), s.Charset)
	return s.read(dog, interval, upstream.Report{Station: station}, report)
}

// find opens the stream, which may stand in a playlist.
func (s *stream) find(ctx context.Context) (*http.Response, error) {
	answer, err := s.open(ctx, s.address)
	if err != nil {
		return nil, err
	}
	kind := playlistKind(answer)
	if kind == "" {
		return answer, nil
	}
	next, err := readPlaylist(ctx, answer, kind)
	answer.Body.Close()
	if err != nil {
		return nil, err
	}
	if answer, err = s.open(ctx, next); err != nil {
		return nil, err
	}
	if playlistKind(answer) != "" {
		answer.Body.Close()
		return nil, finalError{errors.New("the playlist leads to another playlist; give the address of the stream")}
	}
	return answer, nil
}

// open asks for a stream.
func (s *stream) open(ctx context.Context, address *url.URL) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, finalError{err}
	}
	request.Header["Icy-MetaData"] = []string{"1"} // as every player spells it
	request.Header.Set("Accept-Encoding", "identity")
	answer, err := icyhttp.Do(s.Network, s.Network.Streams, request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	answer.Body.Close()
	if isOff(answer) {
		return nil, errOff
	}
	return nil, fmt.Errorf("the server answers %s", strings.TrimSpace(answer.Status))
}

// isOff reports whether an answer means that nobody feeds the stream: a server for
// streams doesn't find it, or has nothing to send. Elsewhere the address is wrong.
func isOff(answer *http.Response) bool {
	icy := answer.Proto == icyhttp.Proto
	switch answer.StatusCode {
	case http.StatusNotFound, http.StatusServiceUnavailable:
		server := strings.ToLower(answer.Header.Get("Server") + answer.Header.Get("Icy-Notice2"))
		return icy || strings.Contains(server, "icecast") || strings.Contains(server, "shoutcast")
	case http.StatusUnauthorized:
		return icy // Shoutcast says so: 401 Service Unavailable
	}
	return false
}

var ogg = regexp.MustCompile(`(?i)^(audio|video|application)/(ogg|opus|x-ogg)`)

// titleInterval returns how many bytes of audio there are between two titles.
func titleInterval(answer *http.Response) (int, error) {
	if given := strings.TrimSpace(answer.Header.Get("Icy-Metaint")); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 || n > maxInterval {
			return 0, finalError{fmt.Errorf("its titles come every %.20q bytes, which can't be", given)}
		}
		return n, nil
	}
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch {
	case ogg.MatchString(kind):
		return 0, finalError{errors.New("this is Ogg, which has its titles inside the audio and not beside it; ask the server instead, with icecast")}
	case strings.HasPrefix(kind, "text/"):
		return 0, finalError{fmt.Errorf("this is %s and no stream; give the address that players use", kind)}
	}
	return 0, finalError{errors.New("the server sends no titles within the stream (there is no icy-metaint)")}
}

// read takes titles out of a stream until it ends.
func (s *stream) read(r io.Reader, interval int, now upstream.Report, report func(upstream.Report)) (heard bool, err error) {
	buffer := bufio.NewReaderSize(r, bufferSize)
	var block [255 * 16]byte
	for {
		if err := discard(buffer, interval); err != nil {
			return heard, err
		}
		length, err := buffer.ReadByte()
		if err != nil {
			return heard, err
		}
		raw := block[:int(length)*16]
		if _, err := io.ReadFull(buffer, raw); err != nil {
			return heard, err
		}
		if song, ok := parseBlock(raw, s.Charset); ok {
			now.Song = song
		}
		heard = true
		report(now)
	}
}

func discard(r *bufio.Reader, n int) error {
	_, err := r.Discard(n)
	if err == io.EOF {
		return errors.New("the stream has ended")
	}
	return err
}

// watchdog notices when nothing can be read for too long.
type watchdog struct {
	r     io.Reader
	after time.Duration
	timer *time.Timer
}

// Read implements io.Reader.
func (w *watchdog) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 {
		w.timer.Reset(w.after)
	}
	return n, err
}
