package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// GrantParameter is the query parameter of a signed link.
const GrantParameter = "grant"

// NewGrant makes the value of ?grant= with which a private wall can be read
// until expires. The key is a secret of at least 16 bytes; whoever has it can
// make grants. Processes that serve one wall share it.
//
// A grant is the expiry in seconds since 1970 and an HMAC-SHA-256 of it and the
// wall, "<seconds>.<base64url>". It can't be taken back, short of another key.
func NewGrant(key []byte, wall string, expires time.Time) string {
	seconds := strconv.FormatInt(expires.Unix(), 10)
	return seconds + "." + base64.RawURLEncoding.EncodeToString(grantSum(key, wall, seconds))
}

func grantSum(key []byte, wall, seconds string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("wallcast grant\x00" + wall + "\x00" + seconds)) // a hash never fails to write
	return mac.Sum(nil)
}

// grantState is what a grant turned out to be.
type grantState int

const (
	grantWrong grantState = iota
	grantExpired
	grantGood
)

// minKey is the shortest key that grants are accepted under, in bytes.
const minKey = 16

func verifyGrant(key []byte, wall, grant string, now time.Time) grantState {
	seconds, encoded, ok := strings.Cut(grant, ".")
	if !ok || len(key) < minKey {
		return grantWrong
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || !hmac.Equal(sum, grantSum(key, wall, seconds)) {
		return grantWrong
	}
	expires, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || !now.Before(time.Unix(expires, 0)) {
		return grantExpired
	}
	return grantGood
}
