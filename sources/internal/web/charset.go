package web

import (
	"bytes"
	"io"
	"mime"
	"regexp"
	"strings"

	"golang.org/x/net/html/charset"
)

// declared is the encoding that an XML document names at its beginning.
var declared = regexp.MustCompile(`^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._:-]+)["']`)

// UTF8 returns a body as valid UTF-8 without a byte order mark. Its encoding is
// what its byte order mark says, else its Content-Type, else an XML declaration,
// else UTF-8. What can't be read is replaced by U+FFFD.
func UTF8(body []byte, contentType string) []byte {
	label := labelOf(body, contentType)
	if label != "" && !strings.EqualFold(label, "utf-8") {
		if r, err := charset.NewReaderLabel(label, bytes.NewReader(body)); err == nil {
			if decoded, err := io.ReadAll(r); err == nil {
				body = decoded
			}
		}
	}
	return bytes.ToValidUTF8(bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF")), []byte("\uFFFD"))
}

func labelOf(body []byte, contentType string) string {
	switch {
	case bytes.HasPrefix(body, []byte("\xEF\xBB\xBF")):
		return "utf-8"
	case bytes.HasPrefix(body, []byte("\xFE\xFF")):
		return "utf-16be"
	case bytes.HasPrefix(body, []byte("\xFF\xFE")):
		return "utf-16le"
	}
	if _, params, err := mime.ParseMediaType(contentType); err == nil && params["charset"] != "" {
		return params["charset"]
	}
	if found := declared.FindSubmatch(body[:min(len(body), 256)]); found != nil {
		return string(found[1])
	}
	return ""
}
