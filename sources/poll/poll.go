// Package poll is the source that asks an address every so often and emits what
// it answers when that has changed.
//
// # Usage
//
//	sources:
//	  weather:
//	    poll: {url: "https://api.example.com/now?city=Oslo", every: 10m}
//	    map: '{kind: "weather", key: "oslo", data: {text: "\(.temperature) °C", title: "Oslo"}}'
//	    to: wall.main
//
// # What is emitted
//
// The body, without the white space around it: a JSON object, or else flat text.
// An array needs the setting map, to say what events it makes (map: '.[] | {id: .id, data: .}').
// The body may have 8 MiB there; what goes to the wall is bounded by the wall. In map and only,
// $about["content-type"] is the answer's content type. A body in another encoding
// that the content type names becomes UTF-8. An empty body is no answer.
//
// # What has changed
//
// An answer is news when its bytes are not those of the one before. Where
// something in it changes each time, as the time of day, say so with only, or
// make of it a card with a key. The server is asked with If-None-Match and
// If-Modified-Since where it has given something to ask with. The sum of the last answer is
// the cursor, so a restart emits nothing again; what changed twice between two
// questions is seen once. Another url or body begins anew.
//
// # Politeness
//
// Retry-After is obeyed, whatever the status, for up to a day. After an error the
// source waits for every or half a minute, whichever is less, then twice as
// long each time, up to five minutes (or every). 410 means for good: it is not
// asked again. An address that has moved for good is asked where it is now until the
// program ends.
package poll

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/internal/web"
)

// leastEvery is the shortest time between two questions; a test's is shorter.
var leastEvery = time.Second

// mostWait is how long the source waits after errors, unless every is longer.
const mostWait = 5 * time.Minute

// Type is the source type "poll".
var Type = sources.Type{
	Name: "poll",
	Doc:  "An address that is asked every so often, and what it answers when that has changed.",
	New:  func() sources.Settings { return &Settings{Every: time.Minute, Method: http.MethodGet} },
}

// Settings are the settings of a poll source.
type Settings struct {
	URL     string            `yaml:"url" doc:"The address to ask."`
	Every   time.Duration     `yaml:"every" doc:"The time from one question to the next, 1s or more."`
	Headers map[string]string `yaml:"headers" doc:"Headers of the request, such as Authorization. They go to this host alone."`
	Method  string            `yaml:"method" doc:"Method of the request." enum:"GET POST"`
	Body    string            `yaml:"body" doc:"Body of a POST. Its Content-Type is application/json, unless headers says another."`
}

// Source checks the settings; see [sources.Settings].
func (s *Settings) Source(env sources.Env) (sources.Source, error) {
	wrong := func(setting, format string, args ...any) (sources.Source, error) {
		return nil, &sources.SettingError{Setting: setting, Err: fmt.Errorf(format, args...)}
	}
	headers := map[string]string{}
	if s.Body != "" {
		headers["Content-Type"] = "application/json"
	}
	for name, value := range s.Headers {
		headers[http.CanonicalHeaderKey(name)] = value
	}
	target, err := web.NewTarget(s.URL, headers)
	if err != nil {
		return nil, err
	}
	switch {
	case s.Every < leastEvery:
		return wrong("every", "%v is too short; %v is the least", s.Every, leastEvery)
	case s.Method != http.MethodGet && s.Method != http.MethodPost:
		return wrong("method", "%q is neither GET nor POST", s.Method)
	case s.Body != "" && s.Method != http.MethodPost:
		return wrong("body", "a GET has no body; set method: POST")
	}
	return &poller{
		target: target, client: env.Network.Client, method: s.Method, body: s.Body, every: s.Every, unmapped: env.Unmapped,
	}, nil
}

// poller asks one address.
type poller struct {
	target web.Target
	client *http.Client
	method string
	body   string
	every  time.Duration

	unmapped bool
}

var _ sources.Checker = (*poller)(nil)

// cursor is the newest answer.
type cursor struct {
	Target string `json:"target"` // sum of address and body: another one begins anew
	Sum    string `json:"sum"`
	web.Validators
}

func sum(data ...[]byte) string {
	s := sha256.Sum256(bytes.Join(data, []byte("\n")))
	return hex.EncodeToString(s[:12])
}

func (p *poller) asker() *web.Asker {
	return web.NewAsker(p.client, p.target, p.method, p.body, "application/json, text/plain;q=0.9, */*;q=0.8")
}

// Check implements sources.Checker.
func (p *poller) Check(ctx context.Context) error {
	asker := p.asker()
	defer asker.Close()
	if _, err := asker.Ask(ctx, web.Validators{}); err != nil {
		return &sources.SettingError{Setting: "url", Err: err}
	}
	return nil
}

// Run implements sources.Source.
func (p *poller) Run(ctx context.Context, out sources.Output) error {
	asker := p.asker()
	defer asker.Close()
	target := sum([]byte(p.target.Sum()), []byte(p.body))
	var last cursor
	if json.Unmarshal(out.Cursor(), &last) != nil || last.Target != target {
		last = cursor{Target: target}
	}
	return web.Poll(ctx, out, p.every, mostWait, func(ctx context.Context) (time.Duration, error) {
		answer, err := asker.Ask(ctx, last.Validators)
		if err != nil {
			return 0, err
		}
		data := bytes.TrimSpace(web.UTF8(answer.Body, answer.Type))
		next := cursor{target, sum(data), answer.Validators}
		if answer.Unchanged || len(data) == 0 || next.Sum == last.Sum {
			last.Validators = next.Validators
			out.Warn(nil)
			return answer.Wait, nil
		}
		last = next
		if p.unmapped && data[0] == '[' && json.Valid(data) {
			out.Warn(fmt.Errorf("the answer of %s is a JSON array; say with map what events it makes, as in map: '.[]'", p.target.Host()))
			return answer.Wait, nil
		}
		return answer.Wait, p.emit(ctx, out, data, answer.Type, next)
	})
}

// emit stores an answer. What is wrong with it alone is a warning.
func (p *poller) emit(ctx context.Context, out sources.Output, data []byte, contentType string, next cursor) error {
	raw, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("making a cursor: %w", err)
	}
	err = out.Emit(ctx, sources.Event{Data: data, Cursor: raw, About: map[string]string{"content-type": contentType}})
	var one *sources.EventError
	if errors.As(err, &one) {
		out.Warn(fmt.Errorf("the answer of %s is skipped: %w", p.target.Host(), err))
		return nil
	}
	if err == nil {
		out.Warn(nil)
	}
	return err
}
