package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Validators are what a server gave to ask later whether an answer is still
// good. The zero value is none.
type Validators struct {
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"` // Last-Modified, as it was sent
}

// maxValidator is the longest validator that is kept: it travels in cursors.
const maxValidator = 160

func validatorsOf(h http.Header) Validators {
	short := func(s string) string {
		if len(s) > maxValidator {
			return ""
		}
		return s
	}
	return Validators{short(h.Get("ETag")), short(h.Get("Last-Modified"))}
}

// Answer is what a server said.
type Answer struct {
	Unchanged  bool // it is what the validators stand for; there is no body
	Body       []byte
	Type       string   // Content-Type
	URL        *url.URL // where it came from in the end; relative links are relative to it
	Validators Validators
	Wait       time.Duration // how long the server asks to be left alone; 0 for no wish
}

// StatusError is an answer that is no success.
type StatusError struct {
	Host string
	Code int
	Wait time.Duration // what Retry-After asks for; 0 for none
}

func (e *StatusError) Error() string {
	text := http.StatusText(e.Code)
	remedy := ""
	switch e.Code {
	case http.StatusUnauthorized, http.StatusForbidden:
		remedy = "; check the credentials in url or headers"
	case http.StatusNotFound:
		remedy = "; check url"
	}
	return strings.TrimSpace(fmt.Sprintf("%s answers %d %s", e.Host, e.Code, text)) + remedy
}

// Asker asks one target again and again. It may not be used concurrently.
type Asker struct {
	target Target
	client http.Client
	method string
	body   string
	accept string

	permanent bool // every redirect of the present request was
}

// NewAsker makes an asker that sends method and body with each request, and
// accept as Accept where the target's headers have none.
func NewAsker(client *http.Client, t Target, method, body, accept string) *Asker {
	a := &Asker{target: t, client: *client, method: method, body: body, accept: accept}
	check := client.CheckRedirect
	a.client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if code := next.Response.StatusCode; code != http.StatusMovedPermanently && code != http.StatusPermanentRedirect {
			a.permanent = false
		}
		if check != nil {
			return check(next, via)
		}
		if len(via) >= 10 { // as a client without a check of its own does
			return errors.New("there are more than ten redirects")
		}
		return nil
	}
	return a
}

// Close closes the connections that are kept for the next question.
func (a *Asker) Close() { a.client.CloseIdleConnections() }

// Ask asks whether there is something else than what last stands for. Its error
// is ctx's or an *[AskError]; of a status that is no success it holds a *[StatusError].
//
// An address that has moved for good is asked where it is now until the program
// ends, unless the target has headers of its own, which the new server may not be for.
func (a *Asker) Ask(ctx context.Context, last Validators) (Answer, error) {
	answer, err := a.ask(ctx, last)
	if err != nil && ctx.Err() == nil {
		err = &AskError{err}
	}
	return answer, err
}

func (a *Asker) ask(ctx context.Context, last Validators) (Answer, error) {
	r, err := a.target.Request(ctx, a.method, a.body)
	if err != nil {
		return Answer{}, err
	}
	if a.accept != "" && r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", a.accept)
	}
	if last.ETag != "" {
		r.Header.Set("If-None-Match", last.ETag)
	}
	if last.Modified != "" {
		r.Header.Set("If-Modified-Since", last.Modified)
	}
	a.permanent = true
	answer, err := a.client.Do(r)
	if err != nil {
		return Answer{}, Reason(ctx, a.target.Host(), err)
	}
	defer answer.Body.Close()
	wait := RetryAfter(answer.Header, time.Now())
	unchanged := answer.StatusCode == http.StatusNotModified
	if !unchanged && (answer.StatusCode < 200 || answer.StatusCode > 299) {
		return Answer{}, &StatusError{answer.Request.URL.Host, answer.StatusCode, wait}
	}
	if a.permanent && len(a.target.header) == 0 {
		a.target.url = answer.Request.URL
	}
	result := Answer{Unchanged: unchanged, URL: answer.Request.URL, Type: answer.Header.Get("Content-Type"), Validators: last, Wait: wait}
	if unchanged {
		return result, nil
	}
	result.Validators = validatorsOf(answer.Header)
	if result.Body, err = io.ReadAll(answer.Body); err != nil {
		return Answer{}, Reason(ctx, a.target.Host(), err)
	}
	return result, nil
}

// Reason says why host could not be asked or read, without the address, which
// the standard library puts into its errors. It is ctx's error when that has ended.
func Reason(ctx context.Context, host string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var asked *url.Error
	if errors.As(err, &asked) {
		err = asked.Err
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("asking %s: there was no complete answer in time", host)
	}
	return fmt.Errorf("asking %s: %w", host, err)
}
