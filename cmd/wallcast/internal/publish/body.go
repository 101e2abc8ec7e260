package publish

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/stream"
)

// post is what a request asks to be stored.
type post struct {
	draft  stream.Draft
	kind   string // what the body says of the kind; empty: nothing
	repeat string // the same for requests that are to be stored once; empty: none
}

// wrapping is what forms and CloudEvents may add to a payload: every byte of a
// form may be written as three, and there are attributes around the data.
func wrapping(limit int) int64 { return 4*int64(limit) + 64<<10 }

// maxKey bounds an Idempotency-Key.
const maxKey = 255

// read reads the request. An error says what was wrong and what would be right.
func read(r *http.Request, limit int) (post, error) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return post{}, unsupported("The body is compressed (%.40s); send it as it is.", encoding)
	}
	kind, params, err := contentType(r.Header.Get("Content-Type"))
	if err != nil {
		return post{}, err
	}
	body, err := readBody(r, limit)
	if err != nil {
		return post{}, err
	}
	var p post
	switch {
	case strings.HasPrefix(kind, "application/cloudevents"):
		p, err = structured(kind, body)
	case inBinaryMode(r.Header):
		p, err = binary(r.Header, kind, params, body)
	default:
		p.draft.Data, err = payload(kind, params, body)
	}
	if err != nil {
		return post{}, err
	}
	if blank(p.draft.Data) {
		return post{}, malformed("The event is empty; send text or a JSON object as the body.")
	}
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		if len(key) > maxKey || strings.ContainsFunc(key, unicode.IsControl) {
			return post{}, malformed("The Idempotency-Key has to be plain text of at most %d bytes.", maxKey)
		}
		p.repeat = "key " + key
	}
	return p, nil
}

func blank(data []byte) bool { return len(bytes.TrimSpace(data)) == 0 }

// readBody reads no more than could be accepted. A body whose length is known is
// refused before it is sent, to clients that wait for "100 Continue".
func readBody(r *http.Request, limit int) ([]byte, error) {
	most := wrapping(limit)
	if r.ContentLength > most {
		return nil, tooLarge(limit)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return nil, &access.Problem{Status: http.StatusRequestTimeout, Detail: fmt.Sprintf("The body did not arrive within %s.", bodyTimeout)}
	case err != nil:
		return nil, malformed("The body broke off: %v.", err)
	case int64(len(body)) > most:
		return nil, tooLarge(limit)
	}
	return body, nil
}

// contentType reads a Content-Type; the kind is empty for none.
func contentType(header string) (kind string, params map[string]string, err error) {
	if header == "" {
		return "", nil, nil
	}
	kind, params, err = mime.ParseMediaType(header)
	if err != nil {
		return "", nil, unsupported("The Content-Type %.80q is malformed; one looks like text/plain; charset=utf-8.", header)
	}
	switch charset := strings.ToLower(params["charset"]); charset {
	case "", "utf-8", "utf8", "us-ascii":
		return kind, params, nil
	default:
		return "", nil, unsupported("The charset is %.40s; send UTF-8.", charset)
	}
}

// payload makes a payload of a body of the given type.
func payload(kind string, params map[string]string, body []byte) ([]byte, error) {
	switch {
	case blank(body):
		return nil, nil
	case isJSON(kind):
		return jsonObject(body)
	case kind == "application/x-www-form-urlencoded":
		return form(body)
	case kind == "multipart/form-data":
		return multipartForm(params["boundary"], body)
	case kind == "" || strings.HasPrefix(kind, "text/"):
		return text(body)
	}
	return nil, unsupported("The Content-Type %.80s is not supported; send application/json, text/plain, a form or a CloudEvent.", kind)
}

func isJSON(kind string) bool {
	return strings.HasSuffix(kind, "/json") || strings.HasSuffix(kind, "+json")
}

func unsupported(format string, args ...any) error {
	return &access.Problem{Status: http.StatusUnsupportedMediaType, Detail: fmt.Sprintf(format, args...)}
}

// malformed is an error about the request, in a sentence for its sender.
func malformed(format string, args ...any) error {
	return &access.Problem{Status: http.StatusBadRequest, Detail: fmt.Sprintf(format, args...)}
}

func text(body []byte) ([]byte, error) {
	if !utf8.Valid(body) {
		return nil, malformed("The body is not valid UTF-8; convert it, for example with iconv -t utf-8.")
	}
	return body, nil
}

func jsonObject(body []byte) ([]byte, error) {
	if stream.IsObject(body) {
		return text(body)
	}
	if err := checkJSON(body); err != nil {
		return nil, err
	}
	return nil, malformed(`The body is JSON but not an object; send {"text": "…"}, or flat text as text/plain.`)
}

// checkJSON says what keeps a body from being JSON.
func checkJSON(body []byte) error {
	var value json.RawMessage
	err := json.Unmarshal(body, &value)
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case bytes.HasPrefix(body, []byte("\uFEFF")):
		return malformed("The body is declared as JSON and begins with a byte order mark; send it without.")
	case errors.As(err, &syntax):
		return malformed("The body is declared as JSON and is not: %v, at byte %d. Flat text goes as text/plain.", err, syntax.Offset)
	}
	return malformed("The body is declared as JSON and is not: %v.", err)
}
