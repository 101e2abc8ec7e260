package publish

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"strings"
	"unicode/utf8"

	"github.com/wallcast/wallcast/stream"
)

// field is one of a form, decoded.
type field struct{ name, value string }

// form reads a form's fields. A body without a field that cards know was
// probably no form: "curl -d" declares one whatever it sends.
func form(body []byte) ([]byte, error) {
	if fields, ok := parseForm(string(body)); ok && !stream.IsObject(body) && known(fields) {
		return object(fields)
	}
	return text(body)
}

// parseForm reads application/x-www-form-urlencoded as the WHATWG's URL standard
// has it, which makes something of any text: "curl -d 'text=100%; really'" is a
// form, too. It reports false for a text that merely holds "=", such as a link
// with a query, which a field's name as browsers encode it gives away.
func parseForm(body string) ([]field, bool) {
	var fields []field
	for part := range strings.SplitSeq(body, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		if strings.ContainsFunc(name, notInName) {
			return nil, false
		}
		fields = append(fields, field{decodeField(name), decodeField(value)})
	}
	return fields, true
}

// notInName reports whether a browser would have written r as %XX in a name.
// Brackets are often written as they are by scripts.
func notInName(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("*-._+%[]", r))
}

// decodeField decodes + and %XX; a % that begins no byte stands for itself.
func decodeField(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b.WriteByte(' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b.WriteByte(unhex(s[i+1])<<4 | unhex(s[i+2]))
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

// unhex is the value of a hexadecimal digit.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

func known(fields []field) bool {
	for _, f := range fields {
		if stream.KnownField(f.name) {
			return true
		}
	}
	return false
}

// object makes a JSON object of a form's fields; of a field given twice the
// first counts, and empty ones are left out.
func object(fields []field) ([]byte, error) {
	o := make(map[string]string, len(fields))
	for _, f := range fields {
		if !utf8.ValidString(f.name) || !utf8.ValidString(f.value) {
			return nil, malformed(`The form is not valid UTF-8; add accept-charset="utf-8" to it.`)
		}
		if _, twice := o[f.name]; !twice && f.value != "" {
			o[f.name] = f.value
		}
	}
	if len(o) == 0 {
		return nil, nil
	}
	return marshal(o)
}

// marshal writes < and & as they are, for the payload is not a page's.
func marshal(o map[string]string) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(o)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

func multipartForm(boundary string, body []byte) ([]byte, error) {
	if boundary == "" {
		return nil, malformed("The form's Content-Type has no boundary; leave that header to the program that makes the form.")
	}
	read, err := multipart.NewReader(bytes.NewReader(body), boundary).ReadForm(int64(len(body)) + 1) // nothing goes to disk
	if err != nil {
		return nil, malformed("The form is malformed: %v.", err)
	}
	if len(read.File) > 0 {
		return nil, malformed("The form holds a file; send its text or its address in a field instead.")
	}
	var fields []field
	for name, values := range read.Value {
		fields = append(fields, field{name, values[0]})
	}
	if !known(fields) {
		return nil, malformed("The form has no field that a card shows; name one of them text.")
	}
	return object(fields)
}
