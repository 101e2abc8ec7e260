//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"
)

// marker begins the data of an event: its number, the time of its publication in
// Unix microseconds (0: not told), and whether it is the last one.
const (
	marker     = "data: x"
	numberSize = 9
	timeSize   = 16
	markSize   = numberSize + 1 + timeSize + 1 + 1
	lastMark   = '!'

	payloadSize = 200
)

var padding = strings.Repeat("y", payloadSize-len("x")-markSize)

// message is the payload of an event.
func message(number int, at time.Time, last bool) []byte {
	stamp, end := int64(0), '.'
	if !at.IsZero() {
		stamp = at.UnixMicro()
	}
	if last {
		end = lastMark
	}
	return fmt.Appendf(nil, "x%0*d %0*d %c%s", numberSize, number, timeSize, stamp, end, padding)
}

// mark is what the marker of an event says.
type mark struct {
	number int
	stamp  int64
	last   bool
}

// parseMark reads what stands behind the marker; b has at least markSize bytes.
func parseMark(b []byte) mark {
	return mark{
		number: int(digits(b[:numberSize])),
		stamp:  digits(b[numberSize+1 : numberSize+1+timeSize]),
		last:   b[markSize-1] == lastMark,
	}
}

func digits(b []byte) int64 {
	n := int64(0)
	for _, c := range b {
		n = 10*n + int64(c-'0')
	}
	return n
}
