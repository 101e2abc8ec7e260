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

// settle is how long a file must have been left alone to be read as a value.
// Radio automation empties a file before it writes it.
const settle = 2 * poll

var _ sources.Source = (*value)(nil)

// value emits the whole file when it changes.
type value struct{ input }

// look is what was seen of the file, and since when.
type look struct {
	info  os.FileInfo
	since time.Time
	read  bool // in this state of the file
}

// Run implements sources.Source.
func (v *value) Run(ctx context.Context, out sources.Output) error {
	last := ""
	if c := v.parseCursor(out.Cursor()).Value; c != nil {
		last = c.Sum
	}
	var seen look
	for {
		data, ready, err := v.read(&seen)
		if err != nil {
			out.Warn(err)
			seen = look{}
		} else if ready {
			out.Warn(nil)
			if s := sum(data); len(data) > 0 && s != last {
				if err := v.emit(ctx, out, data, s); err != nil {
					return err
				}
				last = s
			}
		}
		if err := pause(ctx, poll); err != nil {
			return err
		}
	}
}

func (v *value) emit(ctx context.Context, out sources.Output, data []byte, sum string) error {
	e, err := v.parser.parse(data)
	if err != nil {
		out.Warn(fmt.Errorf("%s: %w", v.path, err))
	}
	e.Cursor = v.cursorOf(cursor{Value: &valueSeen{sum}})
	return emit(ctx, out, e, v.path)
}

// read returns the value once for each state that the file has settled in.
func (v *value) read(seen *look) (data []byte, ready bool, err error) {
	info, err := v.stat()
	if err != nil {
		return nil, false, err
	}
	if seen.info == nil || !unchanged(seen.info, info) {
		*seen = look{info: info, since: time.Now()}
		return nil, false, nil
	}
	if seen.read || time.Since(seen.since) < settle {
		return nil, false, nil
	}
	if info.Size() > 2*MaxLine+2 { // UTF-16 takes up to twice the room
		return nil, false, v.tooLong()
	}
	data, err = v.readAll()
	if err != nil {
		return nil, false, err
	}
	after, err := v.stat()
	if err != nil || !unchanged(info, after) {
		return nil, false, err
	}
	seen.read = true
	data = bytes.TrimSpace(withoutMark(data))
	if len(data) > MaxLine {
		return nil, false, v.tooLong()
	}
	return data, true, nil
}

func (v *value) tooLong() error {
	return fmt.Errorf("%s is longer than %d KiB; it is no value", v.path, MaxLine>>10)
}

func (v *value) readAll() ([]byte, error) {
	f, err := v.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 2*MaxLine+3))
	if err != nil {
		return nil, fmt.Errorf("reading %w", err)
	}
	return data, nil
}

func unchanged(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
