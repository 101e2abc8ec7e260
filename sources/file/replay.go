package file

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/wallcast/wallcast/sources"
)

// maxReplay is the largest file that is replayed, in bytes. It is held in memory.
const maxReplay = 64 << 20

var _ sources.Source = (*replay)(nil)

// replay emits one line every so often.
type replay struct {
	input
	every time.Duration
	loop  bool
}

// entry is a line to replay.
type entry struct {
	number int // from 1, as an editor counts
	text   []byte
	sum    string
}

// script is a file that is being replayed.
type script struct {
	entries []entry
	info    os.FileInfo
	read    time.Time
}

// Run implements sources.Source.
func (r *replay) Run(ctx context.Context, out sources.Output) error {
	var s script
	last := r.parseCursor(out.Cursor()).Replay
	for {
		if err := r.load(&s, out); err != nil {
			out.Warn(err)
			if err := pause(ctx, max(poll, min(r.every, 2*time.Second))); err != nil {
				return err
			}
			continue
		}
		i := s.after(last)
		if i == len(s.entries) {
			if !r.loop {
				return nil
			}
			i = 0
		}
		next := s.entries[i]
		last = &replayed{next.number, next.sum}
		if err := r.emit(ctx, out, next, last); err != nil {
			return err
		}
		if err := pause(ctx, r.every); err != nil {
			return err
		}
	}
}

func (r *replay) emit(ctx context.Context, out sources.Output, line entry, at *replayed) error {
	place := fmt.Sprintf("%s:%d", r.path, line.number)
	e, err := r.parser.parse(line.text)
	if err != nil {
		out.Warn(fmt.Errorf("%s: %w", place, err))
	}
	e.Cursor = r.cursorOf(cursor{Replay: at})
	return emit(ctx, out, e, place)
}

// load reads the file where it has changed.
func (r *replay) load(s *script, out sources.Output) error {
	f, err := r.open()
	if err != nil {
		*s = script{}
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("reading %w", err)
	}
	if s.fresh(info) {
		return nil
	}
	*s = script{}
	if info.Size() > maxReplay {
		return fmt.Errorf("%s is %d MiB large; %d MiB can be replayed: split it, or follow it", r.path, info.Size()>>20, maxReplay>>20)
	}
	read := time.Now()
	data, err := io.ReadAll(io.LimitReader(f, maxReplay))
	if err != nil {
		return fmt.Errorf("reading %w", err)
	}
	entries, long := parseScript(data)
	if len(entries) == 0 {
		return fmt.Errorf("%s has no line to replay; waiting for one", r.path)
	}
	*s = script{entries, info, read}
	if long > 0 {
		out.Warn(fmt.Errorf("%s:%d: the line is longer than %d KiB and is skipped", r.path, long, MaxLine>>10))
	} else {
		out.Warn(nil)
	}
	return nil
}

// fresh reports whether the script is what the file holds. A change may be hidden
// by a clock that ticks coarsely, so a file that had just been changed is read again.
func (s *script) fresh(info os.FileInfo) bool {
	return s.info != nil && os.SameFile(s.info, info) && s.info.Size() == info.Size() &&
		s.info.ModTime().Equal(info.ModTime()) && s.read.Sub(info.ModTime()) > 2*time.Second
}

// parseScript returns the lines to replay and the number of the first one that
// is too long, or 0.
func parseScript(data []byte) (entries []entry, long int) {
	number := 0
	for line := range bytes.SplitSeq(withoutMark(data), []byte("\n")) {
		number++
		text, ok := replayText(line)
		switch {
		case !ok:
		case len(text) > MaxLine:
			if long == 0 {
				long = number
			}
		default:
			entries = append(entries, entry{number, text, sum(text)})
		}
	}
	return entries, long
}

// after returns the index of the line that follows the one emitted last, which
// an edit may have moved. Of several alike the nearest counts. Where the line is
// gone, the one that has taken its place is next.
func (s *script) after(last *replayed) int {
	if last == nil {
		return 0
	}
	found, distance, place := -1, 0, len(s.entries)
	for i, e := range s.entries {
		away := max(e.number-last.Line, last.Line-e.number)
		if e.sum == last.Sum && (found < 0 || away < distance) {
			found, distance = i, away
		}
		if e.number >= last.Line {
			place = min(place, i)
		}
	}
	if found >= 0 {
		return found + 1
	}
	return place
}
