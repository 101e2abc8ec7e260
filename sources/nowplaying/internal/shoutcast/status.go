package shoutcast

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/repair"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// parseStats reads /stats?json=1 of version 2.
func parseStats(body []byte, c text.Charset) (upstream.Report, error) {
	body, err := repair.JSON(body)
	if err != nil {
		return upstream.Report{}, err
	}
	var stats map[string]json.RawMessage
	if json.Unmarshal(body, &stats) != nil {
		return upstream.Report{}, errors.New("the answer is no JSON object")
	}
	member := func(name string) string {
		s, raw := repair.Text(stats[name])
		if raw {
			return text.Clean(hyphen(s), c)
		}
		return text.Transcoded(hyphen(s), c)
	}
	switch status := member("streamstatus"); status {
	case "0":
		return upstream.Report{State: upstream.Offline}, nil
	case "1":
	default:
		return upstream.Report{}, errors.New("there is no streamstatus in the answer, so this is no Shoutcast server")
	}
	r := upstream.Report{
		Station:   member("servertitle"),
		DJ:        member("dj"),
		Listeners: count(member("currentlisteners")),
		Song:      upstream.Song{Text: member("songtitle")},
	}
	r.Live = r.DJ != ""
	if next := member("nexttitle"); next != "" {
		r.Next = &upstream.Song{Text: next}
	}
	return r, nil
}

// parseCurrentSong reads /currentsong of version 2: the title, and nothing else,
// not even whether it plays.
func parseCurrentSong(body []byte, c text.Charset) (upstream.Report, error) {
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) {
		return upstream.Report{}, errors.New("the answer is a page and no title")
	}
	if len(body) > maxTitle {
		return upstream.Report{}, errors.New("the answer is too long for a title")
	}
	return upstream.Report{Song: upstream.Song{Text: text.Clean(hyphen(string(body)), c)}}, nil
}

const maxTitle = 4 << 10 // bytes

var pageBody = regexp.MustCompile(`(?is)<body[^>]*>(.*?)(?:</body>|$)`)

// parseSeven reads /7.html: listeners, whether it plays, the most listeners, how
// many there may be, different listeners, kbit/s, and the title, which may hold
// commas.
func parseSeven(body []byte, c text.Charset) (upstream.Report, error) {
	if m := pageBody.FindSubmatch(body); m != nil {
		body = m[1]
	}
	fields := strings.SplitN(strings.TrimLeft(string(body), " \t\r\n"), ",", 7)
	if len(fields) < 7 {
		return upstream.Report{}, errors.New("the answer is not the seven fields of a Shoutcast server")
	}
	for i, f := range fields[:6] {
		if _, err := strconv.Atoi(strings.TrimSpace(f)); err != nil {
			return upstream.Report{}, fmt.Errorf("field %d of the answer should be a number", i+1)
		}
	}
	if strings.TrimSpace(fields[1]) == "0" {
		return upstream.Report{State: upstream.Offline}, nil
	}
	return upstream.Report{
		Listeners: count(fields[0]),
		Song:      upstream.Song{Text: text.Clean(hyphen(fields[6]), c)},
	}, nil
}

// hyphen returns a title with " - " for three spaces, which some servers make of it.
func hyphen(title string) string {
	trimmed := strings.TrimSpace(title)
	if strings.Contains(trimmed, " - ") {
		return title
	}
	return strings.Replace(trimmed, "   ", " - ", 1)
}

func count(s string) *int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 0 {
		return nil
	}
	return &n
}
