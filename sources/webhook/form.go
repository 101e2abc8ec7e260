package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"strings"
)

// form is the fields of a form or an address, in their order.
type form []field

type field struct{ name, value string }

// parseForm reads name=value&name=value. It takes what radio software sends: a
// percent sign that begins no code stands for itself, as in "100% Hits".
func parseForm(text string) form {
	var f form
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		f = append(f, field{unescape(name), unescape(value)})
	}
	return f
}

// unescape reads the percent codes of a form.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b.WriteByte(' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b.WriteByte(fromHex(s[i+1])<<4 | fromHex(s[i+2]))
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func fromHex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}

// all returns every value of a name.
func (f form) all(name string) []string {
	var values []string
	for _, field := range f {
		if field.name == name {
			values = append(values, field.value)
		}
	}
	return values
}

// get returns the first value of a name.
func (f form) get(name string) string {
	for _, field := range f {
		if field.name == name {
			return field.value
		}
	}
	return ""
}

// without is f without the fields of these names.
func (f form) without(names ...string) form {
	var rest form
next:
	for _, field := range f {
		for _, name := range names {
			if strings.EqualFold(field.name, name) {
				continue next
			}
		}
		rest = append(rest, field)
	}
	return rest
}

// text is f with every text read in a charset.
func (f form) text(charset string) (form, error) {
	read := make(form, len(f))
	for i, field := range f {
		name, err := decodeText([]byte(field.name), charset)
		if err != nil {
			return nil, err
		}
		value, err := decodeText([]byte(field.value), charset)
		if err != nil {
			return nil, err
		}
		read[i].name, read[i].value = string(name), string(value)
	}
	return read, nil
}

// data is a form as a payload: the JSON in it where that is all there is, else
// an object of its fields. A field that is there several times is a list.
func (f form) data() ([]byte, error) {
	if len(f) == 0 {
		return nil, errEmpty
	}
	if len(f) == 1 && looksLikeJSON([]byte(f[0].value)) && json.Valid([]byte(f[0].value)) {
		return jsonData([]byte(f[0].value))
	}
	fields := map[string]any{}
	for _, field := range f {
		switch earlier := fields[field.name].(type) {
		case nil:
			fields[field.name] = field.value
		case string:
			fields[field.name] = []string{earlier, field.value}
		case []string:
			fields[field.name] = append(earlier, field.value)
		}
	}
	return marshal(fields)
}

// marshal writes JSON without escaping what is special in HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// mostParts bounds the fields of a multipart form.
const mostParts = 1000

// parseMultipart reads the fields of a multipart form. Files are left out.
func parseMultipart(body []byte, boundary string) (form, error) {
	if boundary == "" {
		return nil, errors.New("the Content-Type multipart/form-data names no boundary")
	}
	var f form
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for range mostParts {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the multipart form is broken: %w", err)
		}
		if part.FileName() != "" || part.FormName() == "" {
			continue
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, fmt.Errorf("the multipart form is broken: %w", err)
		}
		f = append(f, field{part.FormName(), string(value)})
	}
	return nil, fmt.Errorf("the multipart form has more than %d parts", mostParts)
}
