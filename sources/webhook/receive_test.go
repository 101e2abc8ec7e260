package webhook_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
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

// sign signs a text as any sender would.
func sign(algorithm, encoding, secret, text string) string {
	mac := hmac.New(map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}[algorithm], []byte(secret))
	mac.Write([]byte(text))
	switch encoding {
	case "hex":
		return hex.EncodeToString(mac.Sum(nil))
	case "base64":
		return base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// receiver makes a source of the default settings after a change.
func receiver(t testing.TB, change func(*webhook.Settings)) sources.Receiver {
	t.Helper()
	s := webhook.Type.New().(*webhook.Settings)
	change(s)
	src, err := s.Source(sources.Env{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return src.(sources.Receiver)
}

// request makes the request of a vector.
func (v vector) request() *http.Request {
	method, url := v.method, v.url
	if method == "" {
		method = http.MethodPost
	}
	if url == "" {
		url = "/hooks/test"
	}
	r := httptest.NewRequest(method, url, nil)
	r.Header = v.header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	return r
}

// wait lets a bubble's clock reach a time, in seconds since 1970.
func wait(at int64) { time.Sleep(time.Until(time.Unix(at, 0))) }

// inBubble calls f at the time when the vector was signed, by a clock that the
// test moves.
func (v vector) inBubble(t *testing.T, f func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		if v.at != 0 {
			wait(v.at)
		}
		f(t)
	})
}

// accepts checks a verdict that accepts.
func accepts(t *testing.T, v sources.Verdict) {
	t.Helper()
	if v.Refused != nil || v.Answer != nil {
		t.Errorf("not accepted: %v %q", v.Refused, v.Answer)
	}
}

// refuses checks a verdict that does not, and that it gives nothing away.
func refuses(t *testing.T, v sources.Verdict, status int, secrets ...string) {
	t.Helper()
	if v.Refused == nil || v.Answer != nil {
		t.Errorf("accepted or answered: %+v", v)
		return
	}
	if v.Status != status || v.Reason == "" {
		t.Errorf("status %d, reason %q, want %d and a reason", v.Status, v.Reason, status)
	}
	for _, secret := range secrets {
		for _, text := range []string{v.Reason, v.Refused.Error()} {
			if strings.Contains(text, secret) {
				t.Errorf("the refusal %q holds %q", text, secret)
			}
		}
	}
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			v.inBubble(t, func(t *testing.T) {
				got := receiver(t, v.settings).Receive(v.request(), []byte(v.body))
				accepts(t, got)
				if got.ID != v.id {
					t.Errorf("the id is %q, want %q", got.ID, v.id)
				}
			})
		})
	}
}

// TestChanges changes every part of every vector.
func TestChanges(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			v.inBubble(t, func(t *testing.T) {
				s := webhook.Type.New().(*webhook.Settings)
				v.settings(s)
				src := receiver(t, v.settings)
				for _, name := range v.covered {
					for _, changed := range changes(v.header.Get(name)) {
						r := v.request()
						r.Header[http.CanonicalHeaderKey(name)] = changed
						refuses(t, src.Receive(r, []byte(v.body)), http.StatusUnauthorized, s.Secret...)
						if t.Failed() {
							t.Fatalf("%s: %q", name, changed)
						}
					}
				}
				if shown(s) {
					return
				}
				for _, body := range append(texts(v.body), "", v.body+"\n", v.body[1:]) {
					refuses(t, src.Receive(v.request(), []byte(body)), http.StatusUnauthorized, s.Secret...)
				}
			})
		})
	}
}

// shown reports whether the settings' scheme has no signature of the body.
func shown(s *webhook.Settings) bool {
	switch s.Verify {
	case "bearer", "basic", "url":
		return true
	case "gitlab":
		return !strings.HasPrefix(s.Secret[0], "whsec_")
	}
	return false
}

