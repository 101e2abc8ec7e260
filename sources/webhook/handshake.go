package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"github.com/wallcast/wallcast/sources"
)

// mostChallenge is the longest challenge that is answered, in bytes.
const mostChallenge = 4 << 10

const plainText = "text/plain; charset=utf-8"

// greet answers the handshakes that carry no signature: a request that asks
// whether the address wants deliveries at all. Anybody could ask, so it must
// bring the secret, or verify_token.
func (s *source) greet(r *http.Request, body []byte) (sources.Verdict, bool) {
	query := parseForm(r.URL.RawQuery)
	rest := query.without(tokenParameter)
	switch {
	case r.Method == http.MethodGet && rest.get("hub.challenge") != "": // WebSub, Meta, Strava
		return s.echo(r, rest.get("hub.challenge")), true
	case r.Method == http.MethodGet && len(rest) == 1 && rest.get("challenge") != "": // Dropbox, Nylas
		return s.echo(r, rest.get("challenge")), true
	case r.Method == http.MethodPost && len(body) == 0 && rest.get("validationToken") != "": // Microsoft Graph, SharePoint
		return s.echo(r, rest.get("validationToken")), true
	case r.Method == http.MethodHead && !s.shown(): // Trello; it says no more than a refusal would
		return answer(plainText, []byte{}), true
	case r.Method == http.MethodOptions && r.Header.Get("Webhook-Request-Origin") != "": // CloudEvents
		return s.permit(r), true
	}
	return sources.Verdict{}, false
}

// echo sends a challenge back, in a form that no browser takes for a page.
func (s *source) echo(r *http.Request, challenge string) sources.Verdict {
	if refused := s.knows(r); refused != nil {
		return verdictOf(refused)
	}
	if len(challenge) > mostChallenge || !utf8.ValidString(challenge) {
		return verdictOf(&refusal{status: http.StatusBadRequest, detail: "the challenge of the handshake is too long, or no text"})
	}
	return answer(plainText, []byte(challenge))
}

// permit lets a sender of CloudEvents send.
func (s *source) permit(r *http.Request) sources.Verdict {
	if refused := s.knows(r); refused != nil {
		return verdictOf(refused)
	}
	v := answer(plainText, []byte{})
	v.Header.Set("Allow", "POST")
	v.Header.Set("WebHook-Allowed-Origin", r.Header.Get("WebHook-Request-Origin"))
	v.Header.Set("WebHook-Allowed-Rate", "*")
	return v
}

// knows reports whether a handshake without a signature brings what it must.
func (s *source) knows(r *http.Request) *refusal {
	query := parseForm(r.URL.RawQuery)
	if s.verifyToken != "" {
		for _, name := range []string{"hub.verify_token", tokenParameter} {
			if given := query.all(name); len(given) == 1 && same(given[0], s.verifyToken) {
				return nil
			}
		}
	}
	if s.shown() {
		if _, refused := s.scheme.prove(r, nil); refused == nil {
			return nil
		}
	}
	detail := "a handshake came without the right hub.verify_token or ?token= (verify_token)"
	if s.verifyToken == "" {
		detail = "a handshake came without proof of the sender; set verify_token, and give the sender the same as its verify token or as ?token= in the address"
		if s.shown() {
			detail = "a handshake came without the secret; let the sender show it there too, or set verify_token"
		}
	}
	return (&refusal{status: http.StatusForbidden, detail: detail}).telling("the handshake lacks the right verify token")
}

// answer is a 200 of which nothing is kept.
func answer(contentType string, body []byte) sources.Verdict {
	return sources.Verdict{Answer: body, AnswerType: contentType, Header: http.Header{"X-Content-Type-Options": {"nosniff"}}}
}

// answer answers what a sender that has proved itself sends to try the hook.
func (s *source) answer(r *http.Request, body []byte, top fields) (sources.Verdict, bool) {
	if s.verify == "github" && r.Header.Get("X-Github-Event") == "ping" {
		return answer(plainText, []byte("pong\n")), true
	}
	if len(body) == 0 && len(s.query(r.URL.RawQuery)) == 0 {
		return answer(plainText, []byte("ok\n")), true
	}
	switch {
	case top.get("type") == "url_verification" && top.get("challenge") != "": // Slack, Lark
		return echoJSON(map[string]string{"challenge": top.get("challenge")}), true
	case s.verify == "slack" && top.get("ssl_check") == "1":
		return answer(plainText, []byte{}), true
	case s.verify == "zoom" && top.get("event") == "endpoint.url_validation":
		return s.answerZoom(top)
	}
	return sources.Verdict{}, false
}

// answerZoom proves to Zoom that we know the secret, with the first of them: only
// the sender knows which it has.
func (s *source) answerZoom(top fields) (sources.Verdict, bool) {
	var payload struct {
		PlainToken string `json:"plainToken"`
	}
	if json.Unmarshal(top["payload"], &payload) != nil || payload.PlainToken == "" {
		return sources.Verdict{}, false
	}
	mac := hmac.New(sha256.New, []byte(s.secrets[0]))
	mac.Write([]byte(payload.PlainToken))
	return echoJSON(map[string]string{
		"plainToken": payload.PlainToken, "encryptedToken": hex.EncodeToString(mac.Sum(nil)),
	}), true
}

func echoJSON(v map[string]string) sources.Verdict {
	body, err := json.Marshal(v)
	if err != nil || len(body) > 2*mostChallenge {
		return verdictOf(&refusal{status: http.StatusBadRequest, detail: "the challenge of the handshake is too long, or no text"})
	}
	return answer("application/json", body)
}
