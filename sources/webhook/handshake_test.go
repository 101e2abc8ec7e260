package webhook_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/webhook"
)

// answers checks a verdict that answers at once.
func answers(t *testing.T, v sources.Verdict, contentType, body string) {
	t.Helper()
	if v.Refused != nil || v.Answer == nil {
		t.Errorf("not answered: %v", v.Refused)
		return
	}
	if string(v.Answer) != body || !strings.HasPrefix(v.AnswerType, contentType) {
		t.Errorf("answered %s %q, want %s %q", v.AnswerType, v.Answer, contentType, body)
	}
	if v.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("a browser could take the answer for a page: %v", v.Header)
	}
}

func TestGitHubPing(t *testing.T) {
	src := receiver(t, func(s *webhook.Settings) { s.Verify, s.Secret = "github", []string{githubSecret} })
	r := httptest.NewRequest(http.MethodPost, "/hooks/test", nil)
	r.Header.Set("X-GitHub-Event", "ping")
	refuses(t, src.Receive(r, []byte("{}")), http.StatusUnauthorized)
	r.Header.Set("X-Hub-Signature-256", "sha256="+sign("sha256", "hex", githubSecret, "{}"))
	answers(t, src.Receive(r, []byte("{}")), "text/plain", "pong\n")
}

// v0 signs as Slack and Zoom do, at the time of the bubble.
func v0(r *http.Request, name, timestamp, secret, body string) {
	at := strconv.FormatInt(time.Now().Unix(), 10)
	r.Header.Set(timestamp, at)
	r.Header.Set(name, "v0="+sign("sha256", "hex", secret, "v0:"+at+":"+body))
}

func TestSlackHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := receiver(t, func(s *webhook.Settings) { s.Verify, s.Secret = "slack", []string{slackSecret} })
		send := func(contentType, body string, signed bool) sources.Verdict {
			r := httptest.NewRequest(http.MethodPost, "/hooks/test", nil)
			r.Header.Set("Content-Type", contentType)
			if signed {
				v0(r, "X-Slack-Signature", "X-Slack-Request-Timestamp", slackSecret, body)
			}
			return src.Receive(r, []byte(body))
		}
		// Slack's documentation of the event url_verification.
		const asks = `{"token": "Jhj5dZrVaK7ZwHHjRyZWjbDl", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P", "type": "url_verification"}`
		refuses(t, send("application/json", asks, false), http.StatusUnauthorized)
		answers(t, send("application/json", asks, true), "application/json", `{"challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}`)
		refuses(t, send("application/json", `{"type": "url_verification", "challenge": "`+strings.Repeat("x", 20_000)+`"}`, true), http.StatusBadRequest)
		answers(t, send("application/x-www-form-urlencoded", "ssl_check=1&token=Jhj5dZrVaK7ZwHHjRyZWjbDl", true), "text/plain", "")

		event := send("application/json", `{"token":"Jhj5dZrVaK7ZwHHjRyZWjbDl","type":"event_callback","event_id":"Ev08MFMKH6"}`, true)
		accepts(t, event)
		if event.ID != "Ev08MFMKH6" || !slices.Equal(event.Hide, []string{"Jhj5dZrVaK7ZwHHjRyZWjbDl"}) {
			t.Errorf("id %q, to hide %q", event.ID, event.Hide)
		}
	})
}

func TestZoomHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := receiver(t, func(s *webhook.Settings) { s.Verify, s.Secret = "zoom", []string{"a zoom secret"} })
		const asks = `{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1654503849680,"event":"endpoint.url_validation"}`
		r := httptest.NewRequest(http.MethodPost, "/hooks/test", nil)
		refuses(t, src.Receive(r, []byte(asks)), http.StatusUnauthorized)
		v0(r, "x-zm-signature", "x-zm-request-timestamp", "a zoom secret", asks)
		got := src.Receive(r, []byte(asks))
		answers(t, got, "application/json", `{"encryptedToken":"`+sign("sha256", "hex", "a zoom secret", "qgg8vlvZRS6UYooatFL8Aw")+`","plainToken":"qgg8vlvZRS6UYooatFL8Aw"}`)

		const event = `{"event":"meeting.started","event_ts":1654503849680}`
		id := func() string {
			v0(r, "x-zm-signature", "x-zm-request-timestamp", "a zoom secret", event)
			got := src.Receive(r, []byte(event))
			accepts(t, got)
			return got.ID
		}
		first := id()
		time.Sleep(time.Hour)
		if again := id(); first == "" || again != first {
			t.Errorf("a repeat has the id %q, the first had %q", again, first)
		}
	})
}