// changes are what a header's values may be instead.
func changes(value string) [][]string {
	short := strings.TrimRight(value, "=") // the padding of base64 may be left out
	all := [][]string{nil, {""}, {value, value}, {value + "0"}, {short[:len(short)-1]}, {"x" + value}, {value[1:]}}
	for _, text := range texts(value) {
		all = append(all, []string{text})
	}
	return all
}

// texts are those with one character changed, in case and letter.
func texts(text string) []string {
	var all []string
	for i := range len(text) {
		other := byte('0')
		switch c := text[i]; {
		case c == ' ': // of white space one reads as well as another
			other = 'x'
		case '0' <= c && c < '9', 'a' <= c && c < 'f', 'A' <= c && c < 'F', 'g' <= c && c < 'z', 'G' <= c && c < 'Z':
			other = c + 1
		case c == '0':
			other = '1'
		}
		all = append(all, text[:i]+string(other)+text[i+1:])
	}
	return all
}

func TestOtherSecret(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			v.inBubble(t, func(t *testing.T) {
				other := "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
				if !strings.HasPrefix(v.header.Get("webhook-signature")+v.header.Get("svix-signature"), "v1") {
					other = "a different secret"
				}
				src := receiver(t, func(s *webhook.Settings) {
					v.settings(s)
					s.Secret = []string{other}
				})
				refuses(t, src.Receive(v.request(), []byte(v.body)), http.StatusUnauthorized, other)

				both := receiver(t, func(s *webhook.Settings) {
					v.settings(s)
					s.Secret = append([]string{other}, s.Secret...)
				})
				accepts(t, both.Receive(v.request(), []byte(v.body)))
				reversed := receiver(t, func(s *webhook.Settings) {
					v.settings(s)
					s.Secret = append(slices.Clone(s.Secret), other)
				})
				accepts(t, reversed.Receive(v.request(), []byte(v.body)))
			})
		})
	}
}

func TestTolerance(t *testing.T) {
	for _, v := range vectors {
		if v.at == 0 {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const tolerance = 2 * time.Minute
				src := receiver(t, func(s *webhook.Settings) {
					v.settings(s)
					s.Tolerance = tolerance
				})
				receive := func() sources.Verdict { return src.Receive(v.request(), []byte(v.body)) }
				wait(v.at - 121)
				refuses(t, receive(), http.StatusUnauthorized)
				if got := receive().Reason; !strings.Contains(got, "2 minutes") || !strings.Contains(got, "clock") {
					t.Errorf("from the future: %q", got)
				}
				wait(v.at - 119)
				accepts(t, receive())
				wait(v.at + 120)
				accepts(t, receive())
				wait(v.at + 12*60 + 5)
				refuses(t, receive(), http.StatusUnauthorized)
				if got := receive().Refused.Error(); !strings.Contains(got, "12 minutes ago") {
					t.Errorf("too old: %q", got)
				}
			})
		})
	}
}

// TestTimes gives times that are none, rightly signed, when they would be now.
func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait(1531420618)
		src := receiver(t, func(s *webhook.Settings) { s.Verify, s.Secret = "slack", []string{slackSecret} })
		send := func(at string) sources.Verdict {
			r := httptest.NewRequest(http.MethodPost, "/hooks/test", nil)
			r.Header.Set("X-Slack-Request-Timestamp", at)
			r.Header.Set("X-Slack-Signature", "v0="+sign("sha256", "hex", slackSecret, "v0:"+at+":{}"))
			return src.Receive(r, []byte("{}"))
		}
		accepts(t, send("1531420618"))
		accepts(t, send("1531420618999"))
		for _, at := range []string{
			"now", "-1", "+1531420618", "1531420618.5", "0x5b479f8a", "1531420618 ", "1_531_420_618", "0", "1",
			"99999999999999999999", "9223372036854775807", "-9223372036854775808", "1e9",
		} {
			refuses(t, send(at), http.StatusUnauthorized, slackSecret)
			if t.Failed() {
				t.Fatalf("the time %q", at)
			}
		}
	})
}

