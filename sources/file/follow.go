package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/wallcast/wallcast/sources"
)

const (
	// chunk is how much is read at once, in bytes.
	chunk = 64 << 10

	// patience is for how many looks a file may be away before that is a warning:
	// between the two steps of a rotation it always is.
	patience = 20

	// tick is how far behind the clock a file system's times may be.
	tick = 20 * time.Millisecond
)

var _ sources.Source = (*follow)(nil)

// follow emits lines as they are appended.
type follow struct {
	input
	fromStart bool
}

// Run implements sources.Source.
func (f *follow) Run(ctx context.Context, out sources.Output) error {
	t := &tail{follow: f, out: out}
	defer t.close()
	if last := f.parseCursor(out.Cursor()).Follow; last != nil {
		if err := t.resume(ctx, last); err != nil {
			return err
		}
	} else if err := t.first(ctx); err != nil {
		return err
	}
	for {
		more, err := t.look(ctx)
		if err != nil {
			return err
		}
		if more {
			continue
		}
		if err := pause(ctx, poll); err != nil {
			return err
		}
	}
}

// tail is a follow that runs.
type tail struct {
	*follow
	out sources.Output

	file  *os.File    // being read; nil where there is none yet
	info  os.FileInfo // of file, as of the last look
	born  string
	pos   position // behind the last part that was dealt with
	split splitter

	read  time.Time // when file was changed, or where it is nil, the one before
	quiet bool      // nothing new in file since the next one has content
	away  int       // looks for a file that is not there
}

func (t *tail) close() {
	if t.file != nil {
		t.file.Close()
		t.file = nil
	}
}

// first begins the first run ever, and makes sure that it was the first.
func (t *tail) first(ctx context.Context) error {
	for {
		f, err := t.open()
		if err == nil {
			return t.begin(ctx, f)
		}
		if _, gone := os.Stat(t.path); os.IsNotExist(gone) {
			break
		}
		t.out.Warn(err)
		if err := pause(ctx, poll); err != nil {
			return err
		}
	}
	t.read = time.Now().Add(-tick)
	return t.out.SaveCursor(ctx, t.cursor())
}

// begin begins in a file that was there before the first run.
func (t *tail) begin(ctx context.Context, f *os.File) error {
	var at int64
	var err error
	if !t.fromStart {
		at, err = lastLine(f)
	}
	var pos position
	if err == nil {
		pos, err = positionAt(f, at)
	}
	if err == nil {
		err = t.use(f, pos)
	}
	if err != nil {
		f.Close()
		return err
	}
	return t.out.SaveCursor(ctx, t.cursor())
}

// use goes on in f, at pos.
func (t *tail) use(f *os.File, pos position) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("reading %w", err)
	}
	t.close()
	t.file, t.info, t.born, t.pos, t.read = f, info, born(f), pos, info.ModTime()
	t.split, t.quiet, t.away = splitter{most: MaxLine}, false, 0
	return nil
}

// cursor is the present place.
func (t *tail) cursor() []byte {
	at := followed{Offset: t.pos.offset, Print: t.pos.print(), Time: t.read.UTC()}
	if t.file != nil {
		at.Inode, at.Born = inode(t.info), t.born
	}
	return t.cursorOf(cursor{Follow: &at})
}

// look reads what is new, and goes on to the next file where this one was
// rotated. It reports whether there may be more at once.
func (t *tail) look(ctx context.Context) (more bool, err error) {
	if t.file == nil {
		return t.next(ctx)
	}
	info, err := t.file.Stat()
	if err != nil {
		return false, fmt.Errorf("reading %w", err)
	}
	changed := info.Size() != t.info.Size() || !info.ModTime().Equal(t.info.ModTime())
	buf := make([]byte, chunk)
	seen := t.pos.behind(t.split.rest)
	n, err := t.file.ReadAt(buf, seen.offset)
	if err != nil && err != io.EOF {
		return false, fmt.Errorf("reading %w", err)
	}
	// The look back comes after the reading: only so is it sure that what was
	// read follows on what was read before.
	if (changed || n > 0) && !seen.tailIn(t.file) {
		return true, t.truncated(ctx, seen)
	}
	t.info, t.read = info, info.ModTime()
	if n > 0 {
		t.quiet = false
		return n == len(buf), t.take(ctx, buf[:n])
	}
	return t.atEnd(ctx)
}

