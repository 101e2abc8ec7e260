package wasm

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tetratelabs/wazero/api"
)

// maxExchange is how large a request and the body of an answer may be, in bytes.
const maxExchange = 1 << 20

// request is what a module asks for.
type request struct {
	Method string            `json:"method"`
	URL    string            `json:"url"`
	Header map[string]string `json:"header"`
	Body   string            `json:"body"`
	Base64 bool              `json:"base64"`
}

// response is what it gets: an answer, or an error.
type response struct {
	Status int               `json:"status,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
	Base64 bool              `json:"base64,omitempty"`
	Error  string            `json:"error,omitempty"`
}

type runKey struct{}

func withRun(ctx context.Context, r *run) context.Context {
	return context.WithValue(ctx, runKey{}, r)
}

// fetch is what modules import as wallcast.fetch.
func fetch(ctx context.Context, m api.Module, at, length uint32) int32 {
	r, ok := ctx.Value(runKey{}).(*run)
	if !ok || m.Memory() == nil {
		return -1
	}
	text, ok := m.Memory().Read(at, length)
	if !ok {
		return -1
	}
	got, err := r.fetch(text)
	if err != nil {
		got = response{Error: err.Error()}
	}
	r.answer, _ = json.Marshal(got) // texts and numbers
	return int32(len(r.answer))
}

// answer is what modules import as wallcast.answer.
func answer(ctx context.Context, m api.Module, to, length uint32) int32 {
	r, ok := ctx.Value(runKey{}).(*run)
	switch {
	case !ok || m.Memory() == nil:
		return -1
	case int64(length) < int64(len(r.answer)):
		return 0
	case !m.Memory().Write(to, r.answer):
		return -1
	}
	return int32(len(r.answer))
}

// fetch does what a module asks for.
func (r *run) fetch(text []byte) (response, error) {
	if len(text) > maxExchange {
		return response{}, fmt.Errorf("the request has %d bytes; %d are allowed", len(text), maxExchange)
	}
	var asked request
	if err := json.Unmarshal(text, &asked); err != nil {
		return response{}, fmt.Errorf("the request is not what it should be: %w", err)
	}
	if err := r.mayAsk(asked.URL); err != nil {
		return response{}, err
	}
	body := []byte(asked.Body)
	if asked.Base64 {
		var err error
		if body, err = base64.StdEncoding.DecodeString(asked.Body); err != nil {
			return response{}, fmt.Errorf("the request's body is not base64: %w", err)
		}
	}
	sent, err := http.NewRequestWithContext(r.ctx, asked.Method, asked.URL, strings.NewReader(string(body)))
	if err != nil {
		return response{}, err
	}
	for name, value := range asked.Header {
		sent.Header.Set(name, value)
	}
	answer, err := r.client.Do(sent)
	if err != nil {
		return response{}, err
	}
	defer answer.Body.Close()
	return receive(answer)
}

// mayAsk says whether the module may ask there.
func (r *run) mayAsk(address string) error {
	if r.client == nil {
		return errors.New("this Wallcast lets no module ask other hosts")
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return err
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Errorf("%q is not an address that begins with http:// or https://", address)
	case !slices.ContainsFunc(r.call.Allow.Hosts, func(host string) bool { return covers(host, u) }):
		return fmt.Errorf("it may not ask %s: add that to allow.hosts of the plugin", u.Host)
	}
	return nil
}

// covers reports whether an allowed host is that of u. One without a port stands
// for the usual ports.
func covers(host string, u *url.URL) bool {
	if strings.EqualFold(host, u.Host) {
		return true
	}
	usual := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	name, port := u.Hostname(), u.Port()
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	switch port {
	case "":
		return strings.EqualFold(host, name+":"+usual)
	case usual:
		return strings.EqualFold(host, name)
	}
	return false
}

// receive reads an answer.
func receive(answer *http.Response) (response, error) {
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxExchange+1))
	switch {
	case err != nil:
		return response{}, err
	case len(body) > maxExchange:
		return response{}, fmt.Errorf("the answer has more than %d bytes", maxExchange)
	}
	got := response{Status: answer.StatusCode, Header: map[string]string{}, Body: string(body)}
	for name, values := range answer.Header {
		got.Header[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	if !utf8.Valid(body) {
		got.Body, got.Base64 = base64.StdEncoding.EncodeToString(body), true
	}
	return got, nil
}
