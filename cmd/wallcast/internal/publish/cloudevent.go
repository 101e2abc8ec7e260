package publish

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

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

// structured reads a CloudEvent in the JSON event format.
func structured(body []byte) (post, error) {
	var event struct {
		attributes
		Data   json.RawMessage `json:"data"`
		Base64 *string         `json:"data_base64"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return post{}, malformed("The CloudEvent is no valid JSON: %v.", err)
	}
	data, err := structuredData(event.ContentType, event.Data, event.Base64)
	if err != nil {
		return post{}, err
	}
	return event.post(data)
}

func structuredData(contentType string, data json.RawMessage, encoded *string) ([]byte, error) {
	var asText string
	switch {
	case encoded != nil && data != nil:
		return nil, malformed("The CloudEvent has data and data_base64; one of them is allowed.")
	case encoded != nil:
		raw, err := base64.StdEncoding.DecodeString(*encoded)
		if err != nil {
			return nil, malformed("The CloudEvent's data_base64 is malformed: %v.", err)
		}
		return dataOf(contentType, raw)
	case json.Unmarshal(data, &asText) == nil: // a text, whatever datacontenttype makes of it
		return text([]byte(asText))
	case data == nil:
		return nil, malformed("The CloudEvent has no data, so there is nothing to show.")
	}
	return text(data)
}

// dataOf checks data against its declared type; without one anything goes.
func dataOf(contentType string, data []byte) ([]byte, error) {
	if contentType == "" {
		return text(data)
	}
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, malformed("The CloudEvent's datacontenttype %.80q is malformed.", contentType)
	}
	return payload(kind, params, data)
}

// binary reads a CloudEvent whose attributes are headers.
func binary(h http.Header, kind string, params map[string]string, body []byte) (post, error) {
	a := attributes{
		SpecVersion: ceHeader(h, "Specversion"), ID: ceHeader(h, "Id"), Source: ceHeader(h, "Source"),
		Type: ceHeader(h, "Type"), Time: ceHeader(h, "Time"),
	}
	data, err := payload(kind, params, body)
	if err != nil {
		return post{}, err
	}
	return a.post(data)
}

// ceHeader reads an attribute; what is not ASCII is percent-encoded in a header.
func ceHeader(h http.Header, name string) string {
	value := h.Get("Ce-" + name)
	if plain, err := url.PathUnescape(value); err == nil {
		return plain
	}
	return value
}

func (a attributes) post(data []byte) (post, error) {
	if a.SpecVersion != "1.0" {
		return post{}, malformed("The CloudEvent's specversion is %.20q; 1.0 is supported.", a.SpecVersion)
	}
	if a.ID == "" || a.Source == "" || a.Type == "" {
		return post{}, malformed("The CloudEvent needs an id, a source and a type; it has %q, %q and %q.", a.ID, a.Source, a.Type)
	}
	p := post{
		draft:  stream.Draft{Data: data, EventID: a.ID, Source: a.Source, Type: a.Type},
		repeat: fmt.Sprintf("cloudevent %q %q", a.Source, a.ID),
	}
	if a.Time != "" {
		when, err := time.Parse(time.RFC3339, strings.ToUpper(a.Time))
		if err != nil {
			return post{}, malformed("The CloudEvent's time %.40q is none of RFC 3339, such as 2026-11-22T08:30:00Z.", a.Time)
		}
		p.draft.Time = when
	}
	if stream.CheckKind(a.Type) == nil {
		p.kind = a.Type
	}
	return p, nil
}