// take emits the lines that buf completes.
func (t *tail) take(ctx context.Context, buf []byte) error {
	for p := range t.split.cut(buf) {
		if err := t.emit(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// emit emits a line; the cursor stands behind it.
func (t *tail) emit(ctx context.Context, p part) error {
	place := fmt.Sprintf("%s, byte %d", t.file.Name(), t.pos.offset)
	line := p.line
	if t.pos.offset == 0 {
		line = bytes.TrimPrefix(line, utf8Mark)
	}
	t.pos.advance(p.raw)
	if p.long {
		t.out.Warn(fmt.Errorf("%s, byte %d: the line that ends there is longer than %d KiB and is skipped", t.file.Name(), t.pos.offset, MaxLine>>10))
	}
	line, ok := trimLine(line)
	if !ok {
		return nil
	}
	e, err := t.parser.parse(line)
	if err != nil {
		t.out.Warn(fmt.Errorf("%s: %w", place, err))
	}
	e.Cursor = t.cursor()
	return emit(ctx, t.out, e, place)
}

// truncated goes on after the file was emptied: in the copy that was made of it
// where there is one, else at its start.
func (t *tail) truncated(ctx context.Context, seen position) error {
	for _, s := range rotated(t.path) {
		f, err := s.open()
		if err != nil {
			continue
		}
		if !os.SameFile(s.info, t.info) && !s.info.ModTime().Before(t.read) && seen.in(f) {
			return t.use(f, t.pos)
		}
		f.Close()
	}
	if p, ok := t.split.finish(); ok {
		if err := t.emit(ctx, p); err != nil {
			return err
		}
	}
	t.out.Log().Info("the followed file was truncated; reading it from its start", "file", t.path)
	t.pos, t.split = position{}, splitter{most: MaxLine}
	return nil
}

// atEnd goes on to the file after this one, if this one was rotated.
func (t *tail) atEnd(ctx context.Context) (more bool, err error) {
	current, err := os.Stat(t.path)
	if err == nil && os.SameFile(current, t.info) {
		if t.away >= patience {
			t.out.Warn(nil)
		}
		t.away = 0
		return false, nil
	}
	return t.next(ctx)
}

// next goes on to the file that follows, where there is one that holds anything.
func (t *tail) next(ctx context.Context) (more bool, err error) {
	seen, ok := lookAround(t.path)
	if !ok {
		return false, nil
	}
	for _, s := range after(seen.rotated, t.info, t.read) {
		f, err := s.open()
		if errors.Is(err, os.ErrPermission) {
			t.out.Warn(fmt.Errorf("skipping a rotated file: %w", unreadable(s.path, err)))
			continue
		}
		if err != nil { // rotated or deleted just now
			return false, nil
		}
		_, err = t.change(ctx, f)
		return true, err
	}
	if t.file != nil && seen.current != nil && (seen.current.Size() == 0 || os.SameFile(seen.current, t.info)) {
		return false, nil
	}
	return t.nextCurrent(ctx, seen.current)
}

// nextCurrent goes on to the file that has the configured name.
func (t *tail) nextCurrent(ctx context.Context, current os.FileInfo) (more bool, err error) {
	f, err := t.open()
	if err != nil {
		if t.away++; t.away >= patience {
			t.out.Warn(err)
		}
		return false, nil
	}
	if info, err := f.Stat(); err != nil || current == nil || !os.SameFile(info, current) {
		f.Close() // rotated just now
		return false, nil
	}
	if t.file != nil && t.pos.offset >= strong && t.pos.in(f) { // an editor has saved it
		return true, t.use(f, t.pos)
	}
	return t.change(ctx, f)
}

// change goes on to f once the file before it is through: its writer may have
// appended to it until it began f, so it is looked at once more.
func (t *tail) change(ctx context.Context, f *os.File) (more bool, err error) {
	if t.file != nil && !t.quiet {
		t.quiet = true
		f.Close()
		return false, nil
	}
	if p, ok := t.split.finish(); ok { // it ends without a line end
		if err := t.emit(ctx, p); err != nil {
			f.Close()
			return false, err
		}
	}
	t.out.Warn(nil)
	return true, t.use(f, position{})
}
