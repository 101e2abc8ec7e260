// Package repair makes JSON of what streaming servers answer as JSON. They write
// it with templates, so that one odd title spoils the answer for every mount.
package repair

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxDepth is how deep values may lie in one another.
const maxDepth = 200

// JSON returns raw as valid JSON. What is valid already is returned as it is.
// Otherwise these are put right, all seen on real servers:
//
//   - a bare value that is no JSON becomes a string: {"title": - ,"next":.5}
//   - a control character within a string is escaped, and so is a backslash that
//     begins no escape
//   - a missing value becomes null: {"title":,"next":1}
//   - the brace that Icecast leaves out while it starts: {"a":"b":1}}
//   - commas too many, and a byte order mark at the start
//
// An answer that was cut short is an error: what is missing can't be guessed.
// Strings keep bytes that are no UTF-8, as encoding/json.Valid allows.
func JSON(raw []byte) ([]byte, error) {
	if json.Valid(raw) {
		return raw, nil
	}
	m := &mender{in: bytes.TrimPrefix(raw, []byte("\uFEFF"))}
	if err := m.document(); err != nil {
		return nil, err
	}
	if !json.Valid(m.out) {
		return nil, errors.New("the answer is no JSON")
	}
	return m.out, nil
}

// mender reads in and writes out, which is JSON as far as it goes.
type mender struct {
	in    []byte
	at    int
	depth int
	out   []byte
}

func (m *mender) document() error {
	switch m.peek() {
	case '{', '[':
	default:
		return errors.New("the answer is no JSON object")
	}
	if err := m.value(); err != nil {
		return err
	}
	if m.peek() != 0 || m.at < len(m.in) {
		return fmt.Errorf("the answer goes on after its end, at byte %d", m.at)
	}
	return nil
}

// peek skips white space and returns the byte that comes next; 0 at the end.
func (m *mender) peek() byte {
	for m.at < len(m.in) {
		switch c := m.in[m.at]; c {
		case ' ', '\t', '\r', '\n':
			m.at++
		default:
			return c
		}
	}
	return 0
}

func (m *mender) write(s string) { m.out = append(m.out, s...) }

func (m *mender) value() error {
	if m.depth++; m.depth > maxDepth {
		return fmt.Errorf("the answer has more than %d levels", maxDepth)
	}
	defer func() { m.depth-- }()
	start := m.at
	switch m.peek() {
	case '{':
		m.at++
		m.write("{")
		return m.members(false)
	case '[':
		m.at++
		m.write("[")
		return m.elements()
	case '"':
		began := len(m.out)
		if err := m.text(); err != nil {
			return err
		}
		if m.peek() != ':' {
			return nil
		}
		key := string(m.out[began:])
		m.out = append(m.out[:began], '{')
		m.write(key)
		return m.members(true)
	default:
		m.at = start // white space belongs to a bare value
		return m.bare()
	}
}

// members reads an object after its brace, or, with a key, after the first key.
func (m *mender) members(key bool) error {
	for first := true; ; first = false {
		if !key {
			for m.peek() == ',' {
				m.at++
			}
			switch m.peek() {
			case '}':
				m.at++
				m.write("}")
				return nil
			case '"':
			default:
				return m.unexpected("a name or the end of an object")
			}
			if !first {
				m.write(",")
			}
			if err := m.text(); err != nil {
				return err
			}
		}
		key = false
		if m.peek() != ':' {
			return m.unexpected("a colon")
		}
		m.at++
		m.write(":")
		if err := m.value(); err != nil {
			return err
		}
		if c := m.peek(); c != ',' && c != '}' {
			return m.unexpected("a comma or the end of an object")
		}
	}
}

