package plugins

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrTooMuch says that more was written to [Lines] than they may have in all.
var ErrTooMuch = errors.New("too much output")

// Lines cuts what is written to it into lines, for a [Host]. It keeps no more
// than one of them. It is not for concurrent use. After an error it takes
// nothing more, and returns the same.
type Lines struct {
	Most  int                     // bytes of a line, without its end
	Total int64                   // bytes of all
	Line  func(line []byte) error // gets each line without its end, until it returns; an error ends the writing

	// TooLong is called with the number, from 1, of a line that is longer than
	// Most and is left out; more than Total is ErrTooMuch. Without it such a line is
	// cut, and what is beyond Total is dropped: at the end a line says how much that
	// was.
	TooLong func(number int)

	written int64
	number  int    // of the lines that are complete
	held    []byte // of the one that is not; at most one byte more than Most, for a CR
	skipped int64  // bytes of it that were not held
	dropped int64  // bytes that were left out of lines so far
	err     error
}

// Write implements io.Writer.
func (l *Lines) Write(data []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	taken := int(min(int64(len(data)), max(0, l.Total-l.written)))
	l.written += int64(len(data))
	if l.err = l.take(data[:taken]); l.err != nil {
		return 0, l.err
	}
	if taken < len(data) && l.TooLong != nil {
		l.err = ErrTooMuch
		return taken, l.err
	}
	l.dropped += int64(len(data) - taken)
	return len(data), nil
}

// take takes the next bytes.
func (l *Lines) take(data []byte) error {
	for len(data) > 0 {
		part, rest, complete := bytes.Cut(data, []byte("\n"))
		room := min(len(part), l.Most+1-len(l.held))
		l.held = append(l.held, part[:room]...)
		l.skipped += int64(len(part) - room)
		if !complete {
			return nil
		}
		if err := l.give(); err != nil {
			return err
		}
		data = rest
	}
	return nil
}

// give gives the line that is held on, and begins the next.
func (l *Lines) give() error {
	line := l.held
	if l.skipped == 0 {
		line = bytes.TrimSuffix(line, []byte("\r"))
	}
	long := len(line) > l.Most
	if long && l.TooLong == nil {
		l.dropped += l.skipped + int64(len(line)-l.Most)
		line, long = line[:l.Most], false
	}
	l.number++
	l.held, l.skipped = l.held[:0], 0
	if long {
		l.TooLong(l.number)
		return nil
	}
	return l.Line(line)
}

// End gives a last line without an end, and what is to say of dropped bytes. It
// is called once, after the last Write.
func (l *Lines) End() error {
	if l.err != nil {
		return l.err
	}
	if len(l.held) > 0 {
		if l.err = l.give(); l.err != nil {
			return l.err
		}
	}
	if l.dropped > 0 {
		l.err = l.Line(fmt.Appendf(nil, "… %d bytes more were left out", l.dropped))
	}
	return l.err
}