func TestRefusalsSayWhatFailed(t *testing.T) {
	github := func(s *webhook.Settings) { s.Verify, s.Secret = "github", []string{githubSecret, "another secret"} }
	for _, c := range []struct {
		name             string
		settings         func(*webhook.Settings)
		header           http.Header
		operator, sender string
	}{
		{"missing", github, nil, "the header X-Hub-Signature-256 is missing", "X-Hub-Signature-256 is missing"},
		{"form", github, head("X-Hub-Signature-256", "sha1=00"), "does not hold sha256=", "does not hold sha256="},
		{
			"mismatch", github, head("X-Hub-Signature-256", "sha256=00"),
			"over 5 bytes does not match with any of 2 secrets: the sender has another secret, or a proxy changed the body",
			"does not match: the secret differs, or the body was changed on its way",
		},
		{
			"user", func(s *webhook.Settings) { s.Verify, s.User, s.Secret = "basic", "ada", []string{"a password, long"} },
			head("Authorization", "Basic Ym9iOng="), `the user is not "ada"`, "the user or the password is wrong, or missing",
		},
		{
			"password", func(s *webhook.Settings) { s.Verify, s.User, s.Secret = "basic", "bob", []string{"a password, long"} },
			head("Authorization", "Basic Ym9iOng="), "the user is right and the password is not the secret", "the user or the password is wrong, or missing",
		},
		{"address", func(s *webhook.Settings) { s.Verify, s.Secret = "url", []string{"a password, long"} }, nil, "the address has no ?token=SECRET", "no ?token="},
		{
			"prefix", func(s *webhook.Settings) {
				s.Verify, s.Secret, s.Header, s.Prefix = "hmac", []string{"a password, long"}, "X-Sig", "sha256="
			},
			head("X-Sig", "00"), `does not begin with "sha256=" (prefix)`, "does not begin as it should",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/hooks/test", nil)
			r.Header = c.header
			if r.Header == nil {
				r.Header = http.Header{}
			}
			got := receiver(t, c.settings).Receive(r, []byte("12345"))
			refuses(t, got, http.StatusUnauthorized)
			if !strings.Contains(got.Refused.Error(), c.operator) {
				t.Errorf("the operator reads %q, want %q", got.Refused, c.operator)
			}
			if !strings.Contains(got.Reason, c.sender) {
				t.Errorf("the sender reads %q, want %q", got.Reason, c.sender)
			}
		})
	}
}

// TestChallenge looks for what tells a client how to prove itself.
func TestChallenge(t *testing.T) {
	for scheme, want := range map[string]string{"basic": `Basic realm="hook", charset="UTF-8"`, "bearer": "Bearer"} {
		src := receiver(t, func(s *webhook.Settings) { s.Verify, s.Secret = scheme, []string{"a password, long"} })
		got := src.Receive(httptest.NewRequest(http.MethodPost, "/hooks/test", nil), []byte("x"))
		if got.Header.Get("WWW-Authenticate") != want {
			t.Errorf("%s: %q", scheme, got.Header)
		}
	}
}

func TestMethods(t *testing.T) {
	signed := receiver(t, func(s *webhook.Settings) { s.Verify, s.Secret = "github", []string{githubSecret} })
	open := receiver(t, func(s *webhook.Settings) { s.Verify, s.Secret = "url", []string{"a password, long"} })
	const address = "/hooks/test?token=a+password%2C+long&artist=Nina"
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodOptions, "BREW"} {
		r := httptest.NewRequest(method, address, nil)
		r.Header.Set("X-Hub-Signature-256", "sha256="+sign("sha256", "hex", githubSecret, ""))
		got := signed.Receive(r, nil)
		refuses(t, got, http.StatusMethodNotAllowed)
		if got.Header.Get("Allow") != "POST, PUT" {
			t.Errorf("%s: Allow %q", method, got.Header)
		}
	}
	accepts(t, open.Receive(httptest.NewRequest(http.MethodGet, address, nil), nil))
	accepts(t, open.Receive(httptest.NewRequest(http.MethodPut, address, nil), []byte("x")))
	refuses(t, open.Receive(httptest.NewRequest(http.MethodDelete, address, nil), nil), http.StatusMethodNotAllowed)
	refuses(t, open.Receive(httptest.NewRequest(http.MethodGet, "/hooks/test?token=x&artist=Nina", nil), nil), http.StatusUnauthorized)
	refuses(t, open.Receive(httptest.NewRequest(http.MethodGet, address+"&token=x", nil), nil), http.StatusUnauthorized)
}