// TestUnsignedHandshakes sends what has no signature, with and without proof.
func TestUnsignedHandshakes(t *testing.T) {
	signed := func(s *webhook.Settings) { s.Verify, s.Secret = "github", []string{githubSecret} }
	verified := func(s *webhook.Settings) {
		signed(s)
		s.VerifyToken = "verify me please"
	}
	url := func(s *webhook.Settings) { s.Verify, s.Secret = "url", []string{"verify me please"} }
	for _, c := range []struct{ name, method, query, want string }{
		{"WebSub", http.MethodGet, "hub.mode=subscribe&hub.topic=https%3A%2F%2Fx&hub.challenge=1158201444", "1158201444"},
		{"Dropbox", http.MethodGet, "challenge=%3Cb%3Ex", "<b>x"},
		{"Microsoft Graph", http.MethodPost, "validationToken=Validation%3A+Testing+client+application+reachability", "Validation: Testing client application reachability"},
	} {
		t.Run(c.name, func(t *testing.T) {
			send := func(settings func(*webhook.Settings), extra string) sources.Verdict {
				r := httptest.NewRequest(c.method, "/hooks/test?"+c.query+extra, nil)
				r.Header.Set("Content-Type", "text/plain; charset=utf-8")
				return receiver(t, settings).Receive(r, nil)
			}
			refuses(t, send(signed, "&token=verify+me+please"), http.StatusForbidden)
			refuses(t, send(signed, "&token="), http.StatusForbidden)
			refuses(t, send(verified, ""), http.StatusForbidden)
			refuses(t, send(verified, "&token="), http.StatusForbidden)
			refuses(t, send(verified, "&token=verify+me+pleasE"), http.StatusForbidden, "verify me please")
			refuses(t, send(verified, "&token=verify+me+please&token=x"), http.StatusForbidden)
			refuses(t, send(url, "&token=x"), http.StatusForbidden)
			answers(t, send(verified, "&token=verify+me+please"), "text/plain", c.want)
			answers(t, send(url, "&token=verify+me+please"), "text/plain", c.want)
			if c.name == "WebSub" { // and Meta
				answers(t, send(verified, "&hub.verify_token=verify+me+please"), "text/plain", c.want)
			}
		})
	}
	long := httptest.NewRequest(http.MethodGet, "/hooks/test?token=verify+me+please&hub.challenge="+strings.Repeat("x", 5000), nil)
	refuses(t, receiver(t, verified).Receive(long, nil), http.StatusBadRequest)
	odd := httptest.NewRequest(http.MethodGet, "/hooks/test?token=verify+me+please&hub.challenge=%ff", nil)
	refuses(t, receiver(t, verified).Receive(odd, nil), http.StatusBadRequest)
}

func TestCloudEventsHandshake(t *testing.T) {
	src := receiver(t, func(s *webhook.Settings) { s.Verify, s.Secret = "bearer", []string{"a bearer token"} })
	r := httptest.NewRequest(http.MethodOptions, "/hooks/test", nil)
	r.Header.Set("WebHook-Request-Origin", "eventemitter.example.com")
	r.Header.Set("WebHook-Request-Rate", "120")
	refuses(t, src.Receive(r, nil), http.StatusForbidden)
	r.Header.Set("Authorization", "Bearer a bearer token")
	got := src.Receive(r, nil)
	answers(t, got, "text/plain", "")
	for name, want := range map[string]string{
		"WebHook-Allowed-Origin": "eventemitter.example.com", "WebHook-Allowed-Rate": "*", "Allow": "POST",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Header.Get(name), want)
		}
	}
}

// TestLook sends nothing but the proof, as senders do that try an address.
func TestLook(t *testing.T) {
	url := receiver(t, func(s *webhook.Settings) { s.Verify, s.Secret = "url", []string{"a long secret"} })
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		answers(t, url.Receive(httptest.NewRequest(method, "/hooks/test?token=a+long+secret", nil), nil), "text/plain", "ok\n")
		refuses(t, url.Receive(httptest.NewRequest(method, "/hooks/test", nil), nil), http.StatusUnauthorized)
	}
	github := receiver(t, func(s *webhook.Settings) { s.Verify, s.Secret = "github", []string{githubSecret} })
	answers(t, github.Receive(httptest.NewRequest(http.MethodHead, "/hooks/test", nil), nil), "text/plain", "")
	r := httptest.NewRequest(http.MethodPost, "/hooks/test?forged=1", nil)
	r.Header.Set("X-Hub-Signature-256", "sha256="+sign("sha256", "hex", githubSecret, ""))
	answers(t, github.Receive(r, nil), "text/plain", "ok\n")
}

// TestNothingSecretIsKept names what the program must strike out.
func TestNothingSecretIsKept(t *testing.T) {
	hook := receiver(t, func(s *webhook.Settings) {
		s.Verify, s.Secret, s.Header, s.VerifyToken = "bearer", []string{"a long secret", "a second secret"}, "X-Feed-Token", "verify me please"
		s.Limit = 4096
	}).Hook()
	for _, name := range []string{"x-feed-token", "token", "hub.verify_token", "x-gitlab-token"} {
		if !slices.Contains(hook.Secrets, name) {
			t.Errorf("the value of %s would be kept", name)
		}
	}
	for _, text := range []string{"a long secret", "a second secret", "verify me please"} {
		if !slices.Contains(hook.Hide, text) {
			t.Errorf("%q would be kept", text)
		}
	}
	if hook.Limit != 4096 {
		t.Errorf("the limit is %d", hook.Limit)
	}
	if _, err := json.Marshal(hook); err != nil {
		t.Error(err)
	}
}
