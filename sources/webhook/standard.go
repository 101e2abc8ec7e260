package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"time"
)

// standard is Standard Webhooks 1.0: id, time and body signed with a shared
// secret (v1) or with Ed25519 (v1a).
type standard struct {
	keys      [][]byte
	public    []ed25519.PublicKey
	tolerance time.Duration
}

// newStandard makes the scheme of secrets as whsec_… and public keys as whpk_….
func newStandard(secrets []string, tolerance time.Duration) (*standard, error) {
	s := &standard{tolerance: tolerance}
	for i, secret := range secrets {
		if err := s.add(secret); err != nil {
			return nil, wrong("secret", "%s%v", which(i, len(secrets)), err)
		}
	}
	return s, nil
}

func (s *standard) add(secret string) error {
	if text, ok := strings.CutPrefix(secret, "whpk_"); ok {
		key, err := decodeBase64(text)
		if err != nil || len(key) != ed25519.PublicKeySize {
			return errors.New("the public key is not whpk_ and 32 bytes in base64")
		}
		s.public = append(s.public, key)
		return nil
	}
	secret = strings.TrimPrefix(secret, "v1,") // as Supabase writes it
	key, err := decodeBase64(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return errors.New("the secret is not whsec_ and base64; for any other use verify: hmac")
	}
	if len(key) < leastSecret {
		return errors.New("the secret is too short; Standard Webhooks asks for 24 bytes or more")
	}
	s.keys = append(s.keys, key)
	return nil
}

// standardHeaders are the standard's names and those that it had before.
var standardHeaders = []struct{ id, time, signature string }{
	{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"},
	{"Svix-Id", "Svix-Timestamp", "Svix-Signature"},
}

func (s *standard) prove(r *http.Request, body []byte) (proof, *refusal) {
	names := standardHeaders[0]
	if old := standardHeaders[1]; r.Header.Get(names.signature) == "" && r.Header.Get(old.signature) != "" {
		names = old
	}
	var values [3]string
	for i, name := range []string{names.signature, names.id, names.time} {
		value, refused := only(r, name)
		if refused != nil {
			return proof{}, refused
		}
		values[i] = value
	}
	given, id, when := values[0], values[1], values[2]
	shared, asymmetric := splitSignatures(given)
	if len(shared)+len(asymmetric) == 0 {
		return proof{}, unproven("the header %s holds no signature of a version that is known, as v1, and base64", names.signature)
	}
	signed := make([]byte, 0, len(id)+len(when)+2+len(body))
	signed = append(append(signed, id+"."+when+"."...), body...)
	if !s.matches(signed, shared, asymmetric) {
		return proof{}, mismatch(names.signature, len(body), len(s.keys)+len(s.public))
	}
	at, err := parseTime(when)
	if err != nil {
		return proof{}, unproven("the signature is right, but %v", err)
	}
	if refused := checkTime(at, s.tolerance); refused != nil {
		return proof{}, refused
	}
	return proof{id: id}, nil
}

// splitSignatures reads "v1,BASE64 v1a,BASE64 …". Other versions are skipped, as
// the standard asks.
func splitSignatures(value string) (shared, asymmetric [][]byte) {
	for part := range strings.FieldsSeq(value) {
		version, text, _ := strings.Cut(part, ",")
		sum, err := decodeBase64(text)
		if err != nil || len(sum) == 0 {
			continue
		}
		switch version {
		case "v1":
			shared = append(shared, sum)
		case "v1a":
			asymmetric = append(asymmetric, sum)
		}
	}
	return shared, asymmetric
}

func (s *standard) matches(signed []byte, shared, asymmetric [][]byte) bool {
	found := false
	for _, key := range s.keys {
		mac := hmac.New(sha256.New, key)
		mac.Write(signed)
		sum := mac.Sum(nil)
		for _, given := range shared {
			found = hmac.Equal(sum, given) || found
		}
	}
	if len(asymmetric) > mostAsymmetric {
		asymmetric = asymmetric[:mostAsymmetric]
	}
	for _, key := range s.public {
		for _, given := range asymmetric {
			found = ed25519.Verify(key, signed, given) || found
		}
	}
	return found
}

// mostAsymmetric bounds how often a request can make us do what takes long.
const mostAsymmetric = 8