// TestStripeParts reads the header as Stripe's documentation says: several
// signatures while a secret is replaced, and parts of other schemes.
func TestStripeParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait(1533204620)
		right := "v1=f0bdba6d4eacbd8ad8a3bbadd7248e633ec1477f7899c124c51b39405fa36613"
		wrong := "v1=" + strings.Repeat("0", 64)
		src := receiver(t, func(s *webhook.Settings) {
			s.Verify, s.Secret, s.Header = "stripe", []string{stripeSecret}, "X-Sig"
		})
		for header, ok := range map[string]bool{
			"t=1533204620," + right + ",v0=63f3a72374a733066c4be69ed7f8e5ac85c22c9f0a6a612ab9a025a9e4ee7eef": true,
			"t=1533204620," + wrong + "," + right:         true,
			"t=1533204620," + right + "," + wrong:         true,
			right + ", t=1533204620":                      true,
			"timestamp=1533204620,signature=" + right[3:]: true,
			"t=1533204620," + wrong:                       false,
			"t=1533204620,v0=" + right[3:]:                false,
			"t=1533204620,t=1533204620," + right:          false,
			"t=,t=1533204620," + right:                    false,
			right:                                         false,
			"t=1533204620,v1=":                            false,
		} {
			r := httptest.NewRequest(http.MethodPost, "/hooks/test", nil)
			r.Header.Set("X-Sig", header)
			if got := src.Receive(r, []byte(stripeBody)); (got.Refused == nil) != ok {
				t.Errorf("%s: %v", header, got.Refused)
			}
		}
	})
}

// TestPublicKey checks Standard Webhooks' signatures with Ed25519.
func TestPublicKey(t *testing.T) {
	private := ed25519.NewKeyFromSeed([]byte(strings.Repeat("s", ed25519.SeedSize)))
	public := "whpk_" + base64.StdEncoding.EncodeToString(private.Public().(ed25519.PublicKey))
	synctest.Test(t, func(t *testing.T) {
		src := receiver(t, func(s *webhook.Settings) { s.Verify, s.Secret = "standard", []string{public} })
		at := strconv.FormatInt(time.Now().Unix(), 10)
		signature := "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte("msg_1."+at+".{}")))
		send := func(signature, body string) sources.Verdict {
			r := httptest.NewRequest(http.MethodPost, "/hooks/test", nil)
			r.Header = head("webhook-id", "msg_1", "webhook-timestamp", at, "webhook-signature", signature)
			return src.Receive(r, []byte(body))
		}
		accepts(t, send("v1,AAAA "+signature, "{}"))
		refuses(t, send(signature, "{ }"), http.StatusUnauthorized)
		refuses(t, send("v1,"+signature[4:], "{}"), http.StatusUnauthorized)
		// The public key is known to everybody, so it must be no key of an HMAC.
		key, _ := base64.StdEncoding.DecodeString(public[5:])
		refuses(t, send("v1,"+sign("sha256", "base64", string(key), "msg_1."+at+".{}"), "{}"), http.StatusUnauthorized)
		refuses(t, send("v1,"+sign("sha256", "base64", public, "msg_1."+at+".{}"), "{}"), http.StatusUnauthorized)
	})
}

