package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

// source is one hook.
type source struct {
	scheme      scheme
	verify      string // the scheme's name
	secrets     []string
	idHeader    string
	verifyToken string
	limit       int64
	unmapped    bool
}

var _ sources.Receiver = (*source)(nil)

// shown reports whether senders show the secret itself. What they say in an
// address counts then; where a signature is of the body alone it does not.
func (s *source) shown() bool {
	return s.verify == "bearer" || s.verify == "basic" || s.verify == "url"
}

// Hook implements sources.Receiver.
func (s *source) Hook() sources.Hook {
	h := sources.Hook{
		Limit:   s.limit,
		Secrets: []string{tokenParameter, "hub.verify_token", "x-gitlab-token"},
		Hide:    slices.Clone(s.secrets),
	}
	if t, ok := s.scheme.(*token); ok {
		h.Secrets = append(h.Secrets, strings.ToLower(t.header))
	}
	if s.verifyToken != "" {
		h.Hide = append(h.Hide, s.verifyToken)
	}
	return h
}

// Receive implements sources.Receiver.
func (s *source) Receive(r *http.Request, body []byte) sources.Verdict {
	if verdict, ok := s.greet(r, body); ok {
		return verdict
	}
	if allowed := s.methods(); !slices.Contains(allowed, r.Method) {
		return verdictOf(&refusal{
			status:  http.StatusMethodNotAllowed,
			detail:  fmt.Sprintf("the method is %.20s; the hook takes %s", r.Method, strings.Join(allowed, ", ")),
			headers: http.Header{"Allow": {strings.Join(allowed, ", ")}},
		})
	}
	proved, refused := s.scheme.prove(r, body)
	if refused != nil {
		return verdictOf(refused)
	}
	top := s.look(r, body)
	if answer, ok := s.answer(r, body, top); ok {
		return answer
	}
	verdict := sources.Verdict{ID: tidy(s.id(r.Header, body, top, proved))}
	if s.verify == "slack" {
		if legacy := top.get("token"); len(legacy) >= leastSecret {
			verdict.Hide = []string{legacy}
		}
	}
	return verdict
}

// methods are what a delivery may be sent with. A GET says all in its address,
// which no signature here covers.
func (s *source) methods() []string {
	if s.shown() {
		return []string{http.MethodPost, http.MethodPut, http.MethodGet, http.MethodHead}
	}
	return []string{http.MethodPost, http.MethodPut}
}

// verdictOf is a refusal as the program is told of it.
func verdictOf(r *refusal) sources.Verdict {
	return sources.Verdict{Refused: r, Status: r.status, Reason: orElse(r.reason, r.detail), Header: r.headers}
}

// id is by what a redelivery is known.
func (s *source) id(h http.Header, body []byte, top fields, proved proof) string {
	switch s.verify {
	case "github":
		return h.Get("X-Github-Delivery")
	case "gitlab":
		return gitLabID(h, body, proved)
	case "stripe":
		return orElse(top.get("id"), proved.once)
	case "slack":
		return orElse(top.get("event_id"), proved.once)
	case "zoom":
		return digest(body) // a repeat has its own time of signing and the same event_ts
	case "standard":
		return proved.id
	}
	if s.idHeader != "" {
		return orElse(h.Get(s.idHeader), proved.once)
	}
	if key := h.Get("Idempotency-Key"); key != "" {
		return key
	}
	if id := h.Get("Ce-Id"); id != "" { // a CloudEvent, or one written as JSON
		return h.Get("Ce-Source") + " " + id
	}
	if declared, _ := contentType(h); declared == "application/cloudevents+json" {
		return top.get("source") + " " + top.get("id")
	}
	return proved.once
}

// gitLabID is the id that GitLab's repeats have in common. Those before 17.4
// have none; their X-Gitlab-Event-UUID is common to all hooks that one event set
// off, also one through another, and tells deliveries apart only with the body.
func gitLabID(h http.Header, body []byte, proved proof) string {
	if proved.id != "" {
		return proved.id
	}
	if key := h.Get("Idempotency-Key"); key != "" {
		return key
	}
	if event := h.Get("X-Gitlab-Event-Uuid"); event != "" {
		return event + " " + digest(body)
	}
	return ""
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// mostID is the longest id that is kept as it is.
const mostID = 200

// tidy is an id, or a hash of it where it is long or not plain.
func tidy(id string) string {
	plain := len(id) <= mostID && utf8.ValidString(id)
	if !plain || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "sha256:" + digest([]byte(id))
	}
	return id
}

// fields are what a payload says in the texts of its top.
type fields map[string]json.RawMessage

// get returns a field that is a text; empty where it is absent or no text.
func (f fields) get(name string) string {
	var s string
	if json.Unmarshal(f[name], &s) != nil {
		return ""
	}
	return s
}

// look reads the top of a payload; nil where it is no object.
func (s *source) look(r *http.Request, body []byte) fields {
	data, err := payload(r.Header, s.query(r.URL.RawQuery), body)
	if err != nil || !stream.IsObject(data) {
		return nil
	}
	var f fields
	if json.Unmarshal(data, &f) != nil {
		return nil
	}
	return f
}

// query is what an address says, without what proves the sender.
func (s *source) query(raw string) form {
	if !s.shown() {
		return nil
	}
	return s.public(raw)
}

// public is the parameters of an address that are no secrets.
func (s *source) public(raw string) form {
	return parseForm(raw).without(s.Hook().Secrets...)
}

// Parse implements sources.Receiver.
func (s *source) Parse(d sources.Delivery) ([]sources.Event, error) {
	data, err := payload(d.Header, s.query(d.Query), d.Body)
	if err != nil {
		return nil, err
	}
	if s.verify == "slack" {
		if data, err = withoutToken(data); err != nil {
			return nil, err
		}
	}
	if s.unmapped && isList(data) {
		return nil, errList
	}
	return []sources.Event{{Data: data, Time: d.Time, ID: d.ID, About: s.about(d)}}, nil
}

// withoutToken takes Slack's old proof, which it still sends, out of a payload.
func withoutToken(data []byte) ([]byte, error) {
	var f fields
	if !stream.IsObject(data) || json.Unmarshal(data, &f) != nil {
		return data, nil
	}
	if _, ok := f["token"]; !ok {
		return data, nil
	}
	delete(f, "token")
	return marshal(f)
}

// secretHeaders are never seen by a map, whatever the scheme.
var secretHeaders = []string{"authorization", "cookie", "proxy-authorization"}

// about is what came along with a payload: headers, and parameters of the
// address with a question mark in front.
func (s *source) about(d sources.Delivery) map[string]string {
	secret := append(s.Hook().Secrets, secretHeaders...)
	about := make(map[string]string, len(d.Header))
	for name, values := range d.Header {
		if name = strings.ToLower(name); !slices.Contains(secret, name) {
			about[stream.Text([]byte(name))] = string(repair([]byte(strings.Join(values, ", "))))
		}
	}
	for _, field := range s.public(d.Query) {
		name := "?" + string(repair([]byte(field.name)))
		if _, ok := about[name]; !ok {
			about[name] = string(repair([]byte(field.value)))
		}
	}
	return about
}
