package plugins

import (
	"bytes"
	"encoding/json"
	"time"
)

// Trigger is what a plugin reads on standard input: one JSON object on one line.
type Trigger struct {
	Trigger Kind            `json:"trigger"`
	Time    time.Time       `json:"time"`    // when it was set off
	Attempt int             `json:"attempt"` // from 1
	Cursor  json.RawMessage `json:"cursor"`  // the newest that the plugin gave, or null
	Config  json.RawMessage `json:"config"`  // as in the configuration, or null
	Input   json.RawMessage `json:"input"`   // depends on Trigger, see there, or null
}

// marshal writes JSON on one line, and < as it is: plugins without a JSON library
// read it, too.
func marshal(v any) ([]byte, error) {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(line.Bytes(), "\n"), nil
}

// Kind is what sets a plugin off.
type Kind string

// The kinds of triggers.
const (
	HTTP   Kind = "http"   // a request to /hooks/NAME; the input is a Request
	Every  Kind = "every"  // so much time has passed; the input is null, or a Fetched
	Cron   Kind = "cron"   // the clock; the input is as for Every
	On     Kind = "on"     // an event of a wall; the input is an Occurrence
	Stream Kind = "stream" // the plugin is kept running; the input is null
	Try    Kind = "try"    // wallcast try without a trigger; the input is null
)

// Request is the input of HTTP.
type Request struct {
	Method string            `json:"method"`
	Query  map[string]string `json:"query"`  // of each name the first value
	Header map[string]string `json:"header"` // names in lower case; without Authorization and cookies
	Body   string            `json:"body"`   // as text
	JSON   json.RawMessage   `json:"json"`   // the body where it is JSON, or null
	Base64 bool              `json:"base64"` // the body is no text, and encoded in base64
}

// Occurrence is the input of On.
type Occurrence struct {
	ID     string          `json:"id"`
	Wall   string          `json:"wall"`
	Kind   string          `json:"kind"`
	Key    string          `json:"key,omitempty"`
	Time   time.Time       `json:"time"`
	Source string          `json:"source,omitempty"`
	Data   json.RawMessage `json:"data"` // a JSON object, or a string where the payload is text
}

// Fetched is the input of a trigger whose plugin has a fetch setting: what the
// host got from there.
type Fetched struct {
	URL    string            `json:"url"`
	Status int               `json:"status"`
	Header map[string]string `json:"header"`
	Body   string            `json:"body"`
	JSON   json.RawMessage   `json:"json"`
}
