// Package mpd follows a Music Player Daemon, which says by itself when something
// changes.
package mpd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

const (
	// tries is how often it connects anew before it gives up, and between the tries
	// is a pause: a server that is restarted is back soon.
	tries = 4
	pause = time.Second

	// lookEvery is how often it looks though nothing was said to have changed: a
	// server that is gone without a word is noticed so.
	lookEvery = 30 * time.Second

	// maxPicture is the largest cover that is read, in bytes.
	maxPicture = 2 << 20
)

// Config is where a server is.
type Config struct {
	Network  string // tcp or unix
	Address  string // as Dial takes it
	Password string
	Pictures bool // whether covers are read, too
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
}

// ParseAddress reads host:port, a host alone, or the path of a socket.
func ParseAddress(s string) (network, address string, err error) {
	s = strings.TrimPrefix(s, "mpd://")
	if filepath.IsAbs(s) || strings.HasPrefix(s, "./") {
		return "unix", s, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = strings.Trim(s, "[]"), "6600"
		err = nil
	}
	if n, e := strconv.ParseUint(port, 10, 16); host == "" || strings.ContainsAny(host, "/@ ") || e != nil || n == 0 {
		return "", "", fmt.Errorf("wants host:port or the absolute path of a socket, not %q", s)
	}
	return "tcp", net.JoinHostPort(host, port), nil
}

var _ upstream.Upstream = Config{}

// Watch implements [upstream.Upstream].
func (c Config) Watch(ctx context.Context, report func(upstream.Report)) error {
	for failed := 0; ; {
		reported, err := c.follow(ctx, report)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if reported {
			failed = 0
		}
		if failed++; failed >= tries {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// follow reports over one connection until that ends.
func (c Config) follow(ctx context.Context, report func(upstream.Report)) (reported bool, err error) {
	n, err := c.dial(ctx)
	if err != nil {
		return false, err
	}
	defer n.closeWith(ctx)()
	var cover cover
	for {
		r, err := c.look(n, &cover)
		if err != nil {
			return reported, fmt.Errorf("asking MPD at %s: %w", c.Address, err)
		}
		report(r)
		reported = true
		if err := n.idle(lookEvery); err != nil {
			return reported, fmt.Errorf("waiting for MPD at %s: %w", c.Address, err)
		}
	}
}

// cover is the picture of the song that was asked for last.
type cover struct {
	of, mediaType string
	data          []byte
}

// look asks what plays.
func (c Config) look(n *conn, cover *cover) (upstream.Report, error) {
	status, err := n.ask("status")
	if err != nil {
		return upstream.Report{}, err
	}
	song, err := n.ask("currentsong")
	if err != nil {
		return upstream.Report{}, err
	}
	r := makeReport(status, song, time.Now())
	if r.State != upstream.Playing {
		return r, nil
	}
	if id := status.get("nextsongid"); id != "" && isNumber(id) {
		next, err := n.ask("playlistid " + id)
		if refused := ackError(""); err != nil && !errors.As(err, &refused) {
			return upstream.Report{}, err
		}
		if s := makeSong(next); s.Text != "" || s.Title != "" {
			r.Next = &s
		}
	}
	if file := song.get("file"); c.Pictures && file != "" && !isStream(file) {
		if cover.of != file {
			if err := cover.read(n, file); err != nil {
				return upstream.Report{}, err
			}
		}
		r.Song.Picture, r.Song.PictureType = cover.data, cover.mediaType
	}
	return r, nil
}

// read asks for the picture within a file, else for the one in its folder.
func (c *cover) read(n *conn, file string) error {
	*c = cover{of: file}
	for _, command := range []string{"readpicture", "albumart"} {
		data, mediaType, err := n.picture(command, file, maxPicture)
		if err != nil {
			return err
		}
		if len(data) > 0 {
			c.data, c.mediaType = data, mediaType
			return nil
		}
	}
	return nil
}

// makeReport reads the answers to status and currentsong. The state decides: a
// server that was started anew still has the song that it played last.
func makeReport(status, song pairs, now time.Time) upstream.Report {
	switch status.get("state") {
	case "play":
	case "pause":
		return upstream.Report{State: upstream.Silent, Paused: true, Song: makeSong(song)}
	default:
		return upstream.Report{State: upstream.Silent}
	}
	r := upstream.Report{Song: makeSong(song)}
	if isStream(song.get("file")) { // of a stream the times are those of the connection
		r.Station = clean(song.get("Name"))
		return r
	}
	r.Song.Duration = seconds(first(status.get("duration"), song.get("duration")))
	if elapsed := status.get("elapsed"); elapsed != "" {
		r.Song.StartedAt = now.Add(-seconds(elapsed))
	}
	return r
}

// makeSong reads a song's tags. A radio stream has artist and title in one. A
// file's name is nobody's business.
func makeSong(song pairs) upstream.Song {
	s := upstream.Song{Artist: clean(song.all("Artist")), Title: clean(song.get("Title")), Album: clean(song.get("Album"))}
	if s.Artist == "" {
		s.Text, s.Title = s.Title, ""
	}
	return s
}

func isStream(file string) bool { return strings.Contains(file, "://") }

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 32)
	return err == nil
}

// seconds reads a number of seconds; 0 for what is none.
func seconds(s string) time.Duration {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n > 0 && n < 30*24*3600) {
		return 0
	}
	return time.Duration(n * float64(time.Second))
}

func clean(s string) string { return text.Clean(s, text.Charset{}) }

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
