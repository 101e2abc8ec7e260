package feed

import (
	"regexp"
	"strings"
	"time"
)

// layouts are how feeds write a time, without the day's name and with a zone's offset.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00",
	"2 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04 -0700", "2 Jan 06 15:04:05 -0700", "2 Jan 06 15:04 -0700",
	"2 January 2006 15:04:05 -0700", "Jan 2 2006 15:04:05 -0700", "January 2 2006 15:04:05 -0700",
	"2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05Z07:00", "2 Jan 2006 15:04:05 -07:00",
	// Without a zone it is taken for UTC.
	"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02", "2006-01", "2 Jan 2006 15:04:05", "2 Jan 2006",
}

// zones are the names of zones that RFC 822 has, for Go does not know them.
var zones = map[string]string{
	"UT": "+0000", "UTC": "+0000", "GMT": "+0000", "Z": "+0000",
	"EST": "-0500", "EDT": "-0400", "CST": "-0600", "CDT": "-0500", "MST": "-0700", "MDT": "-0600", "PST": "-0800", "PDT": "-0700",
	"CET": "+0100", "CEST": "+0200", "BST": "+0100",
}

var (
	dayName  = regexp.MustCompile(`^(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+`)
	zoneName = regexp.MustCompile(`\s([A-Z]{1,4})$`)
)

// parseTime reads a time as feeds write them; the zero time for what is none.
func parseTime(text string) time.Time {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 64 {
		return time.Time{}
	}
	text = dayName.ReplaceAllString(text, "")
	text = zoneName.ReplaceAllStringFunc(text, func(zone string) string {
		if offset, known := zones[zone[1:]]; known {
			return " " + offset
		}
		return zone
	})
	text = strings.ReplaceAll(text, ",", "")
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 && t.Year() <= 9999 {
			return t.UTC()
		}
	}
	return time.Time{}
}