// elements reads an array after its bracket.
func (m *mender) elements() error {
	for first := true; ; first = false {
		for m.peek() == ',' {
			m.at++
		}
		if m.peek() == ']' {
			m.at++
			m.write("]")
			return nil
		}
		if !first {
			m.write(",")
		}
		if err := m.value(); err != nil {
			return err
		}
		if c := m.peek(); c != ',' && c != ']' {
			return m.unexpected("a comma or the end of an array")
		}
	}
}

func (m *mender) unexpected(wanted string) error {
	if m.peek() == 0 && m.at >= len(m.in) {
		return errors.New("the answer is cut short")
	}
	return fmt.Errorf("byte %d of the answer should be %s", m.at, wanted)
}

// bare reads a value without quotes, which ends where its object or array goes on.
func (m *mender) bare() error {
	end := bytes.IndexAny(m.in[m.at:], ",}]\"{[")
	if end < 0 {
		return errors.New("the answer is cut short")
	}
	raw := m.in[m.at : m.at+end]
	m.at += end
	text := bytes.Trim(raw, " \t\r\n")
	switch {
	case len(text) == 0:
		m.write("null")
	case json.Valid(text):
		m.out = append(m.out, text...)
	default:
		m.write(`"`)
		for _, c := range raw {
			m.char(c)
		}
		m.write(`"`)
	}
	return nil
}

// text reads a string with its quotes.
func (m *mender) text() error {
	m.at++
	m.write(`"`)
	for m.at < len(m.in) {
		switch c := m.in[m.at]; c {
		case '"':
			m.at++
			m.write(`"`)
			return nil
		case '\\':
			m.escape()
		default:
			m.at++
			m.char(c)
		}
	}
	return errors.New("the answer is cut short")
}

// char writes one byte of a string that is not escaped.
func (m *mender) char(c byte) {
	switch {
	case c == '\\', c == '"':
		m.out = append(m.out, '\\', c)
	case c < ' ':
		m.out = fmt.Appendf(m.out, `\u%04x`, c)
	default:
		m.out = append(m.out, c)
	}
}

// escape reads an escape; a backslash that begins none is one that was meant.
func (m *mender) escape() {
	length := 2
	rest := m.in[m.at+1:]
	switch {
	case len(rest) == 0 || bytes.IndexByte([]byte(`"\/bfnrtu`), rest[0]) < 0:
		length = 1
	case rest[0] == 'u' && (len(rest) < 5 || !hex(rest[1:5])):
		length = 1
	case rest[0] == 'u':
		length = 6
	}
	if length == 1 {
		m.write(`\\`)
	} else {
		m.out = append(m.out, m.in[m.at:m.at+length]...)
	}
	m.at += length
}

func hex(s []byte) bool {
	for _, c := range s {
		if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f') {
			return false
		}
	}
	return true
}

// Text returns the text of a JSON value as a title: a string's, a number's and a
// truth's as they are written, which is what Icecast makes of titles that look
// like one. It is empty for null, objects and arrays. raw says that the bytes are
// those of the station, in whatever charset: the string was no UTF-8.
func Text(value json.RawMessage) (s string, raw bool) {
	value = bytes.TrimSpace(value)
	switch {
	case len(value) == 0, value[0] == '{', value[0] == '[', string(value) == "null":
		return "", false
	case string(value) == "true":
		return "True", false // titles begin with a capital letter
	case string(value) == "false":
		return "False", false
	case value[0] != '"':
		return string(value), false
	case utf8.Valid(value):
		json.Unmarshal(value, &s)
		return s, false
	}
	// encoding/json replaces what is no UTF-8. So it is given Latin-1's letters for
	// the bytes, of which they are made again.
	var wide []byte
	for _, c := range value {
		wide = utf8.AppendRune(wide, rune(c))
	}
	json.Unmarshal(wide, &s)
	var bytes []byte
	for _, r := range s {
		if r > 0xFF { // written as an escape
			bytes = utf8.AppendRune(bytes, r)
			continue
		}
		bytes = append(bytes, byte(r))
	}
	return string(bytes), true
}
