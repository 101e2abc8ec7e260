package text

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// from1252 is Windows-1252, where the five bytes that it leaves unused are the
// control characters that they are in Latin-1. to1252 is its reverse beyond Latin-1.
var from1252, to1252 = func() (from [256]rune, to map[rune]byte) {
	to = map[rune]byte{}
	for b := range 256 {
		r := charmap.Windows1252.DecodeByte(byte(b))
		if r == utf8.RuneError {
			r = rune(b)
		}
		from[b] = r
		if r > 0xFF {
			to[r] = byte(b)
		}
	}
	return from, to
}()

func decode1252(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/4)
	for i := range len(s) {
		b.WriteRune(from1252[s[i]])
	}
	return b.String()
}

// latin1 returns the bytes that s is if it was decoded as Latin-1, or as
// Windows-1252; false if it can't have been, or if there is nothing to tell it.
// Programs mix the two, so a byte may be read back from either.
func latin1(s string) (raw string, ok bool) {
	bytes := make([]byte, 0, len(s))
	for _, r := range s {
		b, known := to1252[r]
		switch {
		case r <= 0xFF:
			b = byte(r)
		case !known:
			return "", false
		}
		bytes = append(bytes, b)
		ok = ok || b >= utf8.RuneSelf
	}
	return string(bytes), ok
}

// unmangle reverses UTF-8 that was taken for Latin-1, as often as that happened.
// It does so only where all of s is the trace of valid UTF-8: a single letter that
// isn't shows that s is right as it is.
func unmangle(s string) string {
	for {
		raw, ok := latin1(s)
		if !ok || !utf8.ValidString(raw) {
			return s
		}
		s = raw // shorter, so this ends
	}
}
