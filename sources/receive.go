package sources

import (
	"net/http"
	"time"
)

// Receiver is a Source that others post to, at /hooks/ and its name.
//
// A request that is accepted becomes a [Delivery], which is kept before the
// sender is answered; then the process that runs the source gets it by
// Output.Delivery, and puts its number into the cursor of the last event that it
// makes of it. So a delivery is done once, whatever crashes when.
//
// Every process receives, whether or not it is the one that runs the source, and
// requests come concurrently. So Receive keeps nothing: it judges the request.
type Receiver interface {
	Source

	// Receive judges a request whose body was read. It neither waits nor keeps
	// the request or the body.
	Receive(r *http.Request, body []byte) Verdict

	// Hook says how the program serves the source's hook.
	Hook() Hook

	// Parse is what a delivery makes, before the configuration's map: what Run
	// emits, or for a source that remembers earlier deliveries what it would if
	// this one were the first. It is asked before a delivery is kept, so that its
	// sender learns of an error.
	Parse(d Delivery) ([]Event, error)
}

// Hook is how a Receiver's hook is served.
type Hook struct {
	// Limit is the largest body, in bytes; 0 means 1 MiB.
	Limit int64

	// Secrets are header and query parameter names (lower case) that hold what a
	// sender proves itself with. Their values are not kept. Neither are those of
	// Authorization, Cookie and Proxy-Authorization.
	Secrets []string

	// Hide are texts that are struck out of what is kept of a body.
	Hide []string
}

// Verdict is what Receive says of a request. The zero Verdict accepts it.
type Verdict struct {
	// Refused is why the request is not accepted; nil when it is. Its text goes
	// to the log of deliveries, for the operator. The sender is told Reason.
	Refused error

	// Status is the status of a refusal, 400 when it is 0.
	Status int

	// Reason is what a sender whose request is refused is told. It gives away
	// nothing that helps to forge one.
	Reason string

	// Answer, when it is not nil, is sent as the body of a 200 and nothing is
	// kept, for a sender that verifies the address with a handshake or a ping.
	// AnswerType is its content type.
	Answer     []byte
	AnswerType string

	// Header are further headers of the Answer or the refusal, as a handshake or
	// a method that is not allowed needs them.
	Header http.Header

	// ID is the sender's own id of the delivery: a second one with it is answered
	// as the first was, and not kept. Empty: the sender gives none.
	ID string

	// Hide are texts that are struck out of what is kept of this request's body,
	// beside those of Hook.Hide.
	Hide []string
}

// Delivery is a request to a hook, as it is kept.
type Delivery struct {
	Number uint64    `json:"number"` // grows with each delivery of all hooks; 0 until it is kept
	Time   time.Time `json:"time"`   // when it came
	From   string    `json:"from"`   // the client's address

	Method string      `json:"method"`
	Query  string      `json:"query,omitempty"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`

	Status  int    `json:"status"`            // what it was answered
	Outcome string `json:"outcome"`           // in words
	ID      string `json:"id,omitempty"`      // see Verdict.ID
	Replays uint64 `json:"replays,omitempty"` // the number of the delivery that this one repeats
}
