package sse

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/wallcast/wallcast/stream"
)

// representation is what an event looks like to a viewer.
type representation uint8

const (
	asPayload  representation = iota // the payload as published
	asJSON                           // an object with id, kind, key, time, source, data
	asHTML                           // the rendered card
	asJSONHTML                       // asJSON and the card in a field html: what a poll with as=html gets
	representations
)

// hasCard reports whether a representation holds the rendered card.
func (r representation) hasCard() bool { return r == asHTML || r == asJSONHTML }

// Names of our events. No kind can be called so: a kind has no colon.
const (
	helloEvent   = "wall:hello"
	pingEvent    = "wall:ping"
	kindEvent    = "wall:kind"
	gapEvent     = "wall:gap"
	retractEvent = "wall:retract"
	byeEvent     = "wall:bye"
)

// item is an event as=json and in the answer to a poll.
type item struct {
	ID     string          `json:"id"`
	Kind   string          `json:"kind"`
	Key    string          `json:"key,omitempty"`
	Time   string          `json:"time"`
	Source string          `json:"source,omitempty"`
	Data   json.RawMessage `json:"data"`
	HTML   string          `json:"html,omitempty"`
}

type hello struct {
	Wall  string      `json:"wall"`
	Build string      `json:"build"`
	Head  string      `json:"head"`
	Kinds []kindLabel `json:"kinds"`
}

type kindLabel struct {
	Kind  string `json:"kind"`
	Label string `json:"label"`
}

type pingData struct {
	Time    int64 `json:"time"` // Unix milliseconds
	Viewers int   `json:"viewers"`
}

// gap says that events are missing from what a viewer gets.
type gap struct {
	From   string `json:"from"`  // the id that was asked for, or the last one that was considered
	First  string `json:"first"` // from here on everything is held; nothing is held when it is past the head
	Reason string `json:"reason"`
}

// Reasons of a gap.
const (
	gapExpired   = "expired"   // the history no longer goes back to the id
	gapRecreated = "recreated" // the id is of another life of the wall's store
	gapFuture    = "future"    // the id was never given out
	gapUnknown   = "unknown"   // it is no id of ours
)

type retractData struct {
	ID string `json:"id"`
}

type bye struct {
	Reason string `json:"reason"`
	Retry  int64  `json:"retry"` // milliseconds
}

// Reasons of a bye.
const (
	byeFull        = "full"
	byeUnavailable = "unavailable"
	byeReset       = "reset"
	byeShutdown    = "shutdown"
	byeRemoved     = "removed"
	byeAccess      = "access"
)

// appendEvent appends one block: an event of the given name ("" is a message)
// and id, with text as its data.
func appendEvent(dst []byte, name string, id stream.ID, text string) []byte {
	if name != "" {
		dst = append(dst, "event: "...)
		dst = append(dst, name...)
		dst = append(dst, '\n')
	}
	if !id.IsZero() {
		dst = append(dst, "id: "...)
		dst = append(dst, id.Epoch...)
		dst = append(dst, '-')
		dst = strconv.AppendUint(dst, id.Seq, 10)
		dst = append(dst, '\n')
	}
	dst = appendData(dst, text)
	return append(dst, '\n')
}

// appendData writes one data line per line of text. A parser of event streams
// ends a line at CR, LF and CRLF alike, so each of them ends one here:
// otherwise a payload could write fields of its own.
func appendData(dst []byte, text string) []byte {
	for {
		dst = append(dst, "data: "...)
		end := strings.IndexAny(text, "\r\n")
		if end < 0 {
			dst = append(dst, text...)
			return append(dst, '\n')
		}
		dst = append(dst, text[:end]...)
		dst = append(dst, '\n')
		if strings.HasPrefix(text[end:], "\r\n") {
			end++
		}
		text = text[end+1:]
	}
}

// appendOurs appends an in-band event of ours.
func appendOurs(dst []byte, name string, id stream.ID, data any) []byte {
	return appendEvent(dst, name, id, string(marshal(data)))
}

// appendRetry appends the field that tells a browser after how long to reconnect.
func appendRetry(dst []byte, d time.Duration) []byte {
	dst = append(dst, "retry: "...)
	dst = strconv.AppendInt(dst, d.Milliseconds(), 10)
	return append(dst, '\n')
}

// appendBye appends the last event of a stream. The retry field stands in the
// same block, so that a browser's own reconnection keeps to it too.
func appendBye(dst []byte, id stream.ID, reason string, retry time.Duration) []byte {
	dst = appendRetry(dst, retry)
	return appendOurs(dst, byeEvent, id, bye{reason, retry.Milliseconds()})
}

// eventName is the SSE name of a kind: none for a message.
func eventName(kind string) string {
	if kind == stream.Message {
		return ""
	}
	return kind
}

// encode makes the block of an event. html is the rendered card, where the
// representation needs it.
func encode(e stream.Event, rep representation, html []byte) []byte {
	var text string
	switch rep {
	case asPayload:
		text = stream.Text(e.Data)
	case asHTML:
		text = stream.Text(html)
	case asJSON, asJSONHTML:
		text = string(encodeItem(e, html))
	}
	size := len("event: id: \n\n\n") + len(e.Subject.Kind) + len(e.ID.Epoch) + 21 + len(text) + len("data: \n")*(1+strings.Count(text, "\n"))
	return appendEvent(make([]byte, 0, size), eventName(e.Subject.Kind), e.ID, text)
}

// encodeItem makes the JSON object of an event, on one line.
func encodeItem(e stream.Event, html []byte) []byte {
	it := item{
		ID:     e.ID.String(),
		Kind:   e.Subject.Kind,
		Key:    e.Subject.Key,
		Time:   e.Time.UTC().Format(time.RFC3339Nano),
		Source: e.Source,
		HTML:   stream.Text(html),
	}
	if stream.IsObject(e.Data) {
		it.Data = json.RawMessage(stream.Text(e.Data))
	} else {
		it.Data = marshal(stream.Text(e.Data))
	}
	return marshal(it)
}

// encodeRetract makes the block of a retraction, the same in every representation.
func encodeRetract(e stream.Event) []byte {
	return appendOurs(nil, retractEvent, e.ID, retractData{e.Target.String()})
}

// retractItem makes the JSON object of a retraction for the answer to a poll.
func retractItem(e stream.Event) []byte {
	return marshal(item{
		ID:   e.ID.String(),
		Kind: retractEvent,
		Time: e.Time.UTC().Format(time.RFC3339Nano),
		Data: marshal(retractData{e.Target.String()}),
	})
}

// itemOf returns the JSON object within a block that was encoded as JSON.
func itemOf(block []byte) []byte {
	_, object, _ := bytes.Cut(block, []byte("data: "))
	return bytes.TrimRight(object, "\n")
}

// marshal is json.Marshal without the escapes that protect HTML pages: what we
// write is data, and is to look as it was published. It cannot fail for the
// types of this package: strings, numbers and objects that were found valid.
func marshal(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("sse: encoding an event: " + err.Error())
	}
	return bytes.TrimRight(buf.Bytes(), "\n")
}
