package stream

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// Content is what the standard cards understand of a payload. Every field may
// be empty. Its strings are valid UTF-8 and otherwise untrusted.
type Content struct {
	Text, Title string
	URL, Image  string // as given: not checked to be http or https
	Author      Author
	Time        time.Time                  // when it happened, as the payload says
	Expires     time.Time                  // when the card should go
	Fields      map[string]json.RawMessage // every field of a JSON payload; nil for flat text
}

// Author is who an event is from.
type Author struct {
	Name, URL, Image string
}

// contentFields are the payload fields of [Content].
var contentFields = []string{"text", "title", "url", "image", "author", "time", "expires"}

// KnownField reports whether name is a payload field of [Content].
func KnownField(name string) bool {
	for _, f := range contentFields {
		if f == name {
			return true
		}
	}
	return false
}

// Text returns data as valid UTF-8: what isn't is replaced by U+FFFD.
func Text(data []byte) string {
	if utf8.Valid(data) {
		return string(data)
	}
	return strings.ToValidUTF8(string(data), "\uFFFD")
}

// IsObject reports whether data is a JSON object.
func IsObject(data []byte) bool {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	return len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(data)
}

// ParseContent reads a payload: the fields of a JSON object, else flat text. A
// field of the wrong type counts as absent, for a card should rather show the
// rest than nothing; numbers and booleans are taken as their text.
func ParseContent(data []byte) Content {
	if !IsObject(data) {
		return Content{Text: strings.TrimRight(Text(data), "\r\n")}
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(Text(data)), &fields) != nil {
		return Content{Text: Text(data)}
	}
	return Content{
		Text:    scalar(fields["text"]),
		Title:   scalar(fields["title"]),
		URL:     scalar(fields["url"]),
		Image:   scalar(fields["image"]),
		Author:  parseAuthor(fields["author"]),
		Time:    parseTime(fields["time"]),
		Expires: parseTime(fields["expires"]),
		Fields:  fields,
	}
}

// String returns a further field as text; "" when it is absent or no scalar.
func (c Content) String(name string) string { return scalar(c.Fields[name]) }

func scalar(raw json.RawMessage) string {
	if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' || string(raw) == "null" {
		return ""
	}
	if raw[0] != '"' {
		return string(raw)
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

func parseAuthor(raw json.RawMessage) Author {
	if len(raw) > 0 && raw[0] == '{' {
		var fields map[string]json.RawMessage
		if json.Unmarshal(raw, &fields) != nil {
			return Author{}
		}
		return Author{scalar(fields["name"]), scalar(fields["url"]), scalar(fields["image"])}
	}
	return Author{Name: scalar(raw)}
}

// parseTime reads RFC 3339, or seconds since 1970.
func parseTime(raw json.RawMessage) time.Time {
	s := scalar(raw)
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t
	}
	var seconds float64
	if json.Unmarshal([]byte(s), &seconds) != nil || seconds <= 0 || seconds > 253402300799 { // the year 9999
		return time.Time{}
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC()
}