func TestGitLabWithBoth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait(1614265330)
		src := receiver(t, func(s *webhook.Settings) { s.Verify, s.Secret = "gitlab", []string{"an older token", standardSecret} })
		send := func(header http.Header) sources.Verdict {
			r := httptest.NewRequest(http.MethodPost, "/hooks/test", nil)
			r.Header = header
			return src.Receive(r, []byte(`{"test": 2432232314}`))
		}
		accepts(t, send(standardHeader))
		accepts(t, send(head("X-Gitlab-Token", "an older token")))
		refuses(t, send(head("X-Gitlab-Token", standardSecret)), http.StatusUnauthorized)
		refuses(t, send(head()), http.StatusUnauthorized)
	})
}

func TestIDs(t *testing.T) {
	body := []byte(`{"object_kind":"push"}`)
	gitlab := func(header ...string) string {
		src := receiver(t, func(s *webhook.Settings) { s.Verify, s.Secret = "gitlab", []string{"a gitlab token"} })
		r := httptest.NewRequest(http.MethodPost, "/hooks/test", nil)
		r.Header = head(append(header, "X-Gitlab-Token", "a gitlab token")...)
		got := src.Receive(r, body)
		accepts(t, got)
		return got.ID
	}
	if id := gitlab(); id != "" {
		t.Errorf("an id of nothing: %q", id)
	}
	one := gitlab("X-Gitlab-Event-UUID", "u")
	body = []byte(`{"object_kind":"issue"}`)
	if two := gitlab("X-Gitlab-Event-UUID", "u"); one == two || two == "" {
		t.Errorf("%q and %q are of two deliveries that one event set off", one, two)
	}

	bearer := func(header ...string) string {
		src := receiver(t, func(s *webhook.Settings) { s.Verify, s.Secret = "bearer", []string{"a bearer token"} })
		r := httptest.NewRequest(http.MethodPost, "/hooks/test", nil)
		r.Header = head(append(header, "Authorization", "bearer a bearer token")...)
		got := src.Receive(r, body)
		accepts(t, got)
		return got.ID
	}
	if id := bearer("ce-id", "1", "ce-source", "/shop"); id != "/shop 1" {
		t.Errorf("a CloudEvent's id is %q", id)
	}
	body = []byte(`{"specversion":"1.0","id":"2","source":"/shop","type":"order"}`)
	if id := bearer("Content-Type", "application/cloudevents+json; charset=utf-8"); id != "/shop 2" {
		t.Errorf("a structured CloudEvent's id is %q", id)
	}
	if id := bearer("Idempotency-Key", strings.Repeat("k", 300)); len(id) > 100 || id == "" {
		t.Errorf("a long id is %q", id)
	}
	if id := bearer("Idempotency-Key", "a\tb"); !strings.HasPrefix(id, "sha256:") {
		t.Errorf("an id that is not plain is %q", id)
	}
}

// TestReplay sends what somebody recorded again, within the tolerance: the id is
// the same, however the sender's other signatures are changed.
func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := receiver(t, func(s *webhook.Settings) { s.Verify, s.Secret = "stripe", []string{stripeSecret} })
		at := strconv.FormatInt(time.Now().Unix(), 10)
		send := func(extra string) sources.Verdict {
			r := httptest.NewRequest(http.MethodPost, "/hooks/test", nil)
			r.Header.Set("Stripe-Signature", "t="+at+extra+",v1="+sign("sha256", "hex", stripeSecret, at+".{}"))
			got := src.Receive(r, []byte("{}"))
			accepts(t, got)
			return got
		}
		if a, b := send(""), send(",v1=00"); a.ID == "" || a.ID != b.ID {
			t.Errorf("%q and %q are of one recording", a.ID, b.ID)
		}
	})
}

