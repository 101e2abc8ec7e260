package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// statusError is an answer that is no event stream.
type statusError struct {
	status int
	kind   string // of the content
}

func (e *statusError) Error() string {
	if e.status == http.StatusOK {
		return fmt.Sprintf("the server answered with %.80q instead of an event stream", e.kind)
	}
	return fmt.Sprintf("the server answered %d %s", e.status, http.StatusText(e.status))
}

// response reads an HTTP/1 response whose body is an event stream, in whatever
// pieces it comes. The zero response is ready for one.
type response struct {
	head    []byte // as far as it has come, before the body
	state   responseState
	chunked bool
	size    int64 // of the chunk, or what is left of it
	parser  parser
}

type responseState uint8

const (
	inHead responseState = iota
	inSize
	inExtension // what stands behind a chunk's size
	inData
	behindData // the line end after a chunk
)

const (
	maxHead  = 32 << 10
	maxChunk = 1 << 40
)

var errChunk = errors.New("the server's chunked encoding is broken")

// feed parses the next piece. It returns io.EOF at the response's end.
func (r *response) feed(b []byte, h handler) error {
	if r.state == inHead {
		var err error
		if b, err = r.readHead(b); err != nil || r.state == inHead {
			return err
		}
	}
	if !r.chunked {
		r.parser.feed(b, h)
		return nil
	}
	for len(b) > 0 {
		if r.state == inData {
			n := int(min(r.size, int64(len(b))))
			r.parser.feed(b[:n], h)
			b = b[n:]
			if r.size -= int64(n); r.size == 0 {
				r.state = behindData
			}
			continue
		}
		if err := r.readSize(b[0]); err != nil {
			return err
		}
		b = b[1:]
	}
	return nil
}

// readSize reads one character between the data of two chunks.
func (r *response) readSize(c byte) error {
	switch {
	case r.state == behindData && c == '\n':
		r.state = inSize
	case r.state == behindData && c == '\r':
	case r.state == behindData:
		return errChunk
	case c == '\n':
		if r.size == 0 {
			return io.EOF
		}
		r.state = inData
	case r.state == inExtension:
	case c == '\r', c == ';', c == ' ':
		r.state = inExtension
	default:
		digit := hexDigit(c)
		if r.size = r.size<<4 | int64(digit); digit < 0 || r.size > maxChunk {
			return errChunk
		}
	}
	return nil
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// readHead collects the head and returns what follows it.
func (r *response) readHead(b []byte) ([]byte, error) {
	before := len(r.head)
	r.head = append(r.head, b...)
	end := bytes.Index(r.head, []byte("\r\n\r\n"))
	if end < 0 {
		if len(r.head) > maxHead {
			return nil, errors.New("the server's answer has no end of headers")
		}
		return nil, nil
	}
	rest := b[end+4-before:]
	resp, err := http.ReadResponse(bufio.NewReaderSize(bytes.NewReader(r.head[:end+4]), end+4), nil)
	if err != nil {
		return nil, fmt.Errorf("reading the server's answer: %w", err)
	}
	kind := resp.Header.Get("Content-Type")
	if resp.StatusCode != http.StatusOK || !bytes.HasPrefix([]byte(kind), []byte("text/event-stream")) {
		return nil, &statusError{resp.StatusCode, kind}
	}
	r.chunked = len(resp.TransferEncoding) > 0 && resp.TransferEncoding[0] == "chunked"
	r.head, r.state = nil, inSize
	return rest, nil
}
