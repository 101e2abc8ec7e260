package sse

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"
)

const (
	// maxData is the most data that one event may have, in bytes.
	maxData = 1 << 20

	// maxField is the longest line but one of data: of the names that matter,
	// and of ids. What is behind it is cut off.
	maxField = 4 << 10

	// maxID is the longest id that is kept: it travels in a header both ways.
	maxID = 1 << 10

	// maxRetry bounds how long a server can send us away with retry.
	maxRetry = 10 * time.Minute
)

// message is an event of a stream, or a block of it that has only an id.
type message struct {
	name    string // "" for an unnamed one
	data    []byte
	tooLong bool // it had more than maxData, and has none now
	id      string
	hasID   bool // the id came with this one
}

// parser reads an event stream as HTML's standard says, in bounded memory.
type parser struct {
	r     *bufio.Reader
	begun bool
	cr    bool // the last line ended with a carriage return, so a line feed belongs to it

	id    string        // the last one that came
	retry time.Duration // the last one that came; 0 for none
}

func newParser(r io.Reader) *parser { return &parser{r: bufio.NewReaderSize(r, 4<<10)} }

// next returns the next event with data, and the next block without data that has
// an id. What is not complete at the end of the stream is dropped.
func (p *parser) next() (message, error) {
	var m message
	var data bytes.Buffer
	lines := 0
	for {
		line, cut, err := p.line(maxData - data.Len())
		if err != nil {
			return message{}, err
		}
		if len(line) == 0 && !cut {
			if lines == 0 && !m.hasID && !m.tooLong {
				m = message{}
				continue
			}
			m.data, m.id = data.Bytes(), p.id
			return m, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "data":
			if lines > 0 {
				data.WriteByte('\n')
			}
			if lines++; m.tooLong || cut || data.Len()+len(value) > maxData {
				m.tooLong, lines = true, 0
				data = bytes.Buffer{}
				continue
			}
			data.Write(value)
		case "event":
			m.name = short(value)
		case "id":
			if bytes.IndexByte(value, 0) < 0 {
				m.hasID, p.id = true, ""
				if !cut && usable(string(value)) {
					p.id = string(value)
				}
			}
		case "retry":
			p.setRetry(string(value))
		}
	}
}

// usable reports whether an id can be sent back in a header, and kept as JSON.
func usable(id string) bool {
	return len(id) <= maxID && utf8.ValidString(id) && httpguts.ValidHeaderFieldValue(id)
}

func short(value []byte) string { return string(value[:min(len(value), maxField)]) }

func (p *parser) setRetry(digits string) {
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return
	}
	ms, err := strconv.ParseInt(digits, 10, 64)
	if limit := int64(maxRetry / time.Millisecond); err != nil || ms > limit {
		ms = limit // too many digits for a number are many milliseconds
	}
	p.retry = time.Duration(ms) * time.Millisecond
}

// line returns a line without its end, or if it is longer than the room that is
// left for data (and than other fields need) its beginning, and that it is cut.
func (p *parser) line(room int) (line []byte, cut bool, err error) {
	most := max(room, maxField) + len("data: ")
	for {
		part, ended, err := p.piece()
		if err != nil {
			return nil, false, err
		}
		if left := most - len(line); len(part) > left {
			part, cut = part[:left], true
		}
		line = append(line, part...)
		if ended {
			return line, cut, nil
		}
	}
}

// piece returns what is buffered, up to a line's end.
func (p *parser) piece() (part []byte, ended bool, err error) {
	if _, err := p.r.Peek(1); err != nil {
		return nil, false, err
	}
	buffered, err := p.r.Peek(p.r.Buffered())
	if err != nil {
		return nil, false, err
	}
	if p.cr {
		p.cr = false
		if buffered[0] == '\n' {
			_, err := p.r.Discard(1)
			return nil, false, err
		}
	}
	if !p.begun {
		if done, err := p.skipMark(buffered); !done || err != nil {
			return nil, false, err
		}
	}
	i := bytes.IndexAny(buffered, "\r\n")
	if i < 0 {
		part = bytes.Clone(buffered)
		_, err := p.r.Discard(len(buffered))
		return part, false, err
	}
	p.cr = buffered[i] == '\r'
	part = bytes.Clone(buffered[:i])
	_, err = p.r.Discard(i + 1)
	return part, true, err
}

// skipMark takes off the byte order mark that a stream may begin with. It reports
// whether buffered is still what comes next.
func (p *parser) skipMark(buffered []byte) (same bool, err error) {
	const mark = "\xEF\xBB\xBF"
	if buffered[0] == mark[0] {
		head, err := p.r.Peek(len(mark))
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		p.begun = true
		if string(head) == mark {
			_, err := p.r.Discard(len(mark))
			return false, err
		}
		return false, nil // more may be buffered now
	}
	p.begun = true
	return true, nil
}
