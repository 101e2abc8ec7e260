package webhook

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/wallcast/wallcast/sources"
)

const (
	// leastSecret is the shortest secret, in bytes: what is shorter can be guessed
	// from a single signature.
	leastSecret = 12

	defaultTolerance = 5 * time.Minute
	defaultLimit     = 1 << 20
	mostLimit        = 32 << 20
)

// Type is the source type "webhook".
var Type = sources.Type{
	Name: "webhook",
	Doc:  "What others post to /hooks/NAME, once they have proved who they are.",
	New: func() sources.Settings {
		return &Settings{Algorithm: "sha256", Encoding: "hex", Tolerance: defaultTolerance, Limit: defaultLimit}
	},
}

// Settings are the settings of a webhook source.
type Settings struct {
	Verify      string        `yaml:"verify" doc:"How a sender proves itself. github, gitlab, standard (Standard Webhooks), stripe, slack, zoom: as these do. hmac: any other signature. bearer: a token in a header. basic: user and password. url: ?token=SECRET in the address, the last resort." enum:"github gitlab standard stripe slack zoom hmac bearer basic url"`
	Secret      []string      `yaml:"secret" doc:"What the sender shares with us, best as ${NAME} from the environment; of several each counts, so that one can be replaced."`
	User        string        `yaml:"user" doc:"basic: the user's name; without it any will do."`
	Header      string        `yaml:"header" doc:"hmac: the header with the signature. bearer: the header with the token, if not Authorization. stripe: the header, if not Stripe-Signature."`
	Prefix      string        `yaml:"prefix" doc:"hmac: what stands in front of the signature, as sha256=. bearer: what stands in front of the token, if not Bearer."`
	Algorithm   string        `yaml:"algorithm" doc:"hmac: the hash." enum:"sha1 sha256 sha512"`
	Encoding    string        `yaml:"encoding" doc:"hmac: how the signature is written." enum:"hex base64 base64url"`
	Timestamp   string        `yaml:"timestamp" doc:"hmac: the header with the time of signing, in seconds or milliseconds since 1970."`
	Signed      string        `yaml:"signed" doc:"hmac: what is signed, made of {body}, {timestamp} and {id}; {body} alone if not said, and {timestamp}.{body} where there is a timestamp."`
	ID          string        `yaml:"id" doc:"hmac, bearer, basic, url: the header with the sender's id of a delivery, by which a redelivery is known; Idempotency-Key if not said."`
	Tolerance   time.Duration `yaml:"tolerance" doc:"How far the time of signing may be from now, before or after."`
	VerifyToken string        `yaml:"verify_token" doc:"What a handshake without a signature must bring, as hub.verify_token or ?token=."`
	Limit       int64         `yaml:"limit" doc:"The largest body, in bytes."`
}

// wrong is a *sources.SettingError.
func wrong(setting, format string, args ...any) error {
	return &sources.SettingError{Setting: setting, Err: fmt.Errorf(format, args...)}
}

// Source checks the settings; see [sources.Settings].
func (s *Settings) Source(env sources.Env) (sources.Source, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	scheme, err := s.scheme()
	if err != nil {
		return nil, err
	}
	return &source{
		scheme: scheme, verify: s.Verify, secrets: slices.Clone(s.Secret),
		idHeader: s.ID, verifyToken: s.VerifyToken, limit: s.Limit, unmapped: env.Unmapped,
	}, nil
}

func (s *Settings) check() error {
	if s.Verify == "" {
		return wrong("verify", "say how a sender proves itself: github, gitlab, standard, stripe, slack, zoom, hmac, bearer, basic or, as the last resort, url")
	}
	if err := s.checkSecrets(); err != nil {
		return err
	}
	if err := s.checkForeign(); err != nil {
		return err
	}
	for _, h := range []struct{ setting, name string }{{"header", s.Header}, {"timestamp", s.Timestamp}, {"id", s.ID}} {
		if h.name != "" && !httpguts.ValidHeaderFieldName(h.name) {
			return wrong(h.setting, "%q is no name of a header", h.name)
		}
	}
	if s.Tolerance < time.Second || s.Tolerance > 72*time.Hour {
		return wrong("tolerance", "%v is not between 1s and 72h", s.Tolerance)
	}
	if s.Limit < 1 || s.Limit > mostLimit {
		return wrong("limit", "%d is not between 1 and %d bytes", s.Limit, mostLimit)
	}
	return nil
}

func (s *Settings) checkSecrets() error {
	if len(s.Secret) == 0 {
		return wrong("secret", "give the secret that the sender shares with us, as ${NAME} from the environment; openssl rand -hex 32 makes one")
	}
	for i, secret := range s.Secret {
		if err := checkSecret(secret); err != nil {
			return wrong("secret", "%sthe secret %v", which(i, len(s.Secret)), err)
		}
	}
	if s.VerifyToken != "" {
		if err := checkSecret(s.VerifyToken); err != nil {
			return wrong("verify_token", "it %v", err)
		}
		if slices.Contains(s.Secret, s.VerifyToken) && !s.plain() {
			return wrong("verify_token", "it is the secret, which would stand in addresses and so in the logs of others; choose another text")
		}
	}
	return nil
}

// which says which of several secrets an error is about, and never what it is.
func which(i, of int) string {
	if of == 1 {
		return ""
	}
	return fmt.Sprintf("number %d of %d: ", i+1, of)
}

func checkSecret(secret string) error {
	switch {
	case secret == "":
		return fmt.Errorf("is empty")
	case strings.TrimSpace(secret) != secret:
		return fmt.Errorf("begins or ends with white space, which copying may have added; take it off")
	case !utf8.ValidString(secret) || strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("holds characters that no header can")
	case len(secret) < leastSecret:
		return fmt.Errorf("has %d characters and could be guessed; take at least %d (openssl rand -hex 32 makes one)", len(secret), leastSecret)
	}
	return nil
}

