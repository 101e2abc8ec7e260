package webhook_test

import (
	"net/http"

	"github.com/wallcast/wallcast/sources/webhook"
)

// vector is a request that a scheme's own documentation calls right.
type vector struct {
	name     string
	settings func(*webhook.Settings)
	method   string // POST if empty
	url      string // /hooks/test if empty
	header   http.Header
	body     string
	at       int64    // when it was signed; 0 for a scheme without a time
	covered  []string // the headers of which every change must be refused
	id       string
}

const (
	githubSecret   = "It's a Secret to Everybody"
	standardSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	slackSecret    = "8f742231b10e8888abcd99yyyzzz85a5"
	stripeSecret   = "webhook_secret"
)

// slackBody is that of "Verifying requests from Slack".
const slackBody = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar" +
	"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2F" +
	"commands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"

// stripeBody and its signature are from the tests of Stripe's own libraries.
const stripeBody = `{
  "id": "evt_123",
  "object": "event",
  "account": "acct_123",
  "api_version": "2017-05-25",
  "created": 1533204620,
  "data": {
    "object": {
      "id": "ii_123",
      "object": "invoiceitem",
      "amount": 1000,
      "currency": "usd",
      "customer": "cus_123",
      "date": 1533204620,
      "description": "Test Invoice Item",
      "discountable": false,
      "invoice": "in_123",
      "livemode": false,
      "metadata": {},
      "period": {
        "start": 1533204620,
        "end": 1533204620
      },
      "plan": null,
      "proration": false,
      "quantity": null,
      "subscription": null
    }
  },
  "livemode": false,
  "pending_webhooks": 1,
  "request": {
    "id": "req_123",
    "idempotency_key": "idempotency-key-123"
  },
  "type": "invoiceitem.created"
}
`

