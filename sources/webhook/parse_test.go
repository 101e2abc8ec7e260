package webhook_test

import (
	"bytes"
	"maps"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/webhook"
)

func bearer(s *webhook.Settings) { s.Verify, s.Secret = "bearer", []string{"a bearer token"} }

// parse gives the payload that a delivery makes.
func parse(t *testing.T, src sources.Receiver, contentType, query, body string) (string, error) {
	t.Helper()
	d := sources.Delivery{Number: 1, Method: http.MethodPost, Header: http.Header{}, Query: query, Body: []byte(body)}
	if contentType != "" {
		d.Header.Set("Content-Type", contentType)
	}
	events, err := src.Parse(d)
	if err != nil {
		return "", err
	}
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	return string(events[0].Data), nil
}

func TestContents(t *testing.T) {
	const (
		form = "application/x-www-form-urlencoded"
		js   = "application/json"
	)
	src := receiver(t, bearer)
	for _, c := range []struct{ name, contentType, query, body, want string }{
		{"object", js, "", ` {"a": 1,  "b":"é"}` + "\n", `{"a": 1,  "b":"é"}`},
		{"list", js, "", `[{"a":1}]`, `[{"a":1}]`},
		{"text in JSON", js, "", `"hal\u006co"`, "hallo"},
		{"number", js, "", `12.50`, "12.50"},
		{"suffix", "application/vnd.github+json; charset=utf-8", "", `{}`, `{}`},
		{"byte order mark", js, "", "\xef\xbb\xbf{}", `{}`},
		{"form", form, "", "a=1&b=x+y&b=%26&c", `{"a":"1","b":["x y","&"],"c":""}`},
		{"form with three of a name", form, "", "a=1&a=2&a=3", `{"a":["1","2","3"]}`},
		{"form of JSON", form, "", "payload=%7B%22a%22%3A+1%7D", `{"a": 1}`},
		{"form of a list", form, "", "mandrill_events=%5B1%5D", `[1]`},
		{"form of JSON and more", form, "", "payload=%7B%7D&b=1", `{"b":"1","payload":"{}"}`},
		{"form that isn't well written", form, "", "title=100%+Hits %zz&artist=a=b;c&&", `{"artist":"a=b;c","title":"100% Hits %zz"}`},
		{"form in Windows-1252", form, "", "title=Caf%E9+%96+1", `{"title":"Café – 1"}`},
		{"form of a charset", form + "; charset=ISO-8859-1", "", "title=Caf%C3%A9", `{"title":"CafÃ©"}`},
		{"form that escapes nothing", form, "", "html=<b>&x=1", `{"html":"<b>","x":"1"}`},
		{"curl -d JSON", form, "", `{"a": "x=y"}`, `{"a": "x=y"}`},
		{"curl -d text", form, "", `now: 100% Hits + more`, `now: 100% Hits + more`},
		{"text", "text/plain", "", " {not json\n", " {not json\n"},
		{"XML", "application/rss+xml", "", "<a>é</a>", "<a>é</a>"},
		{"text in a charset", `text/plain; charset="Windows-1252"`, "", "Caf\xe9 \x80", "Café €"},
		{"text in UTF-16", "text/plain; charset=utf-16", "", "\xff\xfec\x00\xe9\x00", "cé"},
		{"JSON in Cyrillic", js + "; charset=windows-1251", "", "{\"a\":\"\xcf\xe5\xf1\xed\xff\"}", `{"a":"Песня"}`},
		{"every byte", "text/plain", "", "\x81\x80\xff\xfe", "\uFFFD€ÿþ"},
		{"text in no UTF-8", "text/plain", "", "Caf\xe9 é \x96", "Café é –"},
		{"JSON in no UTF-8", js, "", "{\"title\":\"D\xe9j\xe0 Vu é\"}", `{"title":"Déjà Vu é"}`},
		{"undeclared JSON", "", "", `{"a":1}`, `{"a":1}`},
		{"undeclared text", "", "", `{"a":1`, `{"a":1`},
		{"bytes that are JSON", "application/octet-stream", "", "\xef\xbb\xbf{\"a\":1}", `{"a":1}`},
		{"a type that can't be read", "application/json;;", "", `{"a":1}`, `{"a":1}`},
		{"address", "", "artist=Bj%F6rk&title=J%C3%B3ga&token=secret", "", `{"artist":"Björk","title":"Jóga"}`},
		{"address and body", js, "artist=x", "{}", "{}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parse(t, src, c.contentType, c.query, c.body)
			if err != nil || got != c.want {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestContentErrors(t *testing.T) {
	src := receiver(t, bearer)
	for _, c := range []struct{ name, contentType, body, says string }{
		{"JSON", "application/json", `{"a":}`, "at byte 6"},
		{"JSON that ends", "application/json", `{"a":1`, "unexpected end"},
		{"null", "application/json", `null`, "nothing in it"},
		{"white space", "application/json", " \n", "nothing in it"},
		{"no body", "application/json", "", "nothing in it"},
		{"empty text", "text/plain", " \n", "nothing in it"},
		{"empty JSON text", "application/json", `" "`, "nothing in it"},
		{"empty form", "application/x-www-form-urlencoded", "&&=&", ""},
		{"charset", "text/plain; charset=utf-7", "x", `charset "utf-7" is not known`},
		{"charset that is none", "text/plain; charset=iso-2022-kr", "x", "is not known"},
		{"binary", "image/png", "\x89PNG\x00", `type "image/png" is neither JSON nor text`},
		{"undeclared Latin-1", "", "Caf\xe9", "declare what it is"},
		{"multipart without a boundary", "multipart/form-data", "x", "boundary"},
		{"multipart that ends", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=a\r\n\r\nva", "broken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := parse(t, src, c.contentType, "", c.body); c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%q, error %v, want one that says %q", got, err, c.says)
			}
		})
	}
	d := sources.Delivery{Header: head("Content-Encoding", "gzip"), Body: []byte("{}")}
	if _, err := src.Parse(d); err == nil || !strings.Contains(err.Error(), "Content-Encoding") {
		t.Errorf("compressed: %v", err)
	}
}

func TestMultipart(t *testing.T) {
	src := receiver(t, bearer)
	write := func(fields ...string) (contentType, body string) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for i := 0; i < len(fields); i += 2 {
			if err := w.WriteField(fields[i], fields[i+1]); err != nil {
				t.Fatal(err)
			}
		}
		file, err := w.CreateFormFile("thumb", "thumb.jpg")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write([]byte{0xff, 0xd8, 0}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return w.FormDataContentType(), b.String()
	}
	for want, fields := range map[string][]string{
		`{"event":"media.play"}`:           {"payload", `{"event":"media.play"}`}, // as Plex sends it
		`{"artist":"Björk","title":"a+b"}`: {"artist", "Bj\xf6rk", "title", "a+b"},
	} {
		contentType, body := write(fields...)
		if got, err := parse(t, src, contentType, "", body); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
}

// TestList gives a list to a source that has no map to make events of it.
func TestList(t *testing.T) {
	s := webhook.Type.New().(*webhook.Settings)
	bearer(s)
	src, err := s.Source(sources.Env{Unmapped: true})
	if err != nil {
		t.Fatal(err)
	}
	for body, ok := range map[string]bool{`[{"a":1}]`: false, "[1]": false, `{"a":[1]}`: true, `"[1"`: true} {
		got, err := parse(t, src.(sources.Receiver), "application/json", "", body)
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "map: '.[]'") {
			t.Errorf("%s makes %q, error %v", body, got, err)
		}
	}
}

// TestQueryOfSigned gives parameters that no signature covers: they are no payload.
func TestQueryOfSigned(t *testing.T) {
	src := receiver(t, func(s *webhook.Settings) { s.Verify, s.Secret = "github", []string{githubSecret} })
	if got, err := parse(t, src, "", "forged=1", ""); err == nil {
		t.Errorf("the address made %q", got)
	}
}

func TestAbout(t *testing.T) {
	src := receiver(t, func(s *webhook.Settings) {
		s.Verify, s.Secret, s.Header = "bearer", []string{"a bearer token"}, "X-Feed-Token"
	})
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	events, err := src.Parse(sources.Delivery{
		Number: 7, Time: when, ID: "d1", Query: "channel=jazz&token=s&channel=2&hub.verify_token=s&Token=s", Body: []byte("{}"),
		Header: http.Header{
			"X-Github-Event": {"push"}, "X-Many": {"a", "b\xe9"}, "Content-Type": {"application/json"},
			"Authorization": {"s"}, "Cookie": {"s"}, "Proxy-Authorization": {"s"}, "X-Feed-Token": {"s"}, "X-Gitlab-Token": {"s"},
		},
	})
	if err != nil || len(events) != 1 {
		t.Fatal(events, err)
	}
	e := events[0]
	want := map[string]string{"x-github-event": "push", "x-many": "a, bé", "content-type": "application/json", "?channel": "jazz"}
	if !maps.Equal(e.About, want) {
		t.Errorf("about is %q, want %q", e.About, want)
	}
	if e.ID != "d1" || !e.Time.Equal(when) || e.Kind != "" || e.Cursor != nil {
		t.Errorf("%+v", e)
	}
}

func TestSlackToken(t *testing.T) {
	src := receiver(t, func(s *webhook.Settings) { s.Verify, s.Secret = "slack", []string{slackSecret} })
	for body, want := range map[string]string{
		`{"token":"Jhj5dZrVaK7ZwHHjRyZWjbDl","event":{"text":"<b>"}}`: `{"event":{"text":"<b>"}}`,
		`{"event": 1}`:     `{"event": 1}`,
		`["token"]`:        `["token"]`,
		`{"to\u006ben":1}`: `{}`,
	} {
		if got, err := parse(t, src, "application/json", "", body); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
}
