// Package playlistlog follows the playlist log of an Icecast server, which has a
// line for each title that a source client gave:
//
//	22/Nov/2026:06:42:05 +0000|/mount|listeners|title
//
// It tells what the server's status doesn't: when a title began. It doesn't tell
// that a source has gone; the last title stays.
package playlistlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

const (
	// poll is how often the file is looked at. Watching it costs less, and doesn't
	// see what another machine writes.
	poll = 200 * time.Millisecond

	// again is how often a title that doesn't change is reported.
	again = 15 * time.Second

	// missing is for how long the file may be gone, as while it is rotated.
	missing = 2 * time.Second

	// maxPast is how much of what was written before is read, in bytes.
	maxPast = 256 << 10
)

// Config is which mount of which log it is.
type Config struct {
	Path string

	// Mount is the mount point, as /live.mp3. It may be empty where the log has just
	// one.
	Mount string

	Charset text.Charset

	// Warn, if set, is told that the log has only other mounts, and nil once it has
	// this one. It is called by Watch, in between.
	Warn func(error)
}

var _ upstream.Upstream = Config{}

// Watch implements [upstream.Upstream].
func (c Config) Watch(ctx context.Context, report func(upstream.Report)) error {
	t := tail{path: c.Path}
	defer t.close()
	n := news{Config: c}
	if n.Warn == nil {
		n.Warn = func(error) {}
	}
	var gone time.Time // since when it can't be read
	for {
		grown, err := t.read(n.line)
		switch {
		case err == nil:
			gone = time.Time{}
		case t.file == nil && !errors.Is(err, os.ErrNotExist):
			return err
		case gone.IsZero():
			gone = time.Now()
		case time.Since(gone) >= missing:
			return err
		}
		if err := n.wrong(); err != nil {
			return err
		}
		if t.file != nil && n.ripe(grown) {
			n.warn()
			report(n.report())
		}
		timer := time.NewTimer(poll)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// news is what a log has said.
type news struct {
	Config
	lines, entries int // how many there were
	mounts         []string
	last           entry     // the newest, of whichever mount; a line may go on with it
	newest         *entry    // the newest of the mount
	began          time.Time // when its title was given first, without another in between
	changed        bool      // newest has not been reported
	told           time.Time // when something was
	warned         bool
}

// line takes a further line of the log.
func (n *news) line(line []byte) {
	n.lines++
	e, ok := parse(line)
	if !ok {
		if n.entries > 0 {
			n.last.extend(line)
		}
		return
	}
	n.end()
	n.entries++
	n.last = e
	if !slices.Contains(n.mounts, e.mount) && len(n.mounts) <= mostMounts {
		n.mounts = append(n.mounts, e.mount)
	}
}

// end takes the last entry as complete.
func (n *news) end() {
	e := n.last
	if n.entries == 0 || !n.means(e.mount) {
		return
	}
	if n.newest == nil || n.title(*n.newest) != n.title(e) {
		n.began = e.at
	}
	n.changed = n.changed || n.newest == nil || !n.newest.at.Equal(e.at) || n.title(*n.newest) != n.title(e)
	n.newest = &e
}

func (n *news) title(e entry) string { return text.Clean(e.title, n.Charset) }

// means reports whether mount is the one that is followed.
func (n *news) means(mount string) bool {
	return n.Mount == "" || mount == trimMount(n.Mount)
}

// trimMount is the mount with the slash before it and without one behind it.
func trimMount(mount string) string { return "/" + strings.Trim(mount, "/") }

// mostMounts is how many mounts an error names.
const mostMounts = 5

// wrong says why the log can't be followed, if it can't.
func (n *news) wrong() error {
	switch {
	case n.entries == 0 && n.lines > 0:
		return fmt.Errorf("%s is no playlist log of Icecast: no line of it is TIME|MOUNT|LISTENERS|TITLE; icecast.xml says in playlistlog which file it is", n.Path)
	case n.Mount == "" && len(n.mounts) > 1:
		return fmt.Errorf("%s has several mounts (%s); say which one with mount", n.Path, n.names())
	}
	return nil
}

// warn says so where the log has other mounts than the one that is meant.
func (n *news) warn() {
	lacking := n.newest == nil && len(n.mounts) > 0
	if lacking == n.warned {
		return
	}
	if n.warned = lacking; !lacking {
		n.Warn(nil)
		return
	}
	n.Warn(fmt.Errorf("%s has nothing of %s yet, and of %s", n.Path, trimMount(n.Mount), n.names()))
}

// names are some of the mounts, for people.
func (n *news) names() string {
	if len(n.mounts) > mostMounts {
		return strings.Join(n.mounts[:mostMounts], ", ") + " …"
	}
	return strings.Join(n.mounts, ", ")
}

// ripe reports whether there is something to report. While the file grows, the
// last entry may go on.
func (n *news) ripe(grown bool) bool {
	if grown {
		return n.changed && !n.means(n.last.mount)
	}
	n.end()
	return n.changed || time.Since(n.told) >= again
}

func (n *news) report() upstream.Report {
	n.changed, n.told = false, time.Now()
	if n.newest == nil {
		return upstream.Report{}
	}
	r := upstream.Report{Song: upstream.Song{Text: n.title(*n.newest)}, Listeners: &n.newest.listeners}
	if r.Song.Text != "" {
		r.Song.StartedAt = n.began
	}
	return r
}
