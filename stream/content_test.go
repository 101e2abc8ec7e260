package stream_test

import (
	"testing"
	"time"
	"unicode/utf8"

	"github.com/wallcast/wallcast/stream"
)

func TestParseContent(t *testing.T) {
	c := stream.ParseContent([]byte(`{"text":"a","title":7,"url":["no"],"author":{"name":"Ada","url":"https://a.example"},"time":"2026-11-22T08:30:00Z","expires":1795000000.5,"n":1.50,"flag":true,"none":null}`))
	if c.Text != "a" || c.Title != "7" || c.URL != "" || c.Author != (stream.Author{Name: "Ada", URL: "https://a.example"}) {
		t.Errorf("%+v", c)
	}
	if !c.Time.Equal(time.Date(2026, 11, 22, 8, 30, 0, 0, time.UTC)) || !c.Expires.Equal(time.Unix(1795000000, 5e8)) {
		t.Errorf("time %s, expires %s", c.Time, c.Expires)
	}
	if c.String("n") != "1.50" || c.String("flag") != "true" || c.String("none") != "" || c.String("absent") != "" {
		t.Errorf("fields: %q %q %q", c.String("n"), c.String("flag"), c.String("none"))
	}
	for payload, want := range map[string]string{
		"flat text\r\n": "flat text", `{"broken":`: `{"broken":`, `["a"]`: `["a"]`, "\xff": "\uFFFD", `{"text":"a"} and more`: `{"text":"a"} and more`,
	} {
		if c := stream.ParseContent([]byte(payload)); c.Text != want || c.Fields != nil {
			t.Errorf("%q: text %q, fields %v", payload, c.Text, c.Fields)
		}
	}
	for _, when := range []string{`-1`, `1e300`, `"soon"`, `{}`, `253402300800`} {
		if c := stream.ParseContent([]byte(`{"time":` + when + `}`)); !c.Time.IsZero() {
			t.Errorf("the time %s was read as %s", when, c.Time)
		}
	}
}

// A NATS client can publish any bytes; what a card gets is text, and a time that
// can be written.
func FuzzParseContent(f *testing.F) {
	for _, s := range []string{"text", `{"text":"\ud800","time":1e18}`, "{\"a\":\"\xff\"}", `{"author":{"name":[]}}`, `{"expires":"9999-12-31T23:59:59Z"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := stream.ParseContent(data)
		for _, s := range []string{c.Text, c.Title, c.URL, c.Image, c.Author.Name, c.Author.URL, c.Author.Image} {
			if !utf8.ValidString(s) {
				t.Fatalf("%q is no valid UTF-8", s)
			}
		}
		for _, when := range []time.Time{c.Time, c.Expires} {
			if _, err := when.MarshalJSON(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
