package access

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Problem is an answer of the type application/problem+json (RFC 9457) that
// says what was wrong and what would be right. A nil *Problem means that
// nothing was wrong.
type Problem struct {
	Status     int
	Title      string        // the status in words, if empty
	Detail     string        // for a person
	Check      string        // name of the check that failed, for a program; may be empty
	RetryAfter time.Duration // when to try again, if that helps; 0: unknown
}

// Error is the detail.
func (p *Problem) Error() string { return p.Detail }

// Write sends the problem. A 401 asks for a token, unless w asks for something
// else already.
func (p *Problem) Write(w http.ResponseWriter) {
	title := p.Title
	if title == "" {
		title = http.StatusText(p.Status)
	}
	body, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Check  string `json:"check,omitempty"`
	}{"about:blank", title, p.Status, p.Detail, p.Check})
	if err != nil {
		panic(err) // five plain fields
	}
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	if p.Status == http.StatusUnauthorized && header.Get("WWW-Authenticate") == "" {
		header.Set("WWW-Authenticate", `Bearer realm="wallcast"`)
	}
	if p.RetryAfter > 0 {
		header.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(p.RetryAfter.Seconds())), 10))
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // a client that is gone gets no answer
}

// The names of the checks, as in Problem.Check.
const (
	checkHost     = "host"
	checkToken    = "token"
	checkRight    = "right"
	checkGrant    = "grant"
	checkListener = "listener"
	checkProxy    = "proxy"
	checkOrigin   = "origin"
	checkRate     = "rate"
)
