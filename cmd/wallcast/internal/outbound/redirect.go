package outbound

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxRedirects is how many redirects one request follows.
const maxRedirects = 5

var errDowngrade = errors.New("the redirect leads from https to http and is not followed; give the address that it should be")

// harmless are the headers that a request keeps when it is led to another
// server. Any other may hold a secret, whatever its name.
var harmless = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Accept-Language": true, "Cache-Control": true,
	"Content-Type": true, "If-Modified-Since": true, "If-None-Match": true, "Last-Event-Id": true,
	"Icy-Metadata": true, "Range": true, "User-Agent": true,
}

// checkRedirect is http.Client's CheckRedirect.
func checkRedirect(next *http.Request, via []*http.Request) error {
	last := via[len(via)-1].URL
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("there are more than %d redirects", maxRedirects)
	case next.URL.Scheme != "http" && next.URL.Scheme != "https":
		return fmt.Errorf("the redirect leads to the scheme %.20q, and only http and https are followed", next.URL.Scheme)
	case last.Scheme == "https" && next.URL.Scheme == "http":
		return errDowngrade
	}
	next.Header.Del("Referer")
	elsewhere := func(r *http.Request) bool { return !sameServer(via[0].URL, r.URL) }
	if !slices.ContainsFunc(via[1:], elsewhere) && !elsewhere(next) {
		return nil // once it was led away, nothing that comes back is for the first server any more
	}
	for name := range next.Header {
		if !harmless[http.CanonicalHeaderKey(name)] {
			next.Header.Del(name)
		}
	}
	return nil
}

// sameServer reports whether what is meant for a may be told b: they are one
// host and port, or b is the host's https where a is its http.
func sameServer(a, b *url.URL) bool {
	if !strings.EqualFold(a.Hostname(), b.Hostname()) {
		return false
	}
	return port(a) == port(b) || a.Scheme == "http" && b.Scheme == "https" && port(a) == "80" && port(b) == "443"
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}
