// Package textfile reads the text file that radio automation writes with every
// song.
package textfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
	"unicode/utf16"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

const (
	// poll is how often the file is looked at. Watching it costs less, and doesn't
	// see what another machine writes.
	poll = 200 * time.Millisecond

	// settle is how long it must have been left alone: automation empties it before
	// it writes it.
	settle = 2 * poll

	// again is how often a file that doesn't change is reported.
	again = 15 * time.Second

	// missing is for how long it may be gone, as while it is replaced.
	missing = 2 * time.Second

	// maxFile is far more than a title, in bytes.
	maxFile = 64 << 10
)

// Config is which file it is.
type Config struct {
	Path    string
	Charset text.Charset
}

var _ upstream.Upstream = Config{}

// look is what was seen of the file.
type look struct {
	info    os.FileInfo
	since   time.Time
	read    bool
	told    time.Time // when it was reported last
	content upstream.Report
}

// Watch implements [upstream.Upstream].
func (c Config) Watch(ctx context.Context, report func(upstream.Report)) error {
	var seen look
	var gone time.Time // since when it can't be read
	for {
		told, err := c.look(&seen)
		switch {
		case err == nil:
			gone = time.Time{}
		case gone.IsZero():
			gone = time.Now()
		case time.Since(gone) >= missing:
			return err
		}
		if told {
			report(seen.content)
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

// look reads the file once in each state that it has settled in, and says whether
// there is something to report.
func (c Config) look(seen *look) (told bool, err error) {
	info, err := c.stat()
	if err != nil {
		return false, err
	}
	now := time.Now()
	if seen.info == nil || !unchanged(seen.info, info) {
		seen.info, seen.since, seen.read = info, now, false
		return false, nil
	}
	if now.Sub(seen.since) < settle {
		return false, nil
	}
	if seen.read {
		if now.Sub(seen.told) < again {
			return false, nil
		}
		seen.told = now
		return true, nil
	}
	data, err := c.readAll()
	if err != nil {
		return false, err
	}
	if after, err := c.stat(); err != nil || !unchanged(info, after) {
		return false, err
	}
	seen.read, seen.told = true, now
	seen.content = upstream.Report{Song: Parse(data, c.Charset)}
	return true, nil
}

// stat looks at the file; its error is a sentence for people.
func (c Config) stat() (os.FileInfo, error) {
	info, err := os.Stat(c.Path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%s does not exist", c.Path)
	case err != nil:
		return nil, fmt.Errorf("reading %w", err)
	case !info.Mode().IsRegular(): // opening a pipe would wait for its writer
		return nil, fmt.Errorf("%s is not a regular file; only such can be read", c.Path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s is longer than %d KiB; that is no title", c.Path, maxFile>>10)
	}
	return info, nil
}

func (c Config) readAll() ([]byte, error) {
	f, err := os.Open(c.Path)
	if err != nil {
		return nil, fmt.Errorf("reading %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, fmt.Errorf("reading %w", err)
	}
	return data, nil
}

func unchanged(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// Parse reads a file's content: one line with artist and title in one, or the
// artist and the title on a line each. Further lines say nothing that is known.
func Parse(data []byte, charset text.Charset) upstream.Song {
	data, charset = decode(data, charset)
	var lines []string
	for line := range bytes.SplitSeq(bytes.ReplaceAll(data, []byte("\r"), []byte("\n")), []byte("\n")) {
		if clean := text.Clean(line, charset); clean != "" {
			lines = append(lines, clean)
		}
	}
	switch len(lines) {
	case 0:
		return upstream.Song{}
	case 2:
		return upstream.Song{Artist: lines[0], Title: lines[1]}
	}
	return upstream.Song{Text: lines[0]}
}

// decode takes off a byte order mark, which says more of the encoding than a
// setting, and makes UTF-8 of UTF-16.
func decode(data []byte, charset text.Charset) ([]byte, text.Charset) {
	switch {
	case bytes.HasPrefix(data, []byte("\xEF\xBB\xBF")):
		return data[3:], text.Charset{}
	case bytes.HasPrefix(data, []byte("\xFF\xFE")):
		return fromUTF16(data[2:], 0, 1), text.Charset{}
	case bytes.HasPrefix(data, []byte("\xFE\xFF")):
		return fromUTF16(data[2:], 1, 0), text.Charset{}
	}
	return data, charset
}

func fromUTF16(data []byte, low, high int) []byte {
	units := make([]uint16, 0, len(data)/2)
	for ; len(data) >= 2; data = data[2:] {
		units = append(units, uint16(data[low])|uint16(data[high])<<8)
	}
	return []byte(string(utf16.Decode(units)))
}
