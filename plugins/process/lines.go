//go:build unix

package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// errTooMuch says that a stream was longer than its limit.
var errTooMuch = errors.New("too much output")

// lineReader cuts a stream into lines. It doesn't keep more than a line of it.
type lineReader struct {
	from  io.Reader
	most  int                     // bytes of a line, without its end
	total int64                   // bytes of all
	line  func(line []byte) error // an error ends the reading

	// tooLong is called with the number of a line that is longer than most. With
	// nil, such a line is cut, and what is beyond total is dropped: at the end a
	// line says how much that was. Otherwise it is left out, and more than total
	// is errTooMuch.
	tooLong func(number int)

	number  int    // of the line being read, from 1
	held    []byte // of it, without its end; at most one byte more than most, for a CR
	skipped int64  // bytes of it that were not held
	dropped int64  // bytes that were left out of lines so far
}

// run reads to the end of the stream, or of what may be read of it.
func (l *lineReader) run() error {
	buffer := make([]byte, 32<<10)
	left := l.total
	l.number = 1
	for {
		n, err := l.from.Read(buffer)
		more := int64(n) - min(left, int64(n))
		left -= int64(n) - more
		if takeErr := l.take(buffer[:n-int(more)]); takeErr != nil {
			return takeErr
		}
		if more > 0 && l.tooLong != nil {
			return errTooMuch
		}
		l.dropped += more
		if err != nil {
			return l.end()
		}
	}
}

// take takes the next bytes.
func (l *lineReader) take(data []byte) error {
	for len(data) > 0 {
		part, rest, complete := bytes.Cut(data, []byte("\n"))
		room := min(len(part), l.most+1-len(l.held))
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
func (l *lineReader) give() error {
	line := l.held
	if l.skipped == 0 {
		line = bytes.TrimSuffix(line, []byte("\r"))
	}
	long := len(line) > l.most
	if long && l.tooLong == nil {
		l.dropped += l.skipped + int64(len(line)-l.most)
		line, long = line[:l.most], false
	}
	number := l.number
	l.number, l.held, l.skipped = number+1, l.held[:0], 0
	if long {
		l.tooLong(number)
		return nil
	}
	return l.line(line)
}

// end gives a last line without an end, and what is to say of dropped bytes.
func (l *lineReader) end() error {
	if len(l.held) > 0 {
		if err := l.give(); err != nil {
			return err
		}
	}
	if l.dropped == 0 {
		return nil
	}
	return l.line(fmt.Appendf(nil, "… %d bytes more were left out", l.dropped))
}
