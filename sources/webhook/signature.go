package webhook

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"strings"
	"time"
)

var hashes = map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

var encodings = map[string]func(string) ([]byte, error){
	"hex":    hex.DecodeString,
	"base64": decodeBase64, "base64url": decodeBase64, // the two are told apart by their letters
}

// signature is every scheme that signs with a hash and a shared secret.
type signature struct {
	keys      [][]byte
	hash      string
	tolerance time.Duration // 0 for a scheme without a time
	read      func(r *http.Request) (claim, *refusal)
}

// claim is what a request says of its signature.
type claim struct {
	header        string   // where it says so
	signatures    [][]byte // of which one has to match
	before, after string   // what is signed around the body
	time          string   // when it was signed
	id            string   // what is signed as the delivery's id
}

func (s *signature) prove(r *http.Request, body []byte) (proof, *refusal) {
	c, refused := s.read(r)
	if refused != nil {
		return proof{}, refused
	}
	first, ok := s.matches(c, body)
	if !ok {
		return proof{}, mismatch(c.header, len(body), len(s.keys))
	}
	if s.tolerance == 0 || c.time == "" {
		return proof{id: c.id}, nil
	}
	at, err := parseTime(c.time)
	if err != nil {
		return proof{}, unproven("the signature is right, but %v", err)
	}
	if refused := checkTime(at, s.tolerance); refused != nil {
		return proof{}, refused
	}
	return proof{id: c.id, once: hex.EncodeToString(first)}, nil
}

// mismatch is the refusal of a signature that no secret gives. It says how many
// were tried to the operator alone.
func mismatch(header string, size, secrets int) *refusal {
	with := "the secret"
	if secrets > 1 {
		with = "any of " + count(secrets, "secret")
	}
	return unproven("the signature in %s over %s does not match with %s: the sender has another secret, or a proxy changed the body",
		header, count(size, "byte"), with).
		telling("the signature in " + header + " does not match: the secret differs, or the body was changed on its way")
}

// matches compares every signature with that of every secret, whichever may be
// the right one. It returns the one that the first secret gives.
func (s *signature) matches(c claim, body []byte) (first []byte, found bool) {
	for i, key := range s.keys {
		mac := hmac.New(hashes[s.hash], key)
		mac.Write([]byte(c.before))
		mac.Write(body)
		mac.Write([]byte(c.after))
		sum := mac.Sum(nil)
		if i == 0 {
			first = sum
		}
		for _, given := range c.signatures {
			found = hmac.Equal(sum, given) || found
		}
	}
	return first, found
}

// readGitHub reads the header of GitHub, Gitea and Forgejo.
func readGitHub(r *http.Request) (claim, *refusal) {
	const header = "X-Hub-Signature-256"
	value, refused := only(r, header)
	if refused != nil {
		return claim{}, refused
	}
	text, ok := strings.CutPrefix(value, "sha256=")
	sum, err := hex.DecodeString(text)
	if !ok || err != nil {
		return claim{}, unproven("the header %s does not hold sha256= and hexadecimal digits", header)
	}
	return claim{header: header, signatures: [][]byte{sum}}, nil
}

// v0Reader reads the two headers of Slack and of Zoom.
func v0Reader(header, timestamp string) func(*http.Request) (claim, *refusal) {
	return func(r *http.Request) (claim, *refusal) {
		value, refused := only(r, header)
		if refused != nil {
			return claim{}, refused
		}
		at, refused := only(r, timestamp)
		if refused != nil {
			return claim{}, refused
		}
		text, ok := strings.CutPrefix(value, "v0=")
		sum, err := hex.DecodeString(text)
		if !ok || err != nil {
			return claim{}, unproven("the header %s does not hold v0= and hexadecimal digits", header)
		}
		return claim{header: header, signatures: [][]byte{sum}, before: "v0:" + at + ":", time: at}, nil
	}
}

// stripeReader reads t=TIME,v1=SIGNATURE and the same with longer names, as
// Buildkite has them. There may be several signatures, and other parts.
func stripeReader(header string) func(*http.Request) (claim, *refusal) {
	return func(r *http.Request) (claim, *refusal) {
		value, refused := only(r, header)
		if refused != nil {
			return claim{}, refused
		}
		c := claim{header: header}
		times := 0
		for part := range strings.SplitSeq(value, ",") {
			name, text, _ := strings.Cut(strings.TrimSpace(part), "=")
			switch name {
			case "t", "timestamp":
				c.time = text
				times++
			case "v1", "signature":
				if sum, err := hex.DecodeString(text); err == nil && text != "" {
					c.signatures = append(c.signatures, sum)
				}
			}
		}
		if times != 1 || c.time == "" {
			return claim{}, unproven("the header %s does not hold one time, as t=1700000000", header)
		}
		if len(c.signatures) == 0 {
			return claim{}, unproven("the header %s holds no signature, as v1= and hexadecimal digits", header)
		}
		c.before = c.time + "."
		return c, nil
	}
}

// hmacReader reads a signature whose place and form are settings.
type hmacReader struct {
	header, prefix, timestamp, id string
	encoding                      string
	decode                        func(string) ([]byte, error)
	before, after                 string // what is signed around the body, with names in braces
}

func (h *hmacReader) read(r *http.Request) (claim, *refusal) {
	value, refused := only(r, h.header)
	if refused != nil {
		return claim{}, refused
	}
	text, ok := strings.CutPrefix(value, h.prefix)
	if !ok {
		return claim{}, unproven("the header %s does not begin with %q (prefix)", h.header, h.prefix).
			telling(fmt.Sprintf("the header %s does not begin as it should", h.header))
	}
	sum, err := h.decode(strings.TrimSpace(text))
	if err != nil || len(sum) == 0 {
		return claim{}, unproven("the header %s holds no signature in %s (encoding)", h.header, h.encoding)
	}
	c := claim{header: h.header, signatures: [][]byte{sum}}
	form := h.before + h.after
	if strings.Contains(form, "{timestamp}") {
		if c.time, refused = only(r, h.timestamp); refused != nil {
			return claim{}, refused
		}
	}
	if strings.Contains(form, "{id}") {
		if c.id, refused = only(r, h.id); refused != nil {
			return claim{}, refused
		}
	}
	fill := strings.NewReplacer("{timestamp}", c.time, "{id}", c.id)
	c.before, c.after = fill.Replace(h.before), fill.Replace(h.after)
	return c, nil
}
