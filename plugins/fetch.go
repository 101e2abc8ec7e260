package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/wallcast/wallcast/stream"
)

// maxFetched is how large an answer may be, in bytes.
const maxFetched = 1 << 20

// errUnchanged says that there is nothing new to run the plugin for.
var errUnchanged = errors.New("nothing has changed")

// validators are what a server has said to tell an answer from another.
type validators struct{ etag, modified string }

// keep remembers the answer that a run has done its work with.
func (v *validators) keep(seen *validators) {
	if seen != nil {
		*v = *seen
	}
}

// input is the input of a trigger, fetched where the plugin has something to
// fetch. seen is to be kept once it was used.
func (r *run) input(ctx context.Context, c call) (input json.RawMessage, seen *validators, err error) {
	if r.settings.Fetch == "" || c.work.Kind != Every && c.work.Kind != Cron {
		input, err = c.work.Input()
		return input, nil, err
	}
	var known validators // a replay runs, whatever the answer
	if c.entry.Tick != 0 {
		known = r.seen
	}
	ctx, cancel := context.WithTimeout(ctx, r.settings.Timeout)
	defer cancel()
	fetched, seen, err := r.fetch(ctx, known)
	if err != nil {
		return nil, nil, err
	}
	if c.entry.Tick == 0 {
		seen = nil
	}
	input, err = marshal(fetched)
	return input, seen, err
}

// fetch fetches the setting's address.
func (r *run) fetch(ctx context.Context, known validators) (Fetched, *validators, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.settings.Fetch, nil)
	if err != nil {
		return Fetched{}, nil, err
	}
	if known.etag != "" {
		request.Header.Set("If-None-Match", known.etag)
	}
	if known.modified != "" {
		request.Header.Set("If-Modified-Since", known.modified)
	}
	answer, err := r.client.Do(request)
	if err != nil {
		return Fetched{}, nil, fmt.Errorf("fetching: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNotModified && known != (validators{}) {
		return Fetched{}, nil, errUnchanged
	}
	if answer.StatusCode/100 != 2 {
		return Fetched{}, nil, fmt.Errorf("fetching %s: the server answered %s", r.settings.Fetch, answer.Status)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxFetched+1))
	if err != nil {
		return Fetched{}, nil, fmt.Errorf("fetching: %w", err)
	}
	if len(body) > maxFetched {
		return Fetched{}, nil, fmt.Errorf("fetching %s: the answer has more than %d bytes", r.settings.Fetch, maxFetched)
	}
	f := Fetched{URL: r.settings.Fetch, Status: answer.StatusCode, Header: map[string]string{}, Body: stream.Text(body)}
	for name, values := range answer.Header {
		f.Header[strings.ToLower(name)] = stream.Text([]byte(values[0]))
	}
	delete(f.Header, "set-cookie")
	if json.Valid([]byte(f.Body)) {
		f.JSON = json.RawMessage(f.Body)
	}
	return f, &validators{answer.Header.Get("ETag"), answer.Header.Get("Last-Modified")}, nil
}
