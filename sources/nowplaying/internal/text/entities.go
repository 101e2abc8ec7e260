package text

import (
	"html"
	"strings"
)

// maxEntity is longer than the longest name of an entity.
const maxEntity = 40

// unescape decodes HTML entities once: &amp;eacute; is the text &eacute;. Those
// without a semicolon stay, though browsers read some: in a title "R&Not" is
// meant as it stands.
func unescape(s string) string {
	if !strings.Contains(s, "&") {
		return s
	}
	var b strings.Builder
	for {
		start := strings.IndexByte(s, '&')
		if start < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:start])
		s = s[start:]
		n := entity(s)
		if n == 0 {
			b.WriteByte('&')
			s = s[1:]
			continue
		}
		b.WriteString(html.UnescapeString(s[:n]))
		s = s[n:]
	}
}

// entity returns how long the entity is that s begins with; 0 if it doesn't.
func entity(s string) int {
	end := strings.IndexByte(s[:min(len(s), maxEntity)], ';')
	if end < 2 || strings.ContainsAny(s[1:end], "& ") {
		return 0
	}
	// What is decoded but for its semicolon was a shorter one: &notable; is ¬able;
	text := html.UnescapeString(s[:end+1])
	if text != ";" && strings.HasSuffix(text, ";") {
		return 0
	}
	return end + 1
}
