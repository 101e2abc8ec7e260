package bench

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"time"
)

// marker is what bench writes into a payload, to know it again.
type marker struct {
	number int           // of the event, in the run
	part   int           // its number among those of the filtered kind; -1 for the others
	sent   time.Duration // since the run began
}

// marking writes and finds the markers of one run:
// "bench-<run>-<number>-<part+1>-<nanoseconds>;". The characters are such that
// neither JSON nor HTML writes them otherwise.
type marking struct{ prefix []byte }

func newMarking() marking {
	var run [4]byte
	rand.Read(run[:])
	return marking{[]byte("bench-" + hex.EncodeToString(run[:]) + "-")}
}

// minPayload is room for any marker.
const minPayload = 72

const filler = " the wall under load, one line of many that all viewers are to see once and in order;"

// payload makes an event's payload of exactly size bytes.
func (m marking) payload(dst []byte, mark marker, size int) []byte {
	dst = append(dst, m.prefix...)
	dst = strconv.AppendInt(dst, int64(mark.number), 10)
	dst = append(dst, '-')
	dst = strconv.AppendInt(dst, int64(mark.part+1), 10)
	dst = append(dst, '-')
	dst = strconv.AppendInt(dst, int64(mark.sent), 10)
	dst = append(dst, ';')
	for len(dst) < size {
		dst = append(dst, filler[:min(len(filler), size-len(dst))]...)
	}
	return dst
}

// find returns the marker within an event's data, in whatever representation.
func (m marking) find(data []byte) (marker, bool) {
	if !bytes.HasPrefix(data, m.prefix) {
		at := bytes.Index(data, m.prefix)
		if at < 0 {
			return marker{}, false
		}
		data = data[at:]
	}
	data = data[len(m.prefix):]
	number, data, ok1 := digits(data, '-')
	part, data, ok2 := digits(data, '-')
	sent, _, ok3 := digits(data, ';')
	return marker{int(number), int(part) - 1, time.Duration(sent)}, ok1 && ok2 && ok3
}

// digits reads a number that ends with a character.
func digits(b []byte, end byte) (uint64, []byte, bool) {
	var n uint64
	for i, c := range b {
		switch {
		case c == end && i > 0:
			return n, b[i+1:], true
		case c < '0' || c > '9' || i >= 18:
			return 0, nil, false
		}
		n = 10*n + uint64(c-'0')
	}
	return 0, nil, false
}

// sequence is the number in an event's id, "<epoch>-<sequence>".
func sequence(id []byte) (uint64, bool) {
	at := bytes.LastIndexByte(id, '-')
	if at <= 0 || at == len(id)-1 || len(id)-at > 20 {
		return 0, false
	}
	var n uint64
	for _, c := range id[at+1:] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + uint64(c-'0')
	}
	return n, true
}
