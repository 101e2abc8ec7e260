package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

var (
	errEmpty = errors.New("there is nothing in it: no body, and no fields")
	errList  = errors.New("it is a list, of which only a map makes events: map: '.[]' makes one of each item that is an object or a text")
)

// payload is what a request says: a JSON object or list, or text.
func payload(header http.Header, query form, body []byte) ([]byte, error) {
	if coding := header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, fmt.Errorf("the body has the Content-Encoding %.40q; send it without one", coding)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		read, err := query.text("")
		if err != nil {
			return nil, err
		}
		return read.data()
	}
	declared, parameters := contentType(header)
	charset := parameters["charset"]
	switch {
	case declared == "multipart/form-data":
		f, err := parseMultipart(body, parameters["boundary"])
		if err != nil {
			return nil, err
		}
		if f, err = f.text(charset); err != nil {
			return nil, err
		}
		return f.data()
	case declared == "application/x-www-form-urlencoded":
		return formData(body, charset)
	case isJSON(declared):
		text, err := decodeText(body, charset)
		if err != nil {
			return nil, err
		}
		return jsonData(text)
	case strings.HasPrefix(declared, "text/"), isXML(declared):
		text, err := decodeText(body, charset)
		if err != nil {
			return nil, err
		}
		return textData(text)
	}
	return guess(declared, charset, body)
}

// contentType reads the declared type; one that can't be read counts for none.
func contentType(header http.Header) (string, map[string]string) {
	value := header.Get("Content-Type")
	declared, parameters, err := mime.ParseMediaType(value)
	if err != nil {
		declared, _, _ = strings.Cut(value, ";")
		declared = strings.ToLower(strings.TrimSpace(declared))
	}
	return declared, parameters
}

func isJSON(declared string) bool {
	return declared == "application/json" || declared == "text/json" || strings.HasSuffix(declared, "+json")
}

func isXML(declared string) bool {
	return declared == "application/xml" || strings.HasSuffix(declared, "+xml")
}

// formData reads what is declared a form. curl -d declares JSON and text so, too.
func formData(body []byte, charset string) ([]byte, error) {
	if looksLikeJSON(body) || !bytes.Contains(body, []byte("=")) {
		text, err := decodeText(body, charset)
		if err != nil {
			return nil, err
		}
		if looksLikeJSON(text) && json.Valid(text) {
			return jsonData(text)
		}
		if !bytes.Contains(body, []byte("=")) {
			return textData(text)
		}
	}
	f, err := parseForm(string(body)).text(charset)
	if err != nil {
		return nil, err
	}
	return f.data()
}

// guess reads a body of no declared type, or of one that says little.
func guess(declared, charset string, body []byte) ([]byte, error) {
	text := bytes.TrimPrefix(body, []byte(byteOrderMark))
	if charset != "" {
		var err error
		if text, err = decodeText(body, charset); err != nil {
			return nil, err
		}
	}
	if looksLikeJSON(text) && json.Valid(text) && utf8.Valid(text) {
		return jsonData(text)
	}
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return nil, fmt.Errorf("the body of type %.80q is neither JSON nor text in UTF-8; declare what it is in Content-Type", declared)
	}
	return textData(text)
}

// looksLikeJSON reports whether text begins as an object or a list does.
func looksLikeJSON(text []byte) bool {
	text = bytes.TrimLeft(bytes.TrimPrefix(text, []byte(byteOrderMark)), " \t\r\n")
	return len(text) > 0 && (text[0] == '{' || text[0] == '[')
}

// jsonData is JSON as a payload: an object or a list as it stands, and the text
// of anything else.
func jsonData(text []byte) ([]byte, error) {
	text = bytes.Trim(text, " \t\r\n")
	if err := checkJSON(text); err != nil {
		return nil, err
	}
	switch text[0] {
	case '{', '[':
		return text, nil
	case '"':
		var s string
		if err := json.Unmarshal(text, &s); err != nil {
			return nil, fmt.Errorf("reading a JSON text: %w", err)
		}
		return textData([]byte(s))
	case 'n':
		return nil, errEmpty
	}
	return text, nil
}

// checkJSON says where text is no JSON.
func checkJSON(text []byte) error {
	if len(text) == 0 {
		return errEmpty
	}
	if json.Valid(text) {
		return nil
	}
	var value any
	err := json.Unmarshal(text, &value)
	if at := (*json.SyntaxError)(nil); errors.As(err, &at) {
		return fmt.Errorf("the body is declared JSON and is none, at byte %d: %w", at.Offset, err)
	}
	return fmt.Errorf("the body is declared JSON and is none: %w", err)
}

// textData is text as a payload, as it stands.
func textData(text []byte) ([]byte, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, errEmpty
	}
	return text, nil
}

// isList reports whether a payload is a list in JSON.
func isList(data []byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n")
	return len(data) > 0 && data[0] == '[' && json.Valid(data)
}