// plain reports whether senders show the secret itself instead of a signature.
func (s *Settings) plain() bool {
	return s.Verify == "bearer" || s.Verify == "basic" || s.Verify == "url"
}

// checkForeign finds settings that the scheme does not have.
func (s *Settings) checkForeign() error {
	for _, f := range []struct {
		setting string
		set     bool
		schemes []string
	}{
		{"user", s.User != "", []string{"basic"}},
		{"header", s.Header != "", []string{"hmac", "bearer", "stripe"}},
		{"prefix", s.Prefix != "", []string{"hmac", "bearer"}},
		{"algorithm", s.Algorithm != "sha256", []string{"hmac"}},
		{"encoding", s.Encoding != "hex", []string{"hmac"}},
		{"timestamp", s.Timestamp != "", []string{"hmac"}},
		{"signed", s.Signed != "", []string{"hmac"}},
		{"id", s.ID != "", []string{"hmac", "bearer", "basic", "url"}},
	} {
		if f.set && !slices.Contains(f.schemes, s.Verify) {
			return wrong(f.setting, "it has no meaning with verify: %s; it is for %s", s.Verify, strings.Join(f.schemes, ", "))
		}
	}
	return nil
}

// scheme makes what proves a sender.
func (s *Settings) scheme() (scheme, error) {
	keys := make([][]byte, len(s.Secret))
	for i, secret := range s.Secret {
		keys[i] = []byte(secret)
	}
	switch s.Verify {
	case "github":
		return &signature{keys: keys, hash: "sha256", read: readGitHub}, nil
	case "stripe":
		return &signature{keys: keys, hash: "sha256", tolerance: s.Tolerance, read: stripeReader(orElse(s.Header, "Stripe-Signature"))}, nil
	case "slack":
		return &signature{keys: keys, hash: "sha256", tolerance: s.Tolerance, read: v0Reader("X-Slack-Signature", "X-Slack-Request-Timestamp")}, nil
	case "zoom":
		return &signature{keys: keys, hash: "sha256", tolerance: s.Tolerance, read: v0Reader("X-Zm-Signature", "X-Zm-Request-Timestamp")}, nil
	case "hmac":
		return s.hmac(keys)
	case "standard":
		return newStandard(s.Secret, s.Tolerance)
	case "gitlab":
		return newGitLab(s.Secret, s.Tolerance)
	case "bearer":
		header := http.CanonicalHeaderKey(orElse(s.Header, "Authorization"))
		prefix := s.Prefix
		if prefix == "" && header == "Authorization" {
			prefix = "Bearer"
		}
		return &token{secrets: s.Secret, header: header, prefix: prefix}, nil
	case "basic":
		return &basic{user: s.User, secrets: s.Secret}, nil
	case "url":
		return &address{secrets: s.Secret}, nil
	}
	return nil, wrong("verify", "%q is none of github, gitlab, standard, stripe, slack, zoom, hmac, bearer, basic and url", s.Verify)
}

// hmac makes the scheme whose every part is a setting.
func (s *Settings) hmac(keys [][]byte) (scheme, error) {
	if s.Header == "" {
		return nil, wrong("header", "name the header that holds the signature, as X-Hub-Signature-256")
	}
	if _, ok := hashes[s.Algorithm]; !ok {
		return nil, wrong("algorithm", "%q is none of sha1, sha256 and sha512", s.Algorithm)
	}
	decode, ok := encodings[s.Encoding]
	if !ok {
		return nil, wrong("encoding", "%q is none of hex, base64 and base64url", s.Encoding)
	}
	form := s.Signed
	if form == "" && s.Timestamp != "" {
		form = "{timestamp}.{body}"
	}
	before, after, err := cutForm(orElse(form, "{body}"))
	if err != nil {
		return nil, wrong("signed", "%v", err)
	}
	timed := strings.Contains(before+after, "{timestamp}")
	switch {
	case timed && s.Timestamp == "":
		return nil, wrong("timestamp", "what is signed holds {timestamp}; name the header that brings it")
	case !timed && s.Timestamp != "":
		return nil, wrong("signed", "it lacks {timestamp}, so anybody could change the time")
	case s.ID == "" && strings.Contains(before+after, "{id}"):
		return nil, wrong("id", "what is signed holds {id}; name the header that brings it")
	}
	h := &hmacReader{
		header: s.Header, prefix: s.Prefix, timestamp: s.Timestamp, id: s.ID,
		encoding: s.Encoding, decode: decode, before: before, after: after,
	}
	return &signature{keys: keys, hash: s.Algorithm, tolerance: s.Tolerance, read: h.read}, nil
}

// cutForm cuts the form of what is signed at the body.
func cutForm(form string) (before, after string, err error) {
	before, after, ok := strings.Cut(form, "{body}")
	if !ok || strings.Contains(after, "{body}") {
		return "", "", fmt.Errorf("it must hold {body} once, or the body could be changed")
	}
	rest := strings.NewReplacer("{timestamp}", "", "{id}", "").Replace(before + after)
	if strings.ContainsAny(rest, "{}") {
		return "", "", fmt.Errorf("it may hold {body}, {timestamp} and {id}; %q holds something else in braces", form)
	}
	return before, after, nil
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// decodeBase64 reads base64 of either alphabet, with or without padding. It is
// strict, so that a signature has one spelling.
func decodeBase64(s string) ([]byte, error) {
	s = strings.TrimRight(s, "=")
	if strings.ContainsAny(s, "-_") {
		return base64.RawURLEncoding.Strict().DecodeString(s)
	}
	return base64.RawStdEncoding.Strict().DecodeString(s)
}