func TestBadSettings(t *testing.T) {
	good := func(s *webhook.Settings) { s.Verify, s.Secret = "hmac", []string{"a long secret"}; s.Header = "X-Sig" }
	receiver(t, good)
	for i, c := range []struct {
		setting, says string
		change        func(*webhook.Settings)
	}{
		{"verify", "github, gitlab, standard, stripe, slack, zoom, hmac, bearer, basic or, as the last resort, url", func(s *webhook.Settings) { s.Verify = "" }},
		{"verify", "is none of", func(s *webhook.Settings) { s.Verify, s.Header = "githup", "" }},
		{"secret", "openssl", func(s *webhook.Settings) { s.Secret = nil }},
		{"secret", "is empty", func(s *webhook.Settings) { s.Secret = []string{""} }},
		{"secret", "number 2 of 2: the secret has 5 characters", func(s *webhook.Settings) { s.Secret = []string{"a long secret", "short"} }},
		{"secret", "white space", func(s *webhook.Settings) { s.Secret = []string{"a long secret\n"} }},
		{"secret", "no header can", func(s *webhook.Settings) { s.Secret = []string{"a long\nsecret"} }},
		{"secret", "base64", func(s *webhook.Settings) { s.Verify, s.Header, s.Secret = "standard", "", []string{"whsec_%%%%%%%%%"} }},
		{"secret", "24 bytes", func(s *webhook.Settings) { s.Verify, s.Header, s.Secret = "standard", "", []string{"whsec_AAAAAAAA"} }},
		{"secret", "32 bytes", func(s *webhook.Settings) { s.Verify, s.Header, s.Secret = "standard", "", []string{"whpk_AAAAAAAA"} }},
		{"secret", "base64", func(s *webhook.Settings) { s.Verify, s.Header, s.Secret = "gitlab", "", []string{"whsec_%%%%%%%%%"} }},
		{"header", "name the header", func(s *webhook.Settings) { s.Header = "" }},
		{"header", "is no name", func(s *webhook.Settings) { s.Header = "X Sig" }},
		{"header", "it is for hmac, bearer, stripe", func(s *webhook.Settings) { s.Verify = "github" }},
		{"user", "it is for basic", func(s *webhook.Settings) { s.User = "ada" }},
		{"algorithm", "md5", func(s *webhook.Settings) { s.Algorithm = "md5" }},
		{"encoding", "hax", func(s *webhook.Settings) { s.Encoding = "hax" }},
		{"timestamp", "name the header", func(s *webhook.Settings) { s.Signed = "{timestamp}{body}" }},
		{"signed", "change the time", func(s *webhook.Settings) { s.Timestamp, s.Signed = "X-Time", "{body}" }},
		{"signed", "{body} once", func(s *webhook.Settings) { s.Signed = "{body}{body}" }},
		{"signed", "in braces", func(s *webhook.Settings) { s.Signed = "{url}{body}" }},
		{"id", "name the header", func(s *webhook.Settings) { s.Signed = "{id}{body}" }},
		{"id", "it is for hmac", func(s *webhook.Settings) { s.Verify, s.Header, s.ID = "github", "", "X-Id" }},
		{"tolerance", "between", func(s *webhook.Settings) { s.Tolerance = 0 }},
		{"limit", "between", func(s *webhook.Settings) { s.Limit = 0 }},
		{"verify_token", "characters", func(s *webhook.Settings) { s.VerifyToken = "x" }},
		{"verify_token", "choose another", func(s *webhook.Settings) { s.VerifyToken = "a long secret" }},
	} {
		s := webhook.Type.New().(*webhook.Settings)
		good(s)
		c.change(s)
		_, err := s.Source(sources.Env{})
		wrong := (*sources.SettingError)(nil)
		if !errors.As(err, &wrong) || wrong.Setting != c.setting || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%d: error %v, want one of %s that says %q", i, err, c.setting, c.says)
		}
		for _, secret := range s.Secret {
			if err != nil && len(secret) > 4 && strings.Contains(err.Error(), secret) {
				t.Errorf("%d: the error %v holds the secret", i, err)
			}
		}
	}
}

func ExampleSettings() {
	s := webhook.Type.New().(*webhook.Settings)
	s.Verify = "github"
	_, err := s.Source(sources.Env{Name: "commits"})
	fmt.Println(err)
	// Output: secret: give the secret that the sender shares with us, as ${NAME} from the environment; openssl rand -hex 32 makes one
}
