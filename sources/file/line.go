package file

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

// parser makes an event of a line.
type parser struct {
	encoding string // see Settings.Encoding
	route    bool
	ids      bool // whether a line's id counts
}

// parse returns the event of a line or value. With an error, which says why it
// could not be routed, the event is the whole line.
func (p parser) parse(line []byte) (sources.Event, error) {
	text := p.decode(line)
	e := sources.Event{Data: text}
	if !p.route || !stream.IsObject(text) {
		return e, nil
	}
	fields := split(text)
	kind, ok := fields.text("kind")
	if !ok {
		return e, nil
	}
	key, _ := fields.text("key")
	if err := checkAddress(kind, key); err != nil {
		return e, fmt.Errorf("%w (it was taken as it is; route: false stops looking for a kind)", err)
	}
	e.Kind, e.Key = kind, key
	if when, ok := fields.text("time"); ok {
		e.Time, _ = time.Parse(time.RFC3339, when) // else now
	}
	if !fields.envelope() {
		e.Data = fields.without("kind", "key")
		return e, nil
	}
	e.Wall, _ = fields.text("wall")
	if p.ids {
		e.ID, _ = fields.text("id")
	}
	e.Data, _ = fields.get("data")
	if text, ok := fields.text("data"); ok && e.Data[0] == '"' {
		e.Data = []byte(text)
	}
	return e, nil
}

func checkAddress(kind, key string) error {
	if err := stream.CheckKind(kind); err != nil {
		return err
	}
	if key == "" {
		return nil
	}
	return stream.CheckName("key", key)
}

// field is one member of a JSON object, byte for byte.
type field struct {
	name       string
	raw, value []byte // raw is `"name": value`
}

type fields []field

// split cuts a valid JSON object into its fields.
func split(object []byte) fields {
	var all fields
	dec := json.NewDecoder(bytes.NewReader(object))
	if _, err := dec.Token(); err != nil {
		return nil
	}
	for dec.More() {
		begin := dec.InputOffset()
		name, err := dec.Token()
		if err != nil {
			return nil
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return nil
		}
		raw := bytes.TrimLeft(object[begin:dec.InputOffset()], ", \t\r\n")
		text, _ := name.(string)
		all = append(all, field{text, raw, value})
	}
	return all
}

// get returns a field's value; the last one counts, as in encoding/json.
func (f fields) get(name string) ([]byte, bool) {
	for i := len(f) - 1; i >= 0; i-- {
		if f[i].name == name {
			return f[i].value, true
		}
	}
	return nil, false
}

// text returns a field that is a string.
func (f fields) text(name string) (string, bool) {
	value, ok := f.get(name)
	var s string
	if !ok || value[0] != '"' || json.Unmarshal(value, &s) != nil {
		return "", false
	}
	return s, true
}

// envelope reports whether the fields are those of the form that has its payload in data.
func (f fields) envelope() bool {
	for _, field := range f {
		switch field.name {
		case "kind", "key", "data", "time", "id", "wall":
		default:
			return false
		}
	}
	_, ok := f.get("data")
	return ok
}

// without is the object of all fields but these.
func (f fields) without(names ...string) []byte {
	var rest [][]byte
next:
	for _, field := range f {
		for _, name := range names {
			if field.name == name {
				continue next
			}
		}
		rest = append(rest, field.raw)
	}
	return append(append([]byte("{"), bytes.Join(rest, []byte(", "))...), '}')
}

var utf8Mark = []byte("\xEF\xBB\xBF")

// decode gives a line as UTF-8.
func (p parser) decode(line []byte) []byte {
	switch {
	case p.encoding == "windows-1252":
		return fromWindows1252(line)
	case utf8.Valid(line):
		return bytes.Clone(line)
	case p.encoding == "utf-8":
		return []byte(stream.Text(line))
	}
	return fromWindows1252(line)
}

// windows1252 is what the bytes 0x80 to 0x9f stand for. The five that stand for
// nothing are control characters, as browsers read them.
var windows1252 = [32]rune{
	'€', 0x81, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0x8d, 'Ž', 0x8f,
	0x90, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0x9d, 'ž', 'Ÿ',
}

func fromWindows1252(line []byte) []byte {
	text := make([]byte, 0, len(line)+len(line)/8)
	for _, b := range line {
		r := rune(b)
		if 0x80 <= b && b <= 0x9f {
			r = windows1252[b-0x80]
		}
		text = utf8.AppendRune(text, r)
	}
	return text
}

// withoutMark takes the byte order mark off a whole file, and with it UTF-16.
func withoutMark(data []byte) []byte {
	switch {
	case bytes.HasPrefix(data, utf8Mark):
		return data[len(utf8Mark):]
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		return fromUTF16(data[2:], 0, 1)
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return fromUTF16(data[2:], 1, 0)
	}
	return data
}

func fromUTF16(data []byte, low, high int) []byte {
	units := make([]uint16, 0, len(data)/2)
	for ; len(data) >= 2; data = data[2:] {
		units = append(units, uint16(data[low])|uint16(data[high])<<8)
	}
	return []byte(string(utf16.Decode(units)))
}

// trimLine takes off a carriage return, and says whether anything is left.
func trimLine(line []byte) ([]byte, bool) {
	line = bytes.TrimSuffix(line, []byte("\r"))
	return line, len(bytes.TrimSpace(line)) > 0
}

// replayText reads the notation of replay files: whether a line is one, and
// what it says.
func replayText(line []byte) ([]byte, bool) {
	line, ok := trimLine(line)
	if !ok || line[0] == '#' {
		return nil, false
	}
	if strings.HasPrefix(strings.TrimLeft(string(line), `\`), "#") {
		line = line[1:]
	}
	return line, true
}
