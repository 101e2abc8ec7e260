package bench

import (
	"bytes"
	"strconv"
	"time"
)

// maxKept is how much of a line, and of an event's data, is kept; the rest is
// counted and dropped. The marker stands far before it in every representation.
const maxKept = 4 << 10

// frame is one event of a stream. Its slices are valid until the handler
// returns.
type frame struct {
	name []byte // empty for a message
	id   []byte // the last id of the stream, which may be an earlier event's
	data []byte // its first maxKept bytes
}

// handler takes what a parser finds.
type handler interface {
	frame(*frame)
	retry(time.Duration)
}

// parser reads an event stream as the WHATWG's HTML standard parses it, in whatever pieces
// it comes. It keeps what it has of an unfinished event, up to a bound, and
// nothing else. The zero parser is ready for a new stream.
type parser struct {
	line  []byte // the beginning of a line whose end has not come
	begun bool   // the first line is read
	lf    bool   // a line feed that comes now belongs to the carriage return before

	name, id, data []byte
	filled         bool // the event has data, if only an empty line

	found frame // what the handler gets
}

// feed parses the next piece of the stream.
func (p *parser) feed(b []byte, h handler) {
	for len(b) > 0 {
		if p.lf {
			p.lf = false
			if b[0] == '\n' {
				b = b[1:]
				continue
			}
		}
		end := lineEnd(b)
		if end < 0 {
			p.line = appendKept(p.line, b)
			return
		}
		line := b[:end]
		if len(p.line) > 0 {
			p.line = appendKept(p.line, line)
			line = p.line
		}
		p.lf = b[end] == '\r'
		b = b[end+1:]
		p.take(line, h)
		p.line = p.line[:0]
	}
}

// lineEnd finds the first carriage return or line feed.
func lineEnd(b []byte) int {
	lf := bytes.IndexByte(b, '\n')
	if lf >= 0 {
		b = b[:lf]
	}
	if cr := bytes.IndexByte(b, '\r'); cr >= 0 {
		return cr
	}
	return lf
}

func appendKept(dst, b []byte) []byte {
	return append(dst, b[:min(len(b), max(0, maxKept-len(dst)))]...)
}

// take reads one line, without its end.
func (p *parser) take(line []byte, h handler) {
	if !p.begun {
		p.begun = true
		line = bytes.TrimPrefix(line, []byte("\ufeff"))
	}
	if len(line) == 0 {
		p.dispatch(h)
		return
	}
	field, value := line, []byte(nil)
	if colon := bytes.IndexByte(line, ':'); colon >= 0 {
		field, value = line[:colon], line[colon+1:]
		if len(value) > 0 && value[0] == ' ' {
			value = value[1:]
		}
	}
	switch string(field) {
	case "data":
		if p.filled {
			p.data = appendKept(p.data, []byte{'\n'})
		}
		p.data = appendKept(p.data, value)
		p.filled = true
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			p.id = appendKept(p.id[:0], value)
		}
	case "event":
		p.name = appendKept(p.name[:0], value)
	case "retry":
		if ms, err := strconv.ParseUint(string(value), 10, 31); err == nil {
			h.retry(time.Duration(ms) * time.Millisecond)
		}
	}
}

func (p *parser) dispatch(h handler) {
	if p.filled {
		p.found = frame{p.name, p.id, p.data}
		h.frame(&p.found)
	}
	p.name, p.data, p.filled = p.name[:0], p.data[:0], false
}
