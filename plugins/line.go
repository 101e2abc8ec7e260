package plugins

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

const (
	// MaxCursor is how long a plugin's cursor may be, in bytes.
	MaxCursor = 2048

	maxID = 256
)

// Line is a line of a plugin's output: an event, or a cursor.
type Line struct {
	Event  sources.Event
	Cursor json.RawMessage // nil for an event
}

// lineFields are the fields that a line may have.
var lineFields = []string{"kind", "data", "key", "id", "time", "wall", "cursor"}

// ParseLine reads a line. The error is a sentence for the plugin's author that
// says what is wrong with it.
func ParseLine(line []byte) (Line, error) {
	if !utf8.Valid(line) {
		return Line{}, errors.New("it is not UTF-8")
	}
	var fields map[string]json.RawMessage
	if trimmed := bytes.TrimLeft(line, " \t"); len(trimmed) == 0 || trimmed[0] != '{' {
		return Line{}, fmt.Errorf("it is no JSON object, but begins with %q; what is not an event belongs on standard error", clip(trimmed, 20))
	}
	if err := json.Unmarshal(line, &fields); err != nil {
		return Line{}, fmt.Errorf("it is not valid JSON: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(lineFields, name) {
			return Line{}, fmt.Errorf("it has the field %q, which neither an event nor a cursor has; what is for the card goes into data", clip([]byte(name), 40))
		}
	}
	if cursor, ok := fields["cursor"]; ok {
		return parseCursorLine(cursor, len(fields))
	}
	return parseEvent(fields)
}

func clip(text []byte, n int) string {
	if len(text) <= n {
		return string(text)
	}
	return strings.ToValidUTF8(string(text[:n]), "") + "…"
}

func parseCursorLine(cursor json.RawMessage, fields int) (Line, error) {
	if fields > 1 {
		return Line{}, errors.New("it is an event and a cursor; write two lines, the cursor after its events")
	}
	var short bytes.Buffer
	if err := json.Compact(&short, cursor); err != nil {
		return Line{}, fmt.Errorf("its cursor is not valid JSON: %w", err)
	}
	if short.Len() > MaxCursor {
		return Line{}, fmt.Errorf("its cursor has %d bytes; %d are allowed", short.Len(), MaxCursor)
	}
	return Line{Cursor: short.Bytes()}, nil
}

func parseEvent(fields map[string]json.RawMessage) (Line, error) {
	var e sources.Event
	var id, when string
	for _, f := range []struct {
		name string
		to   *string
	}{{"kind", &e.Kind}, {"key", &e.Key}, {"wall", &e.Wall}, {"id", &id}, {"time", &when}} {
		if raw, ok := fields[f.name]; ok && json.Unmarshal(raw, f.to) != nil {
			return Line{}, fmt.Errorf("its %s is %s, not a text", f.name, clip(raw, 40))
		}
	}
	if e.Kind != "" {
		if err := stream.CheckKind(e.Kind); err != nil {
			return Line{}, err
		}
	}
	if e.Key != "" {
		if err := stream.CheckName("key", e.Key); err != nil {
			return Line{}, err
		}
	}
	if e.Wall != "" {
		if err := stream.CheckName("wall", e.Wall); err != nil {
			return Line{}, err
		}
	}
	if len(id) > maxID {
		return Line{}, fmt.Errorf("its id has %d bytes; %d are allowed", len(id), maxID)
	}
	e.ID = id
	if when != "" {
		t, err := time.Parse(time.RFC3339, when)
		if err != nil || t.Year() < 1 {
			return Line{}, fmt.Errorf("its time is %q; write it as 2006-01-02T15:04:05Z", clip([]byte(when), 40))
		}
		e.Time = t
	}
	var err error
	e.Data, err = parseData(fields["data"])
	return Line{Event: e}, err
}

// parseData is the payload of an event: the text, or the object byte for byte.
func parseData(raw json.RawMessage) ([]byte, error) {
	switch {
	case raw == nil:
		return nil, errors.New(`it has neither data nor a cursor; an event looks like {"data": "text"} or {"data": {"text": "…"}}`)
	case raw[0] == '{':
		return raw, nil
	case raw[0] != '"':
		return nil, fmt.Errorf("its data is %s; it wants a text or an object", clip(raw, 40))
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, fmt.Errorf("its data is not valid JSON: %w", err)
	}
	if text == "" {
		return nil, errors.New("its data is an empty text")
	}
	return []byte(text), nil
}
