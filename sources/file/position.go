package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// window is how much of a file's begin, and of what stands before a position,
// is held to know the file again.
const window = 256

// position is a place in a file with what stands before it.
type position struct {
	offset int64
	head   []byte // the file's first bytes, up to window and offset
	tail   []byte // the last bytes before offset, up to window
}

// advance moves the position behind raw, which follows it.
func (p *position) advance(raw []byte) {
	p.offset += int64(len(raw))
	if room := window - len(p.head); room > 0 {
		p.head = append(p.head, raw[:min(room, len(raw))]...)
	}
	p.tail = append(p.tail, raw[max(0, len(raw)-window):]...)
	p.tail = p.tail[max(0, len(p.tail)-window):]
}

// behind is a copy of the position moved behind raw.
func (p *position) behind(raw []byte) position {
	c := position{p.offset, slices.Clone(p.head), slices.Clone(p.tail)}
	c.advance(raw)
	return c
}

// print stands for what is before the position; empty at a file's start.
func (p *position) print() string {
	if p.offset == 0 {
		return ""
	}
	return sum(slices.Concat(p.head, []byte{0}, p.tail))
}

// in reports whether the bytes before the position stand in f as well.
func (p *position) in(f *os.File) bool {
	other, err := positionAt(f, p.offset)
	return err == nil && bytes.Equal(other.head, p.head) && bytes.Equal(other.tail, p.tail)
}

// tailIn is the quicker look: at the last bytes alone.
func (p *position) tailIn(f *os.File) bool {
	tail := make([]byte, len(p.tail))
	_, err := f.ReadAt(tail, p.offset-int64(len(tail)))
	return (err == nil || err == io.EOF) && bytes.Equal(tail, p.tail)
}

var errShort = errors.New("the file is shorter")

// positionAt reads the position at offset.
func positionAt(f *os.File, offset int64) (position, error) {
	n := min(offset, window)
	p := position{offset: offset, head: make([]byte, n), tail: make([]byte, n)}
	for _, part := range []struct {
		buf []byte
		at  int64
	}{{p.head, 0}, {p.tail, offset - n}} {
		got, err := f.ReadAt(part.buf, part.at)
		if got < len(part.buf) {
			if err == io.EOF {
				err = errShort
			}
			return position{}, fmt.Errorf("reading %s: %w", f.Name(), err)
		}
	}
	return p, nil
}

// lastLine returns the offset behind the last line end of f.
func lastLine(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("reading %w", err)
	}
	buf := make([]byte, MaxLine)
	for end := info.Size(); end > 0; {
		begin := max(0, end-int64(len(buf)))
		n, err := f.ReadAt(buf[:end-begin], begin)
		if err != nil && err != io.EOF {
			return 0, fmt.Errorf("reading %w", err)
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return begin + int64(i) + 1, nil
		}
		end = begin
	}
	return 0, nil
}
