package file

import (
	"bytes"
	"iter"
)

// splitter cuts what is read of a file, in chunks of any size, into lines. It
// holds no more than the longest line and a chunk.
type splitter struct {
	most int    // the longest line in bytes
	rest []byte // of a line whose end was not seen yet
	long bool   // the present line is too long; its bytes are dropped
}

// part is a stretch of a file: a line, or a piece of one that is too long. All
// parts together, and the splitter's rest, are the file byte for byte.
type part struct {
	raw  []byte // with the line end; valid until the next part
	line []byte // without it; nil for a piece
	long bool   // this piece ends a line that is too long
}

// cut returns the parts that chunk completes. What it has not come to when its
// caller breaks off is lost.
func (s *splitter) cut(chunk []byte) iter.Seq[part] {
	return func(yield func(part) bool) {
		for len(chunk) > 0 {
			piece := chunk
			end := bytes.IndexByte(chunk, '\n')
			if end >= 0 {
				piece = chunk[:end+1]
			}
			chunk = chunk[len(piece):]
			if p, ok := s.take(piece, end >= 0); ok && !yield(p) {
				return
			}
		}
	}
}

// take adds a piece of a line; ends says whether it is the last one.
func (s *splitter) take(piece []byte, ends bool) (part, bool) {
	if s.long {
		s.long = !ends
		return part{raw: piece, long: ends}, true
	}
	raw := append(s.rest, piece...)
	s.rest = raw[:0]
	text := bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r"))
	tooLong := len(text) > s.most
	switch {
	case tooLong:
		s.long = !ends
		return part{raw: raw, long: ends}, true
	case ends:
		return part{raw: raw, line: raw[: len(raw)-1 : len(raw)-1]}, true
	}
	s.rest = raw
	return part{}, false
}

// finish returns what is left of a file that ends without a line end.
func (s *splitter) finish() (p part, ok bool) {
	p, ok = part{raw: s.rest, line: s.rest}, len(s.rest) > 0
	*s = splitter{most: s.most}
	return p, ok
}
