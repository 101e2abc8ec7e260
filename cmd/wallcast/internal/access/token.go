package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// SecretPrefix begins every secret that [NewSecret] makes, so that people and
// scanners for leaked secrets recognise one.
const SecretPrefix = "wc_"

// NewSecret makes a token's secret: the prefix and 32 random bytes in base64url.
// It is shown once; the configuration keeps its [Hash].
func NewSecret() string {
	var random [32]byte
	rand.Read(random[:]) //nolint:errcheck // crypto/rand.Read never returns an error
	return SecretPrefix + base64.RawURLEncoding.EncodeToString(random[:])
}

// Hash is the SHA-256 of a token's secret. The secret has 256 random bits, so a
// slow hash would add nothing. The zero Hash belongs to no secret.
type Hash [sha256.Size]byte

// HashSecret returns the hash to configure for a secret.
func HashSecret(secret string) Hash { return sha256.Sum256([]byte(secret)) }

const hashPrefix = "sha256:"

var errHash = errors.New(`not a token's hash; it is "sha256:" and 64 hexadecimal digits or 43 of base64url, as wallcast token prints it`)

// ParseHash reads "sha256:" followed by the hash in hexadecimal digits or in
// base64url. Its error doesn't repeat s, which may be a secret put in the wrong place.
func ParseHash(s string) (Hash, error) {
	digits, ok := strings.CutPrefix(s, hashPrefix)
	if !ok {
		return Hash{}, errHash
	}
	raw, err := hex.DecodeString(digits)
	if err != nil {
		raw, err = base64.RawURLEncoding.Strict().DecodeString(strings.TrimRight(digits, "="))
	}
	if err != nil || len(raw) != sha256.Size {
		return Hash{}, errHash
	}
	return Hash(raw), nil
}

// Verify reports whether the hash is the secret's, in constant time.
func (h Hash) Verify(secret string) bool {
	other := HashSecret(secret)
	return subtle.ConstantTimeCompare(h[:], other[:]) == 1
}

// String is the hash as the configuration holds it, in hexadecimal digits.
func (h Hash) String() string { return hashPrefix + hex.EncodeToString(h[:]) }

// MarshalText is String.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText is ParseHash.
func (h *Hash) UnmarshalText(text []byte) error {
	parsed, err := ParseHash(string(text))
	if err != nil {
		return err
	}
	*h = parsed
	return nil
}

// Token is somebody that may do something.
type Token struct {
	Name  string
	Hash  Hash
	Allow Rights
}
