package webhook

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// scheme is a way in which a sender proves itself.
type scheme interface {
	// prove judges a request. What it returns is nil or why it is refused. The
	// proof's id is one that the proof covers; empty where the scheme has none.
	prove(r *http.Request, body []byte) (proof, *refusal)
}

// proof is what a scheme found out beyond that the sender is who it should be.
type proof struct {
	id string // the sender's id of the delivery

	// once is as good as an id against somebody who sends a recording again, but
	// a redelivery has another.
	once string
}

// refusal is why a request is not accepted.
type refusal struct {
	status  int
	detail  string // for the operator
	reason  string // for the sender; empty: the detail
	headers http.Header
}

func (r *refusal) Error() string { return r.detail }

// unproven is the refusal of who has not proved itself.
func unproven(format string, args ...any) *refusal {
	return &refusal{status: http.StatusUnauthorized, detail: fmt.Sprintf(format, args...)}
}

// telling sets what the sender is told instead of the detail.
func (r *refusal) telling(reason string) *refusal {
	r.reason = reason
	return r
}

// only returns the value of a header that must be there once: of two, one may
// be somebody else's.
func only(r *http.Request, name string) (string, *refusal) {
	values := r.Header.Values(name)
	switch len(values) {
	case 0:
		return "", unproven("the header %s is missing; the sender has no secret, or a proxy took the header away", name)
	case 1:
		if values[0] == "" {
			return "", unproven("the header %s is empty", name)
		}
		return values[0], nil
	}
	return "", unproven("the header %s is there %d times", name, len(values))
}

// same reports whether two texts are the same, in a time that tells nothing of
// either, their length included.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// anyOf reports whether given is one of the secrets.
func anyOf(secrets []string, given string) bool {
	found := false
	for _, s := range secrets {
		found = same(s, given) || found
	}
	return found
}

// milliseconds is where a number is no longer taken for seconds: as such it
// would be in the year 5138.
const milliseconds = 100_000_000_000

// parseTime reads seconds, or milliseconds, since 1970.
func parseTime(text string) (time.Time, error) {
	number, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || number < 0 || strings.HasPrefix(text, "+"):
		return time.Time{}, fmt.Errorf("%.40q is no time in seconds since 1970", text)
	case number >= milliseconds:
		return time.UnixMilli(number), nil
	}
	return time.Unix(number, 0), nil
}

// checkTime refuses what was signed too long ago, or will be.
func checkTime(at time.Time, tolerance time.Duration) *refusal {
	switch age := time.Since(at); {
	case age > tolerance:
		return unproven("it was signed %s ago and %s are allowed (tolerance): a late repeat, a recording that somebody sends again, or a wrong clock",
			spell(age), spell(tolerance))
	case age < -tolerance: // -age of the farthest time would be negative again
		return unproven("it will be signed in %s and %s are allowed (tolerance): the clock of the sender or of this machine is wrong",
			spell(time.Until(at)), spell(tolerance))
	}
	return nil
}

// spell writes a duration for people.
func spell(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := d / unit.length; n > 0 {
			return count(int(n), unit.name)
		}
	}
	return d.String()
}

// count is "1 secret", "2 secrets".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
