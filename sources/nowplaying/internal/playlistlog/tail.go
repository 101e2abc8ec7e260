package playlistlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxLine is far more than an entry, in bytes. What of a line is beyond it is not
// read.
const maxLine = 64 << 10

// tail reads the lines of a file that grows, that is replaced by another of the
// same name, or that is emptied and goes on.
type tail struct {
	path   string
	file   *os.File // nil before it was there
	at     int64    // up to where it was read
	rest   []byte   // the beginning of a line whose end isn't there yet
	buffer []byte
}

func (t *tail) close() {
	if t.file != nil {
		t.file.Close()
	}
}

// read calls line with each line that has been written since, without its end, and
// says whether there was anything. Its error is a sentence for people; the file
// that was open before is read nevertheless.
func (t *tail) read(line func([]byte)) (grown bool, err error) {
	now, err := t.stat()
	if err == nil && t.file == nil {
		err = t.open(now.Size() - maxPast)
	}
	if t.file == nil {
		return false, err
	}
	was, e := t.file.Stat()
	if e != nil {
		return false, fmt.Errorf("reading %w", e)
	}
	if was.Size() < t.at {
		t.at, t.rest = 0, nil
	}
	grown, e = t.drain(line)
	if e != nil {
		return grown, e
	}
	if err != nil {
		return grown, err
	}
	// The server may write to the old file until it is told of the new one.
	if os.SameFile(now, was) || now.Size() == 0 {
		return grown, nil
	}
	if len(t.rest) > 0 {
		line(t.rest)
	}
	if err := t.open(0); err != nil {
		return grown, err
	}
	again, err := t.drain(line)
	return grown || again, err
}

// stat looks at the file that has the name now.
func (t *tail) stat() (os.FileInfo, error) {
	info, err := os.Stat(t.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, &missingError{t.path}
	case err != nil:
		return nil, fmt.Errorf("reading %w", err)
	case !info.Mode().IsRegular(): // opening a pipe would wait for its writer
		return nil, fmt.Errorf("%s is not a regular file; only such can be read", t.path)
	}
	return info, nil
}

// missingError is an [os.ErrNotExist] that reads as a sentence.
type missingError struct{ path string }

func (e *missingError) Error() string        { return e.path + " does not exist" }
func (e *missingError) Is(target error) bool { return target == os.ErrNotExist }

// open reads the file that has the name now, from there on.
func (t *tail) open(at int64) error {
	f, err := os.Open(t.path)
	if err != nil {
		return fmt.Errorf("reading %w", err)
	}
	t.close()
	t.file, t.at, t.rest = f, max(at, 0), nil
	return nil
}

// drain reads up to the end of the file.
func (t *tail) drain(line func([]byte)) (grown bool, err error) {
	if t.buffer == nil {
		t.buffer = make([]byte, 32<<10)
	}
	for {
		n, err := t.file.ReadAt(t.buffer, t.at)
		t.at += int64(n)
		grown = grown || n > 0
		t.split(t.buffer[:n], line)
		switch {
		case errors.Is(err, io.EOF):
			return grown, nil
		case err != nil:
			return grown, fmt.Errorf("reading %w", err)
		}
	}
}

// split tells the lines apart.
func (t *tail) split(data []byte, line func([]byte)) {
	for {
		part, more, ended := bytes.Cut(data, []byte("\n"))
		t.rest = append(t.rest, part[:min(len(part), maxLine-len(t.rest))]...)
		if !ended {
			return
		}
		line(t.rest)
		t.rest, data = t.rest[:0], more
	}
}
