package access

import (
	"net/http"
	"net/url"
	"regexp"
)

// redacted stands where a secret was.
const redacted = "REDACTED"

// Secrets in free text: our tokens, the values of query parameters that carry
// secrets, and the password of a URL.
var secrets = []*regexp.Regexp{
	regexp.MustCompile(`(\b` + SecretPrefix + `)[A-Za-z0-9_-]{8,}`),
	regexp.MustCompile(`(?i)((?:^|[?&;\s"'])(?:` + GrantParameter + `|token|access_token|secret|password|sig|signature|key|api_key)=)[^&;#\s"']+`),
	regexp.MustCompile(`(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}`),
	regexp.MustCompile(`([a-z][a-z0-9+.-]*://)[^/?#@\s"']+@`),
}

// RedactText takes tokens, signed links and passwords out of a text that goes
// to a log, such as an error's.
func RedactText(text string) string {
	for i, secret := range secrets {
		with := "${1}" + redacted
		if i == len(secrets)-1 {
			with += "@"
		}
		text = secret.ReplaceAllString(text, with)
	}
	return text
}

// RedactURL is the URL for a log.
func RedactURL(u *url.URL) string {
	decoded := *u
	// "%67rant=" is "grant=" as well; written anew, every name is in clear.
	if query, err := url.ParseQuery(u.RawQuery); err == nil {
		decoded.RawQuery = query.Encode()
	} else {
		decoded.RawQuery = redacted
	}
	return RedactText(decoded.String())
}

// RedactHeader returns a copy of a header for a log.
func RedactHeader(h http.Header) http.Header {
	copied := h.Clone()
	for name, values := range copied {
		switch name {
		case "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie":
			copied[name] = []string{redacted}
			continue
		}
		for i, value := range values {
			values[i] = RedactText(value) // a Referer can hold a signed link
		}
	}
	return copied
}
