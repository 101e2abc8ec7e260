package outbound

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// polite says who asks, unless the source does.
type polite struct {
	next  http.RoundTripper
	agent string
}

// RoundTrip implements http.RoundTripper.
func (p polite) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, set := r.Header["User-Agent"]; !set {
		r = r.Clone(r.Context())
		r.Header.Set("User-Agent", p.agent)
	}
	return p.next.RoundTrip(r)
}

// TooLargeError is a body that is longer than is read.
type TooLargeError struct {
	Host string
	Max  int64 // bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the answer of %s is larger than %d MiB, which is the most that is read", e.Host, e.Max>>20)
}

// bounded bounds the body of an answer. It lies above what decompresses.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = &body{answer.Body, MaxBody, &TooLargeError{r.URL.Host, MaxBody}}
	return answer, nil
}

// body gives what is left of its allowance, and an error where there is more.
type body struct {
	io.ReadCloser
	left    int64
	tooLong error
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, b.tooLong
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one more tells whether there is more
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, b.tooLong
	}
	return n, err
}

// direct refuses what a proxy would resolve.
type direct struct {
	next  http.RoundTripper
	proxy func(*http.Request) (*url.URL, error)
}

var errProxied = errors.New("a proxy is set for this address (HTTP_PROXY, HTTPS_PROXY), and behind it nobody can say whether it is a public one; put the host into NO_PROXY to have it fetched directly")

// RoundTrip implements http.RoundTripper.
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	proxy, err := d.proxy(r)
	if err == nil && proxy != nil {
		err = errProxied
	}
	if err != nil {
		if r.Body != nil {
			r.Body.Close() // a RoundTripper does, also on errors
		}
		return nil, err
	}
	return d.next.RoundTrip(r)
}
