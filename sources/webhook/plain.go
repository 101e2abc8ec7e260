package webhook

import (
	"net/http"
	"strings"
	"time"
)

// token is a secret in a header.
type token struct {
	secrets []string
	header  string
	prefix  string // a word in front, in any case; empty for none
}

func (t *token) prove(r *http.Request, _ []byte) (proof, *refusal) {
	refuse := func(u *refusal) (proof, *refusal) {
		if t.header == "Authorization" {
			u.headers = http.Header{"Www-Authenticate": {orElse(t.prefix, "Bearer")}}
		}
		return proof{}, u
	}
	value, refused := only(r, t.header)
	if refused != nil {
		return refuse(refused)
	}
	given := value
	if t.prefix != "" {
		n := len(t.prefix)
		if len(value) < n || !strings.EqualFold(value[:n], t.prefix) {
			return refuse(unproven("the header %s does not begin with %s", t.header, t.prefix))
		}
		given = strings.TrimLeft(value[n:], " ")
	}
	if !anyOf(t.secrets, given) {
		return refuse(unproven("the token in the header %s is not the secret", t.header))
	}
	return proof{}, nil
}

// basic is a user and a password.
type basic struct {
	user    string // empty for any
	secrets []string
}

func (b *basic) prove(r *http.Request, _ []byte) (proof, *refusal) {
	refuse := func(format string, args ...any) (proof, *refusal) {
		u := unproven(format, args...).telling("the user or the password is wrong, or missing")
		u.headers = http.Header{"Www-Authenticate": {`Basic realm="hook", charset="UTF-8"`}}
		return proof{}, u
	}
	user, password, ok := r.BasicAuth()
	if !ok || len(r.Header.Values("Authorization")) != 1 {
		return refuse("there is no header Authorization with user and password (Basic), or more than one")
	}
	rightUser := b.user == "" || same(b.user, user)
	rightPassword := anyOf(b.secrets, password)
	switch {
	case !rightUser:
		return refuse("the user is not %q", b.user)
	case !rightPassword:
		return refuse("the user is right and the password is not the secret")
	}
	return proof{}, nil
}

// address is a secret in the address.
type address struct{ secrets []string }

// tokenParameter is the parameter that holds the secret.
const tokenParameter = "token"

func (a *address) prove(r *http.Request, _ []byte) (proof, *refusal) {
	given := parseForm(r.URL.RawQuery).all(tokenParameter)
	switch {
	case len(given) == 0:
		return proof{}, unproven("the address has no ?%s=SECRET", tokenParameter)
	case len(given) > 1:
		return proof{}, unproven("the address has %s= %d times", tokenParameter, len(given))
	case !anyOf(a.secrets, given[0]):
		return proof{}, unproven("the %s in the address is not the secret", tokenParameter)
	}
	return proof{}, nil
}

// gitLab is GitLab's token in a header, or its signature in Standard Webhooks'
// form, which it has for tokens that begin with whsec_.
type gitLab struct {
	tokens *token    // nil: no secret is a token
	signed *standard // nil: no secret is a signing token
}

func newGitLab(secrets []string, tolerance time.Duration) (*gitLab, error) {
	var plain, signing []string
	for _, secret := range secrets {
		if strings.HasPrefix(secret, "whsec_") {
			signing = append(signing, secret)
		} else {
			plain = append(plain, secret)
		}
	}
	g := &gitLab{}
	if len(plain) > 0 {
		g.tokens = &token{secrets: plain, header: gitLabToken}
	}
	if len(signing) == 0 {
		return g, nil
	}
	var err error
	g.signed, err = newStandard(signing, tolerance)
	return g, err
}

const gitLabToken = "X-Gitlab-Token"

func (g *gitLab) prove(r *http.Request, body []byte) (proof, *refusal) {
	if g.signed != nil && (g.tokens == nil || r.Header.Get("Webhook-Signature") != "") {
		p, refused := g.signed.prove(r, body)
		if refused == nil || g.tokens == nil || r.Header.Get(gitLabToken) == "" {
			return p, refused
		}
	}
	return g.tokens.prove(r, body)
}
