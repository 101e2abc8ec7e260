package views

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what a card shows, in characters. The payload itself is kept whole.
const (
	maxText  = 4000
	maxTitle = 240
	maxName  = 80
	maxValue = 280
	maxIcon  = 8 // some emoji are a row of seven

	// longText is where a text begins folded.
	longText  = 560
	longLines = 10

	// maxMarks is how many combining marks may sit on one character. No script
	// needs as many; without a bound they would paint over the whole page.
	maxMarks = 6
)

// display makes s fit to be shown: without control characters and without the
// characters that reorder the text around them, with a bound on combining
// marks, and with at most limit characters. With lines, line breaks are kept,
// two in a row at most; without, white space becomes single spaces.
func display(s string, limit int, lines bool) string {
	var b strings.Builder
	count, marks, breaks, space := 0, 0, 0, false
	for _, r := range s {
		switch {
		case r == '\n' || r == '\u2028' || r == '\u2029' || r == '\v' || r == '\f':
			if breaks++; !lines {
				space = true
			}
			continue
		case unicode.IsSpace(r):
			space = true
			continue
		case hidden(r):
			continue
		case unicode.In(r, unicode.Mn, unicode.Me):
			if marks++; marks > maxMarks {
				continue
			}
		default:
			marks = 0
		}
		if count == limit {
			return b.String() + "…"
		}
		if b.Len() > 0 {
			switch {
			case lines && breaks > 0:
				b.WriteString("\n\n"[:min(breaks, 2)])
			case space:
				b.WriteByte(' ')
			}
		}
		breaks, space = 0, false
		b.WriteRune(r)
		count++
	}
	return b.String()
}

// hidden reports whether r shows as nothing and can only mislead: controls,
// explicit directions, line-noise of the interlinear kind, and replacement of
// what was no UTF-8 is left for the reader to see.
func hidden(r rune) bool {
	switch {
	case unicode.Is(unicode.Cc, r), '\u202a' <= r && r <= '\u202e', '\u2066' <= r && r <= '\u2069':
		return true
	case '\ufff9' <= r && r <= '\ufffb', r == '\ufeff':
		return true
	}
	return false
}

// Clean returns s without what could mislead where it is shown: control characters
// but line breaks, characters that reorder the text around them, and more combining
// marks on one character than any script needs. Markup stays: it is not escaped.
func Clean(s string) string {
	marks := 0
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			marks = 0
			return r
		case unicode.IsSpace(r):
			marks = 0
			return ' '
		case hidden(r):
			return -1
		case unicode.In(r, unicode.Mn, unicode.Me):
			if marks++; marks > maxMarks {
				return -1
			}
		default:
			marks = 0
		}
		return r
	}, s)
}

func line(s string, limit int) string { return display(s, limit, false) }

// span is a piece of a text; a link when Href is set.
type span struct {
	Text string
	Href string
}

// maxLinks bounds the links of one text.
const maxLinks = 50

// autolink parts a text that was made fit for display at its http and https
// addresses.
func autolink(s string) []span {
	var spans []span
	from := 0
	for at := 0; at < len(s) && len(spans) < 2*maxLinks; {
		i := strings.Index(s[at:], "://")
		if i < 0 {
			break
		}
		start := schemeBefore(s, at+i)
		if start < from {
			at += i + len("://")
			continue
		}
		end := start + addressLength(s[start:])
		href := webAddress(s[start:end])
		if href == "" {
			at += i + len("://")
			continue
		}
		if start > from {
			spans = append(spans, span{Text: s[from:start]})
		}
		spans = append(spans, span{Text: s[start:end], Href: href})
		from, at = end, end
	}
	if from < len(s) {
		spans = append(spans, span{Text: s[from:]})
	}
	return spans
}

// schemeBefore returns where "http" or "https" begins that ends at i, and -1
// when something else stands there.
func schemeBefore(s string, i int) int {
	for _, scheme := range []string{"https", "http"} {
		start := i - len(scheme)
		if start < 0 || !strings.EqualFold(s[start:i], scheme) {
			continue
		}
		if before, _ := utf8.DecodeLastRuneInString(s[:start]); start == 0 || !unicode.IsLetter(before) && !unicode.IsDigit(before) {
			return start
		}
	}
	return -1
}

// addressLength returns how much of s is the address that s begins with. What
// ends a sentence around it is not part of it.
func addressLength(s string) int {
	end := strings.IndexFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune("<>\"`{}|\\^", r)
	})
	if end < 0 {
		end = len(s)
	}
	for end > 0 {
		last, size := utf8.DecodeLastRuneInString(s[:end])
		switch {
		case last == ')' && strings.Count(s[:end], "(") >= strings.Count(s[:end], ")"):
			return end
		case !strings.ContainsRune(".,;:!?'\")]*_~«»“”‘’…。、", last):
			return end
		}
		end -= size
	}
	return 0
}

// webAddress returns s as an address that is safe to link to: http or https, a
// host, and nobody's name before it (which would pass for the host). Else "".
func webAddress(s string) string {
	if len(s) > 2048 || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || hidden(r) }) {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return ""
	}
	return u.String()
}

// hostOf returns the host of an address that webAddress gave.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return line(strings.TrimPrefix(u.Hostname(), "www."), maxName)
}

// initial is the first letter or digit of a name, for where a picture would be.
func initial(name string) string {
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return ""
}
