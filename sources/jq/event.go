package jq

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/itchyny/gojq"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

// input is a payload as a program sees it.
func input(data []byte) (any, error) {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '{' && trimmed[0] != '[' || !json.Valid(data) {
		return stream.Text(data), nil
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(stream.Text(data))))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("reading the payload: %w", err)
	}
	return value, nil
}

// about is $about.
func about(e sources.Event) map[string]any {
	all := make(map[string]any, len(e.About))
	for name, value := range e.About {
		all[name] = stream.Text([]byte(value))
	}
	return all
}

// about is $event.
func (p *Program) about(e sources.Event) map[string]any {
	source := e.Origin.Source
	if source == "" {
		source = p.source
	}
	known := map[string]any{"time": clock(e.Time)}
	for name, value := range map[string]string{"wall": e.Wall, "kind": e.Kind, "key": e.Key, "id": e.ID, "source": source} {
		known[name] = nil
		if value != "" {
			known[name] = stream.Text([]byte(value))
		}
	}
	return known
}

var errArray = errors.New("it makes an array, which is no event; .[] makes one event of each item")

// output is one output of a program as an event; false for none.
func (r *run) output(value any) (sources.Event, bool, error) {
	if _, err := size(value); err != nil {
		return sources.Event{}, false, err
	}
	e := r.event
	switch value := value.(type) {
	case nil:
		return e, false, nil
	case string:
		e.Data = []byte(value)
		return e, value != "", nil
	case map[string]any:
		made, err := r.object(value)
		return made, err == nil, err
	case []any:
		return e, false, errArray
	default:
		text, err := gojq.Marshal(value)
		if err != nil {
			return e, false, err
		}
		return e, false, fmt.Errorf("it makes the value %s, which is no event; an event is an object or a text, such as {text: %s}", text, text)
	}
}

// envelope are the fields of an object that is an event as a whole.
var envelope = []string{"data", "kind", "key", "id", "time", "wall"}

func enveloped(object map[string]any) bool {
	if _, ok := object["data"]; !ok {
		return false
	}
	known := 0
	for _, name := range envelope {
		if _, ok := object[name]; ok {
			known++
		}
	}
	return known == len(object)
}

func (r *run) object(object map[string]any) (sources.Event, error) {
	e := r.event
	if enveloped(object) {
		return r.whole(object)
	}
	payload := object
	if _, ok := object["kind"].(string); ok {
		if err := address(&e, object); err != nil {
			return e, err
		}
		payload = make(map[string]any, len(object))
		for name, value := range object {
			if name != "kind" && name != "key" {
				payload[name] = value
			}
		}
	}
	data, err := gojq.Marshal(payload)
	e.Data = data
	return e, err
}

// whole is the event that an object with data describes.
func (r *run) whole(object map[string]any) (sources.Event, error) {
	e := r.event
	if err := address(&e, object); err != nil {
		return e, err
	}
	if id, err := text("id", object["id"]); err != nil {
		return e, err
	} else if id != "" {
		e.ID, e.Origin.ID = id, ""
	}
	wall, err := text("wall", object["wall"])
	if err != nil {
		return e, err
	} else if wall != "" {
		e.Wall = wall
	}
	if e.Time, err = when(object["time"], e.Time); err != nil {
		return e, err
	}
	switch data := object["data"].(type) {
	case string:
		e.Data = []byte(data)
	case map[string]any:
		e.Data, err = gojq.Marshal(data)
	default:
		shown, _ := gojq.Marshal(data) // of what was measured
		return e, fmt.Errorf("its data is %.100s; an event's data is a text or an object", shown)
	}
	if err == nil && len(e.Data) == 0 {
		err = errors.New("its data is the empty text")
	}
	return e, err
}

// address takes kind and key from an object.
func address(e *sources.Event, object map[string]any) error {
	kind, err := text("kind", object["kind"])
	if err == nil && kind != "" {
		if err = stream.CheckKind(kind); err == nil {
			if kind != e.Kind {
				e.Origin.Type = ""
			}
			e.Kind = kind
		}
	}
	if err != nil {
		return err
	}
	key, err := text("key", object["key"])
	if err == nil && key != "" {
		err, e.Key = stream.CheckName("key", key), key
	}
	return err
}

// text is a field that is a text or a number; "" for none.
func text(field string, value any) (string, error) {
	switch value := value.(type) {
	case nil:
		return "", nil
	case string:
		return value, nil
	case json.Number:
		return value.String(), nil
	case int:
		return fmt.Sprint(value), nil
	}
	shown, err := gojq.Marshal(value)
	if err != nil {
		return "", err
	}
	return "", fmt.Errorf("its %s is %.100s; it should be a text", field, shown)
}

// latest is the year 9999, the last that RFC 3339 writes.
const latest = 253402300799

// when reads a time; fallback for none.
func when(value any, fallback time.Time) (time.Time, error) {
	if value == nil {
		return fallback, nil
	}
	if s, ok := value.(string); ok {
		if t, err := time.Parse(time.RFC3339, s); err == nil && t.Year() > 0 {
			return t, nil
		}
	} else if seconds, ok := gojq.ToFloat64(value); ok && seconds > 0 && seconds <= latest {
		whole, fraction := math.Modf(seconds)
		return time.Unix(int64(whole), int64(fraction*1e9)).UTC(), nil
	}
	shown, err := gojq.Marshal(value)
	if err != nil {
		return fallback, err
	}
	return fallback, fmt.Errorf("its time is %.100s; it should be as 2026-01-31T12:00:00Z, or seconds since 1970", shown)
}