func head(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

var standardHeader = head("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp", "1614265330",
	"webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "Content-Type", "application/json")

var vectors = []vector{
	{
		name:     "github", // GitHub's documentation, "Validating webhook deliveries"
		settings: func(s *webhook.Settings) { s.Verify, s.Secret = "github", []string{githubSecret} },
		header: head("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
			"X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958", "X-GitHub-Event", "push"),
		body:    "Hello, World!",
		covered: []string{"X-Hub-Signature-256"},
		id:      "72d3162e-cc78-11e3-81ab-4c9367dc0958",
	},
	{
		name:     "standard", // the vector of Standard Webhooks' own libraries
		settings: func(s *webhook.Settings) { s.Verify, s.Secret = "standard", []string{standardSecret} },
		header:   standardHeader,
		body:     `{"test": 2432232314}`,
		at:       1614265330,
		covered:  []string{"webhook-id", "webhook-timestamp", "webhook-signature"},
		id:       "msg_p5jXN8AQM9LWM0D4loKWxJek",
	},
	{
		name:     "standard, older names", // Svix's, of which the standard was made
		settings: func(s *webhook.Settings) { s.Verify, s.Secret = "standard", []string{standardSecret} },
		header: head("svix-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "svix-timestamp", "1614265330",
			"svix-signature", "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v1a,dGVzdA== v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
		body: `{"test": 2432232314}`,
		at:   1614265330,
		id:   "msg_p5jXN8AQM9LWM0D4loKWxJek",
	},
	{
		name:     "gitlab, signed", // GitLab signs as Standard Webhooks do
		settings: func(s *webhook.Settings) { s.Verify, s.Secret = "gitlab", []string{standardSecret} },
		header:   standardHeader,
		body:     `{"test": 2432232314}`,
		at:       1614265330,
		covered:  []string{"webhook-id", "webhook-timestamp", "webhook-signature"},
		id:       "msg_p5jXN8AQM9LWM0D4loKWxJek",
	},
	{
		name:     "gitlab, token",
		settings: func(s *webhook.Settings) { s.Verify, s.Secret = "gitlab", []string{"a long gitlab token"} },
		header: head("X-Gitlab-Token", "a long gitlab token", "X-Gitlab-Event", "Push Hook",
			"Idempotency-Key", "f5e5f430-f57b-4e6e-9fac-d9128cd7232f", "X-Gitlab-Event-UUID", "13792a34-cac6-4fda-95a8-c58e00a3954e"),
		body:    `{"object_kind":"push"}`,
		covered: []string{"X-Gitlab-Token"},
		id:      "f5e5f430-f57b-4e6e-9fac-d9128cd7232f",
	},
	{
		name:     "stripe",
		settings: func(s *webhook.Settings) { s.Verify, s.Secret = "stripe", []string{stripeSecret} },
		header:   head("Stripe-Signature", "t=1533204620,v1=f0bdba6d4eacbd8ad8a3bbadd7248e633ec1477f7899c124c51b39405fa36613"),
		body:     stripeBody,
		at:       1533204620,
		covered:  []string{"Stripe-Signature"},
		id:       "evt_123",
	},
	{
		name:     "slack", // Slack's documentation, "Verifying requests from Slack"
		settings: func(s *webhook.Settings) { s.Verify, s.Secret = "slack", []string{slackSecret} },
		header: head("X-Slack-Request-Timestamp", "1531420618", "Content-Type", "application/x-www-form-urlencoded",
			"X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
		body:    slackBody,
		at:      1531420618,
		covered: []string{"X-Slack-Signature", "X-Slack-Request-Timestamp"},
		id:      "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
	},
	{
		name: "hmac", // RFC 4231, test case 2, with a key of our least length: case 3's
		settings: func(s *webhook.Settings) {
			s.Verify, s.Secret, s.Header, s.Algorithm = "hmac", []string{"what do ya want for nothing?"}, "X-Signature", "sha512"
			s.Encoding, s.Prefix, s.ID = "base64", "sig ", "X-Id"
		},
		header:  head("X-Signature", "sig "+sign("sha512", "base64", "what do ya want for nothing?", "Jefe"), "X-Id", "seven"),
		body:    "Jefe",
		covered: []string{"X-Signature"},
		id:      "seven",
	},
	{
		name: "hmac, with a time",
		settings: func(s *webhook.Settings) {
			s.Verify, s.Secret, s.Header, s.Algorithm = "hmac", []string{"a shared secret"}, "X-Sig", "sha1"
			s.Encoding, s.Timestamp, s.ID, s.Signed = "base64url", "X-Time", "X-Id", "{id}:{timestamp}:{body}:end"
		},
		header: head("X-Sig", sign("sha1", "base64url", "a shared secret", "m1:1700000000123:body:end"),
			"X-Time", "1700000000123", "X-Id", "m1"),
		body:    "body",
		at:      1700000000,
		covered: []string{"X-Sig", "X-Time", "X-Id"},
		id:      "m1",
	},
	{
		name:     "bearer", // RFC 6750, section 2.1
		settings: func(s *webhook.Settings) { s.Verify, s.Secret = "bearer", []string{"mF_9.B5f-4.1JqM"} },
		header:   head("Authorization", "Bearer mF_9.B5f-4.1JqM", "Idempotency-Key", "once"),
		body:     "{}",
		covered:  []string{"Authorization"},
		id:       "once",
	},
	{
		name: "bearer in a header of its own", // as recorded of Liquidsoap, with a longer token
		settings: func(s *webhook.Settings) {
			s.Verify, s.Secret, s.Header = "bearer", []string{"radio radio radio"}, "X-Feed-Token"
		},
		header:  head("X-Feed-Token", "radio radio radio"),
		body:    "{}",
		covered: []string{"X-Feed-Token"},
	},
	{
		name: "basic", // as RFC 7617, section 2
		settings: func(s *webhook.Settings) {
			s.Verify, s.User, s.Secret = "basic", "Aladdin", []string{"something else", "open sesame!!"}
		},
		header:  head("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZSEh"),
		body:    "{}",
		covered: []string{"Authorization"},
	},
	{
		name:     "url",
		settings: func(s *webhook.Settings) { s.Verify, s.Secret = "url", []string{"a+b c&d=e%f secret"} },
		url:      "/hooks/test?artist=x&token=a%2Bb+c%26d%3de%25f%20secret",
		body:     "{}",
	},
}
