package webhook_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/webhook"
	"github.com/wallcast/wallcast/stream"
)

// all makes a receiver of each scheme.
func all(f *testing.F) map[string]sources.Receiver {
	receivers := map[string]sources.Receiver{}
	for name, change := range map[string]func(*webhook.Settings){
		"github":   func(s *webhook.Settings) { s.Secret = []string{githubSecret} },
		"gitlab":   func(s *webhook.Settings) { s.Secret = []string{"a gitlab token", standardSecret} },
		"standard": func(s *webhook.Settings) { s.Secret = []string{standardSecret} },
		"stripe":   func(s *webhook.Settings) { s.Secret = []string{stripeSecret} },
		"slack":    func(s *webhook.Settings) { s.Secret = []string{slackSecret} },
		"zoom":     func(s *webhook.Settings) { s.Secret = []string{"a zoom secret"} },
		"hmac": func(s *webhook.Settings) {
			s.Secret, s.Header, s.Timestamp, s.ID = []string{"a shared secret"}, "X-Sig", "X-Time", "X-Id"
			s.Signed, s.Encoding = "{id}.{timestamp}.{body}", "base64"
		},
		"bearer": func(s *webhook.Settings) { s.Secret = []string{"a bearer token"} },
		"basic":  func(s *webhook.Settings) { s.Secret = []string{"a basic password"} },
		"url":    func(s *webhook.Settings) { s.Secret = []string{"an url secret"} },
	} {
		receivers[name] = receiver(f, func(s *webhook.Settings) {
			s.Verify = name
			change(s)
		})
	}
	return receivers
}

// FuzzSignatures gives every reader of a signature what it never saw. Who does
// not know a secret gets nothing but a refusal.
func FuzzSignatures(f *testing.F) {
	receivers := all(f)
	for _, seed := range []string{
		"sha256=757107ea", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1a,AA==", "t=1533204620,v1=f0bd,v1=,t=", "v0=a211",
		"Basic QWxhZGRpbjo=", "Bearer ", "bearer x", "v1, v1,", "=,=,", "t=,v1", "\xff",
	} {
		f.Add(seed, "1614265330", "msg_1", "/hooks/test?token=x&hub.challenge=y", "{}")
	}
	f.Fuzz(func(t *testing.T, signature, at, id, target, body string) {
		for name, src := range receivers {
			for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodOptions} {
				r := httptest.NewRequest(method, "/hooks/test", nil)
				if u, err := url.ParseRequestURI(target); err == nil {
					r.URL = u
				}
				for _, h := range []string{
					"X-Hub-Signature-256", "X-Gitlab-Token", "Webhook-Signature", "Stripe-Signature", "X-Slack-Signature",
					"X-Zm-Signature", "X-Sig", "Authorization",
				} {
					r.Header.Set(h, signature)
				}
				for _, h := range []string{"Webhook-Timestamp", "X-Slack-Request-Timestamp", "X-Zm-Request-Timestamp", "X-Time", "Webhook-Request-Origin"} {
					r.Header.Set(h, at)
				}
				for _, h := range []string{"Webhook-Id", "X-Id", "Idempotency-Key"} {
					r.Header.Set(h, id)
				}
				v := src.Receive(r, []byte(body))
				if v.Refused == nil || v.Answer != nil || v.ID != "" || v.Status < 400 || v.Reason == "" {
					t.Fatalf("%s %s: %+v", name, method, v)
				}
			}
		}
	})
}

// FuzzPayload gives a sender that has proved itself anything to say. What it
// makes is a JSON object or list, or text in UTF-8.
func FuzzPayload(f *testing.F) {
	receivers := all(f)
	bearer, slack := receivers["bearer"], receivers["slack"]
	for _, seed := range []struct{ contentType, query, body string }{
		{"application/json", "", `{"token":"Jhj5dZrVaK7ZwHHjRyZWjbDl","type":"url_verification","challenge":"x"}`},
		{"application/json", "", "[{\"title\":\"D\xe9j\xe0\"}]"},
		{"application/json; charset=latin1", "", "\"\x80\""},
		{"application/x-www-form-urlencoded", "a=%zz&b=%e9", "payload=%7B%22a%22%3A1%7D&payload=[]"},
		{"multipart/form-data; boundary=x", "", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n"},
		{"text/plain", "", "\xef\xbb\xbfx"},
		{"", "artist=x&artist=y", ""},
		{"image/png", "", "\x00"},
	} {
		f.Add(seed.contentType, seed.query, []byte(seed.body))
	}
	f.Fuzz(func(t *testing.T, contentType, query string, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/hooks/test", nil)
		r.Header.Set("Authorization", "Bearer a bearer token")
		r.Header.Set("Content-Type", contentType)
		r.URL.RawQuery = query
		if v := bearer.Receive(r, body); v.Refused != nil && v.Reason == "" {
			t.Errorf("%+v", v)
		}
		d := sources.Delivery{Header: r.Header, Query: query, Body: body}
		for _, src := range []sources.Receiver{bearer, slack} {
			events, err := src.Parse(d)
			if err != nil {
				if len(events) != 0 {
					t.Error("events and an error")
				}
				continue
			}
			for _, e := range events {
				if len(e.Data) == 0 || !utf8.Valid(e.Data) {
					t.Errorf("the payload %q of %q", e.Data, contentType)
				}
				if src == bearer {
					check(t, e, contentType, body)
				}
			}
		}
	})
}

func check(t *testing.T, e sources.Event, contentType string, body []byte) {
	if contentType == "application/json" && stream.IsObject(body) && utf8.Valid(body) && string(e.Data) != strings.Trim(string(body), " \t\r\n") {
		t.Errorf("%q was made of %q", e.Data, body)
	}
	for name, value := range e.About {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			t.Errorf("%q: %q", name, value)
		}
	}
}
