package webhook

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
)

// byteOrderMark is what some Windows programs put in front of a text.
const byteOrderMark = "\uFEFF"

// decodeText gives text in a charset, by any name that browsers know it by, as
// UTF-8. Without one it is UTF-8, and each byte that is none is read as
// Windows-1252: radio software mixes the two.
func decodeText(text []byte, charset string) ([]byte, error) {
	switch strings.ToLower(charset) {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return repair(bytes.TrimPrefix(text, []byte(byteOrderMark))), nil
	}
	table, err := htmlindex.Get(charset)
	if err != nil {
		return nil, unknownCharset(charset)
	}
	if name, err := htmlindex.Name(table); err != nil || name == "replacement" || name == "x-user-defined" {
		return nil, unknownCharset(charset)
	}
	decoded, err := table.NewDecoder().Bytes(text)
	if err != nil {
		return nil, fmt.Errorf("reading the charset %.40q: %w", charset, err)
	}
	return repair(bytes.TrimPrefix(decoded, []byte(byteOrderMark))), nil
}

func unknownCharset(charset string) error {
	return fmt.Errorf("the charset %.40q is not known; send UTF-8", charset)
}

// repair leaves what is UTF-8 as it is, and reads each other byte as Windows-1252.
func repair(text []byte) []byte {
	if utf8.Valid(text) {
		return text
	}
	repaired := make([]byte, 0, len(text)+len(text)/8)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 {
			r = charmap.Windows1252.DecodeByte(text[0])
		}
		repaired = utf8.AppendRune(repaired, r)
		text = text[size:]
	}
	return repaired
}
