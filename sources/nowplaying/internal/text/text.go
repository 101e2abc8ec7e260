// Package text makes readable text of what radio software sends as titles: bytes
// in a charset that nobody names, with HTML entities, with UTF-8 taken for
// Latin-1 on the way, with padding and stray control characters.
package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
)

// Charset is the encoding that a station sends its titles in. The zero Charset
// finds out for each title: valid UTF-8 is UTF-8, anything else Windows-1252,
// which holds Latin-1's letters.
type Charset struct {
	name    string
	table   encoding.Encoding // nil: UTF-8, or find out
	western bool              // Windows-1252, whose unused bytes are kept as control characters
}

// ParseCharset returns the charset of that name, as browsers know it: utf-8,
// windows-1252, iso-8859-15, windows-1251, koi8-r, shift_jis and so on, in any
// case. iso-8859-1 is Windows-1252, of which it is a part. The empty name and
// "auto" are the zero Charset.
func ParseCharset(name string) (Charset, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if name == "" || name == "auto" {
		return Charset{}, nil
	}
	table, err := htmlindex.Get(name)
	if err != nil {
		return Charset{}, unknown(name)
	}
	switch name, err := htmlindex.Name(table); {
	case err != nil, name == "replacement", name == "x-user-defined", strings.HasPrefix(name, "utf-16"):
		return Charset{}, unknown(name)
	case name == "utf-8":
		return Charset{name: name}, nil
	default:
		return Charset{name: name, table: table, western: table == charmap.Windows1252}, nil
	}
}

func unknown(name string) error {
	return fmt.Errorf("%.40q is no charset that is known; utf-8, windows-1252, iso-8859-15 and windows-1251 are some, and without one each title is looked at", name)
}

// String returns the charset's name, and "auto" for the zero Charset.
func (c Charset) String() string {
	if c.name == "" {
		return "auto"
	}
	return c.name
}

// Clean makes text of raw, the bytes as the radio's software sent them: decoded
// from the charset, HTML entities decoded once, without control characters, with
// one space where there was any white space, and none around it. UTF-8 that was
// taken for Latin-1 on the way is put right where that leaves no doubt, unless c
// is an 8-bit charset, which is then believed.
func Clean[T ~[]byte | ~string](raw T, c Charset) string {
	s := c.decode(string(raw))
	if c.table == nil {
		s = unmangle(s)
	}
	return tidy(unescape(s))
}

// Transcoded makes text of s as Clean does, where s was decoded before by a server
// that may have taken what the station sent for Latin-1, as Icecast does. If c is
// set, and s holds nothing that isn't in Latin-1, the station's bytes are
// recovered and decoded from c.
func Transcoded(s string, c Charset) string {
	if !utf8.ValidString(s) {
		return Clean(s, c)
	}
	if c.table == nil {
		s = unmangle(s)
	} else if raw, ok := latin1(s); ok {
		s = c.decode(raw)
	}
	return tidy(unescape(s))
}

// decode returns s in UTF-8. What can't be read becomes U+FFFD.
func (c Charset) decode(s string) string {
	switch {
	case c.table == nil && (utf8.ValidString(s) || c.name != ""):
		return strings.ToValidUTF8(s, "\uFFFD")
	case c.table == nil || c.western:
		return decode1252(s)
	}
	s, err := c.table.NewDecoder().String(s)
	if err != nil { // the decoders replace rather than fail
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return s
}

// tidy removes what isn't text, and white space that says nothing.
func tidy(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case !printed(r):
			continue
		case space:
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// printed reports whether r belongs into a title. Overrides of the writing
// direction don't: they turn round what stands after the title. Marks and joiners
// do, for Arabic, Persian, Hebrew and emoji need them.
func printed(r rune) bool {
	switch {
	case unicode.IsControl(r), r >= '\u202A' && r <= '\u202E', r >= '\uFFF9' && r <= '\uFFFB':
		return false
	case r == '\uFEFF', r == '\u200B', r == '\u2060', r&0xFFFE == 0xFFFE, r >= '\uFDD0' && r <= '\uFDEF':
		return false
	}
	return true
}
