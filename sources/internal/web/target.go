package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/wallcast/wallcast/sources"
)

// Target is what a source asks, as its settings say. Make it with [NewTarget].
type Target struct {
	url    *url.URL
	header http.Header
}

// reserved are the headers that a source sets by itself, or that HTTP does.
var reserved = []string{
	"Accept-Encoding", "Connection", "Content-Length", "Host", "If-Modified-Since", "If-None-Match",
	"Last-Event-Id", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// NewTarget checks the settings "url" and "headers" of a source. Its error is a
// *[sources.SettingError].
func NewTarget(address string, headers map[string]string) (Target, error) {
	wrong := func(setting, format string, args ...any) (Target, error) {
		return Target{}, &sources.SettingError{Setting: setting, Err: fmt.Errorf(format, args...)}
	}
	if address == "" {
		return wrong("url", "give the address to ask, such as https://example.com/path")
	}
	u, err := url.Parse(address)
	if err != nil {
		return wrong("url", "it is no address such as https://example.com/path") // the error repeats it, with its secrets
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return wrong("url", "it should begin with http:// or https:// and a host")
	}
	u.Fragment = ""
	t := Target{u, http.Header{}}
	for name, value := range headers {
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			return wrong("headers", "%.40q is no name of a header", name)
		case slices.Contains(reserved, http.CanonicalHeaderKey(name)):
			return wrong("headers", "%s is set by the program itself", http.CanonicalHeaderKey(name))
		case !httpguts.ValidHeaderFieldValue(value):
			return wrong("headers", "the value of %s holds a line end or another control character", name)
		}
		t.header.Set(name, value)
	}
	return t, nil
}

// Host names the server, for errors and the log.
func (t Target) Host() string { return t.url.Host }

// URL is the address; it may hold secrets.
func (t Target) URL() *url.URL { return t.url }

// Sum stands for the address in a cursor: another address has another sum.
func (t Target) Sum() string {
	sum := sha256.Sum256([]byte(t.url.String()))
	return hex.EncodeToString(sum[:6])
}

// Request makes a request with the target's headers.
func (t Target) Request(ctx context.Context, method string, body string) (*http.Request, error) {
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, t.url.String(), content)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", t.Host(), err)
	}
	for name, values := range t.header {
		r.Header[name] = slices.Clone(values)
	}
	return r, nil
}
