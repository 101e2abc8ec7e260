package publish

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wallcast/wallcast/stream"
)

// attributes are those of a CloudEvent 1.0 that count here.
type attributes struct {
	SpecVersion string `json:"specversion"`
	ID          string `json:"id"`
	Source      string `json:"source"`
	Type        string `json:"type"`
	Time        string `json:"time"`
	ContentType string `json:"datacontenttype"`
}

const structuredType = "application/cloudevents+json"

// structured reads a CloudEvent in the JSON event format.
func structured(kind string, body []byte) (post, error) {
	if kind != structuredType {
		return post{}, unsupported("The Content-Type %.80s is not supported; send one CloudEvent in a request, as %s.", kind, structuredType)
	}
	if _, err := text(body); err != nil {
		return post{}, err
	}
	var event struct {
		attributes
		Data   json.RawMessage `json:"data"`
		Base64 *string         `json:"data_base64"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return post{}, explainStructured(err)
	}
	if err := event.check(); err != nil {
		return post{}, err
	}
	data, err := structuredData(event.ContentType, event.Data, event.Base64)
	if err != nil {
		return post{}, err
	}
	return event.post(data)
}

// explainStructured makes a sentence of why a CloudEvent can't be read.
func explainStructured(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return malformed("The CloudEvent is not valid JSON: %v.", err)
	}
	attribute := wrong.Field[strings.LastIndex(wrong.Field, ".")+1:]
	if attribute == "" {
		return malformed("The CloudEvent is a JSON %s; it has to be an object.", wrong.Value)
	}
	return malformed("The CloudEvent's %s is a JSON %s; it has to be a string.", attribute, wrong.Value)
}

func structuredData(contentType string, data json.RawMessage, encoded *string) ([]byte, error) {
	switch {
	case encoded != nil && data != nil:
		return nil, malformed("The CloudEvent has data and data_base64; one of them is allowed.")
	case encoded != nil:
		raw, err := base64.StdEncoding.DecodeString(*encoded)
		if err != nil {
			return nil, malformed("The CloudEvent's data_base64 is malformed: %v.", err)
		}
		return encodedData(contentType, raw)
	case data == nil:
		return nil, malformed("The CloudEvent has no data, so there is nothing to show.")
	}
	return jsonData(data)
}

// encodedData reads data of the type that datacontenttype declares.
func encodedData(header string, data []byte) ([]byte, error) {
	kind, params, err := contentType(header)
	if err != nil {
		return nil, err
	}
	return eventData(kind, params, data)
}

// eventData reads a CloudEvent's data. Unlike a plain body it may be any JSON,
// or XML, for who passes an event on has no say in what is inside.
func eventData(kind string, params map[string]string, data []byte) ([]byte, error) {
	switch {
	case blank(data):
		return nil, nil
	case isJSON(kind):
		return jsonData(data)
	case kind == "application/xml" || strings.HasSuffix(kind, "+xml"):
		return text(data)
	}
	return payload(kind, params, data)
}

// jsonData is an object as it is written, and a string's text. Other JSON has
// no fields to show, and is taken for a text.
func jsonData(data []byte) ([]byte, error) {
	if _, err := text(data); err != nil {
		return nil, err
	}
	if err := checkJSON(data); err != nil {
		return nil, err
	}
	var asText string
	if json.Unmarshal(data, &asText) == nil { // null is an empty text
		return []byte(asText), nil
	}
	return data, nil
}

// inBinaryMode reports whether headers say that the request is a CloudEvent.
func inBinaryMode(h http.Header) bool {
	for _, name := range []string{"Specversion", "Id", "Source", "Type"} {
		if h.Get("Ce-"+name) != "" {
			return true
		}
	}
	return false
}

// binary reads a CloudEvent whose attributes are headers.
func binary(h http.Header, kind string, params map[string]string, body []byte) (post, error) {
	var a attributes
	for name, value := range map[string]*string{
		"specversion": &a.SpecVersion, "id": &a.ID, "source": &a.Source, "type": &a.Type, "time": &a.Time,
	} {
		var ok bool
		if *value, ok = headerValue(h.Get("Ce-" + name)); !ok {
			return post{}, malformed("The CloudEvent's header ce-%s is not valid UTF-8 when its percent-encoding is undone.", name)
		}
	}
	if err := a.check(); err != nil {
		return post{}, err
	}
	data, err := eventData(kind, params, body)
	if err != nil {
		return post{}, err
	}
	return a.post(data)
}

// headerValue reads an attribute: a quoted string is unquoted, and what is not
// plain ASCII is percent-encoded (CloudEvents' HTTP binding, 3.1.3.2).
func headerValue(value string) (string, bool) {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = unquote(value[1 : len(value)-1])
	}
	if plain, err := url.PathUnescape(value); err == nil {
		value = plain
	}
	return value, utf8.ValidString(value)
}

// unquote undoes the backslashes of a quoted string (RFC 9110, 5.6.4).
func unquote(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// check says what keeps the attributes from being those of a CloudEvent 1.0.
func (a attributes) check() error {
	var missing []string
	for _, attribute := range []struct{ name, value string }{
		{"specversion", a.SpecVersion}, {"id", a.ID}, {"source", a.Source}, {"type", a.Type},
	} {
		if attribute.value == "" {
			missing = append(missing, attribute.name)
		}
	}
	if len(missing) > 0 {
		return malformed("The CloudEvent lacks %s; specversion, id, source and type are needed.", strings.Join(missing, ", "))
	}
	if a.SpecVersion != "1.0" {
		return malformed("The CloudEvent's specversion is %.20q; 1.0 is supported.", a.SpecVersion)
	}
	return nil
}

func (a attributes) post(data []byte) (post, error) {
	p := post{
		draft:  stream.Draft{Data: data, EventID: a.ID, Source: a.Source, Type: a.Type},
		repeat: fmt.Sprintf("cloudevent %q %q", a.Source, a.ID),
	}
	if a.Time != "" {
		when, err := time.Parse(time.RFC3339, strings.ToUpper(a.Time))
		if err != nil {
			return post{}, malformed("The CloudEvent's time %.40q is not in RFC 3339; one looks like 2026-11-22T08:30:00Z.", a.Time)
		}
		p.draft.Time = when
	}
	if stream.CheckKind(a.Type) == nil {
		p.kind = a.Type
	}
	return p, nil
}
