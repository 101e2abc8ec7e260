package publish

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
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
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return post{}, unsupported("The body is compressed (%.40s); send it as it is.", encoding)
	}
	kind, params, err := contentType(r)
	if err != nil {
		return post{}, err
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, wrapping(limit)+1))
	if err != nil {
		return post{}, malformed("The body broke off: %v.", err)
	}
	if int64(len(body)) > wrapping(limit) {
		return post{}, tooLarge(limit)
	}
	var p post
	switch {
	case kind == "application/cloudevents+json":
		p, err = structured(body)
	case r.Header.Get("Ce-Specversion") != "":
		p, err = binary(r.Header, kind, params, body)
	default:
		p.draft.Data, err = payload(kind, params, body)
	}
	if err != nil {
		return post{}, err
	}
	if strings.TrimSpace(string(p.draft.Data)) == "" {
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

func contentType(r *http.Request) (string, map[string]string, error) {
	header := r.Header.Get("Content-Type")
	if header == "" {
		return "", nil, nil
	}
	kind, params, err := mime.ParseMediaType(header)
	if err != nil {
		return "", nil, unsupported("The Content-Type %.80q is malformed.", header)
	}
	if charset := strings.ToLower(params["charset"]); charset != "" && charset != "utf-8" && charset != "us-ascii" {
		return "", nil, unsupported("The charset is %.40s; send UTF-8.", charset)
	}
	return kind, params, nil
}

// payload makes a payload of a body of the given type.
func payload(kind string, params map[string]string, body []byte) ([]byte, error) {
	switch {
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		return jsonObject(body)
	case kind == "application/x-www-form-urlencoded":
		return form(body)
	case kind == "multipart/form-data":
		return multipartForm(params["boundary"], body)
	case kind == "" || strings.HasPrefix(kind, "text/"):
		return text(body)
	}
	return nil, unsupported("The Content-Type %.80s is none of JSON, text, a form or a CloudEvent.", kind)
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
	var any json.RawMessage
	err := json.Unmarshal(body, &any)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return nil, malformed("The body is declared as JSON and isn't: %v at byte %d.", err, syntax.Offset)
	}
	return nil, malformed(`The body is JSON but no object; send {"text": "…"}, or flat text as text/plain.`)
}

// form reads a form's fields. A body without a field that cards know was
// probably no form: "curl -d" declares one whatever it sends.
func form(body []byte) ([]byte, error) {
	if strings.Contains(string(body), "=") && !stream.IsObject(body) {
		// A malformed part of the body makes an error, and the parts before it count.
		if fields, err := url.ParseQuery(string(body)); err == nil && known(fields) {
			return object(fields)
		}
	}
	return text(body)
}

func known(fields url.Values) bool {
	for name := range fields {
		if stream.KnownField(name) {
			return true
		}
	}
	return false
}

// object makes a JSON object of a form's fields; of a field given twice the
// first counts, and empty ones are left out.
func object(fields url.Values) ([]byte, error) {
	o := make(map[string]string, len(fields))
	for name, values := range fields {
		if !utf8.ValidString(name) || !utf8.ValidString(values[0]) {
			return nil, malformed("The form is not valid UTF-8; add accept-charset=\"utf-8\" to it.")
		}
		if values[0] != "" {
			o[name] = values[0]
		}
	}
	if len(o) == 0 {
		return nil, nil
	}
	return json.Marshal(o)
}

func multipartForm(boundary string, body []byte) ([]byte, error) {
	r := http.Request{Method: http.MethodPost, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(body)))}
	r.Header.Set("Content-Type", mime.FormatMediaType("multipart/form-data", map[string]string{"boundary": boundary}))
	if err := r.ParseMultipartForm(int64(len(body)) + 1); err != nil {
		return nil, malformed("The form is malformed: %v.", err)
	}
	if len(r.MultipartForm.File) > 0 {
		return nil, malformed("The form holds a file; send its text or address in a field instead.")
	}
	if !known(r.MultipartForm.Value) {
		return nil, malformed("The form has no field that a card shows; name one of them text.")
	}
	return object(r.MultipartForm.Value)
}
