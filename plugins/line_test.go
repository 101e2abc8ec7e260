package plugins_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/stream"
)

func TestParseLine(t *testing.T) {
	line, err := plugins.ParseLine([]byte(`{"kind":"song","data":{"title":"So What","n":1.50, "html":"<b>"},"key":"jazz","id":"7","time":"2026-11-22T10:00:00.5+01:00","wall":"main"}`))
	e := line.Event
	if err != nil || line.Cursor != nil || e.Kind != "song" || e.Key != "jazz" || e.ID != "7" || e.Wall != "main" ||
		string(e.Data) != `{"title":"So What","n":1.50, "html":"<b>"}` || !e.Time.Equal(time.Date(2026, 11, 22, 9, 0, 0, 5e8, time.UTC)) {
		t.Errorf("%+v, %v", line, err)
	}
	if line, err := plugins.ParseLine([]byte(`{"data":"a\nb","kind":null,"key":null,"id":null,"time":null,"wall":null}`)); err != nil || string(line.Event.Data) != "a\nb" || !line.Event.Time.IsZero() {
		t.Errorf("%+v, %v", line, err)
	}
	for text, want := range map[string]string{`{"cursor": {"n": 1}}`: `{"n":1}`, `{"cursor":null}`: `null`, ` {"cursor":"x"} `: `"x"`} {
		if line, err := plugins.ParseLine([]byte(text)); err != nil || string(line.Cursor) != want || line.Event.Data != nil {
			t.Errorf("%s: %+v, %v", text, line, err)
		}
	}
	for text, want := range map[string]string{
		`hello`:                          `begins with "hello"`,
		``:                               "no JSON object",
		`[{"data":"x"}]`:                 "no JSON object",
		`"text"`:                         "no JSON object",
		`{"data":"x"`:                    "not valid JSON",
		`{"data":"x"} {"data":"y"}`:      "not valid JSON",
		`{}`:                             "neither data nor a cursor",
		`{"kind":"a"}`:                   "neither data nor a cursor",
		`{"Data":"x"}`:                   `the field "Data"`,
		`{"data":"x","text":"y"}`:        `the field "text"`,
		`{"data":"x","cursor":1}`:        "two lines",
		`{"data":null}`:                  "its data is null",
		`{"data":7}`:                     "its data is 7",
		`{"data":["x"]}`:                 "a text or an object",
		`{"data":""}`:                    "empty text",
		`{"data":"x","kind":7}`:          "its kind is 7",
		`{"data":"x","kind":"A b"}`:      "lower-case",
		`{"data":"x","kind":"error"}`:    "can't be a kind",
		`{"data":"x","key":"a.b"}`:       "lower-case",
		`{"data":"x","wall":"-"}`:        "hyphen",
		`{"data":"x","time":"soon"}`:     "2006-01-02T15:04:05Z",
		`{"data":"x","time":1795000000}`: "its time is 1795000000",
		`{"data":"x","id":"` + strings.Repeat("i", 257) + `"}`:        "its id has 257 bytes",
		`{"cursor":"` + strings.Repeat("c", plugins.MaxCursor) + `"}`: "its cursor has 2050 bytes",
		"{\"data\":\"\xff\"}": "not UTF-8",
	} {
		line, err := plugins.ParseLine([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, error %v, want one about %q", text, line, err, want)
		}
	}
}

// A plugin can print anything. What is taken can be stored and read again, and
// what is said about the rest is short and printable.
func FuzzParseLine(f *testing.F) {
	for _, s := range []string{`{"data":"x"}`, `{"kind":"a","data":{"a":1},"key":"k","id":"1","time":"2026-01-02T03:04:05Z","wall":"w"}`, `{"cursor":[1]}`, `{"data":"\ud800"}`, "{\"data\":{\"a\":\"\xff\"}}", `{"time":"0000-01-01T00:00:00Z","data":"x"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		line, err := plugins.ParseLine(data)
		if err != nil {
			if text := err.Error(); len(text) > 400 || !utf8.ValidString(text) {
				t.Fatalf("the error %q", text)
			}
			return
		}
		if line.Cursor != nil {
			if !json.Valid(line.Cursor) || len(line.Cursor) > plugins.MaxCursor || line.Event.Data != nil {
				t.Fatalf("%q was read as %+v", data, line)
			}
			return
		}
		e := line.Event
		if len(e.Data) == 0 || !utf8.Valid(e.Data) {
			t.Fatalf("%q has the payload %q", data, e.Data)
		}
		if _, err := stream.NewSubject("main", e.Kind, e.Key); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		if _, err := e.Time.MarshalJSON(); err != nil {
			t.Fatalf("%q has a time that can't be written: %v", data, err)
		}
	})
}
