package icy

import (
	"bytes"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

var (
	titleKey = []byte("StreamTitle='")

	// nextKey is where what stands behind a title begins.
	nextKey = regexp.MustCompile(`';\s*[A-Za-z][A-Za-z0-9_]*='`)

	pair = regexp.MustCompile(`([A-Za-z][A-Za-z0-9_]*)='(.*?)';`)
)

// parseBlock reads a block of metadata, as
//
//	StreamTitle='Artist - Title';StreamUrl='https://…';
//
// with NULs or spaces behind it. Nothing in it is escaped: a title may hold quotes
// and semicolons, and ends where another key begins, or with the last of them.
// false means that the block tells no title, not even an empty one.
func parseBlock(raw []byte, c text.Charset) (upstream.Song, bool) {
	raw = bytes.TrimRight(raw, "\x00 ")
	_, raw, ok := bytes.Cut(raw, titleKey)
	if !ok {
		return upstream.Song{}, false
	}
	title, rest := raw, []byte(nil)
	if at := nextKey.FindIndex(raw); at != nil {
		title, rest = raw[:at[0]], raw[at[0]+len("';"):]
	} else if at := bytes.LastIndex(raw, []byte("';")); at >= 0 {
		title = raw[:at]
	} else {
		title = bytes.TrimSuffix(raw, []byte("'")) // cut short
	}
	song := upstream.Song{Text: text.Clean(title, c)}
	for _, m := range pair.FindAllSubmatch(rest, -1) {
		value := string(m[2])
		switch string(m[1]) {
		case "StreamUrl":
			song.Art = picture(value)
		case "adw_ad": // what servers that put in advertisements call them
			if value == "true" {
				song.Type = "ad"
			}
		case "durationMilliseconds":
			if ms, err := strconv.Atoi(value); err == nil && ms > 0 && ms < int(time.Hour/time.Millisecond) {
				song.Duration = time.Duration(ms) * time.Millisecond
			}
		}
	}
	return song, true
}

// picture returns an address if it is one of a picture. Most are the station's
// page.
func picture(address string) string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	switch strings.ToLower(path.Ext(u.Path)) {
	case ".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif":
		return u.String()
	}
	return ""
}
