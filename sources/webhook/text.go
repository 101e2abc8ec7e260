package webhook

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// byteOrderMark is what some Windows programs put in front of UTF-8.
var byteOrderMark = []byte("\xEF\xBB\xBF")

// decodeText gives text in a charset as UTF-8. Without one it is UTF-8, and each
// byte that is none is read as Windows-1252: radio software mixes the two.
func decodeText(text []byte, charset string) ([]byte, error) {
	switch strings.ToLower(charset) {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return repair(bytes.TrimPrefix(text, byteOrderMark)), nil
	case "iso-8859-1", "iso8859-1", "latin1", "latin-1", "windows-1252", "cp1252", "cp-1252":
		return fromWindows1252(text), nil
	}
	return nil, fmt.Errorf("the charset %.40q is not known; send UTF-8, or ISO-8859-1 or windows-1252 where that can't be", charset)
}

// windows1252 is what the bytes 0x80 to 0x9f stand for. The five that stand for
// nothing are control characters, as browsers read them.
var windows1252 = [32]rune{
	'€', 0x81, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0x8d, 'Ž', 0x8f,
	0x90, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0x9d, 'ž', 'Ÿ',
}

func runeOf(b byte) rune {
	if 0x80 <= b && b <= 0x9f {
		return windows1252[b-0x80]
	}
	return rune(b)
}

func fromWindows1252(text []byte) []byte {
	decoded := make([]byte, 0, len(text)+len(text)/8)
	for _, b := range text {
		decoded = utf8.AppendRune(decoded, runeOf(b))
	}
	return decoded
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
			r = runeOf(text[0])
		}
		repaired = utf8.AppendRune(repaired, r)
		text = text[size:]
	}
	return repaired
}
