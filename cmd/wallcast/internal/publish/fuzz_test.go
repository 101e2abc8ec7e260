package publish

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"unicode/utf8"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/stream"
)

// FuzzRead holds that no body makes the readers panic, and that what they accept
// is text that is there.
func FuzzRead(f *testing.F) {
	for _, kind := range []string{
		"", "application/json", "text/plain; charset=utf-8", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b",
		"application/cloudevents+json", "application/xml", `text/plain; charset="`, "a/b+json",
	} {
		for _, body := range []string{
			"hello", `{"text":"hi"}`, "text=a%20b+c&title=%f", "--b\r\nContent-Disposition: form-data; name=text\r\n\r\nhi\r\n--b--",
			`{"specversion":"1.0","id":"1","source":"s","type":"t","time":"2026-01-01T00:00:00Z","data":"x"}`,
			`{"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":"application/json","data_base64":"e30="}`,
			"\xff", "\uFEFF{}", `"\ud800"`, "=&=",
		} {
			f.Add(kind, body, "", "")
			f.Add(kind, body, "1.0", `"%41\"`)
		}
	}
	f.Fuzz(func(t *testing.T, kind, body, version, attribute string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader([]byte(body)))
		r.Header.Set("Content-Type", kind)
		for _, name := range []string{"Ce-Id", "Ce-Source", "Ce-Type", "Idempotency-Key"} {
			r.Header.Set(name, attribute)
		}
		r.Header.Set("Ce-Specversion", version)
		p, err := read(r, 1000)
		if err != nil {
			var problem *access.Problem
			if !errors.As(err, &problem) || problem.Status < 400 || problem.Status > 499 || problem.Detail == "" || !utf8.ValidString(problem.Detail) {
				t.Fatalf("%#v", err)
			}
			return
		}
		if blank(p.draft.Data) || !utf8.Valid(p.draft.Data) {
			t.Fatalf("%q was accepted", p.draft.Data)
		}
		if p.kind != "" && stream.CheckKind(p.kind) != nil {
			t.Fatalf("the kind %q was accepted", p.kind)
		}
		if !utf8.ValidString(p.draft.Source + p.draft.EventID + p.draft.Type) {
			t.Fatalf("attributes %+v were accepted", p.draft)
		}
	})
}

// FuzzForm holds that a form with a field that cards know becomes an object that
// holds it, and that any other body stays what it is.
func FuzzForm(f *testing.F) {
	for _, body := range []string{"text=a", "a=b", "x y=1&text=2", "text=%", "te%78t=+", "{}", "&&text=<"} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		data, err := form([]byte(body))
		if err != nil || data == nil || string(data) == body {
			return
		}
		var o map[string]string
		if err := json.Unmarshal(data, &o); err != nil {
			t.Fatalf("%q became %q: %v", body, data, err)
		}
		for _, value := range o {
			if value == "" {
				t.Fatalf("%q became %q", body, data)
			}
		}
	})
}
