package sse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/internal/web"
	"github.com/wallcast/wallcast/stream"
)

// saveEvery bounds how often a cursor is saved without an event.
const saveEvery = time.Minute

// run is one run of a source.
type run struct {
	*follower
	out    sources.Output
	at     cursor
	retry  time.Duration // what the server has asked for last
	saved  string        // the id of the newest cursor that is stored
	saveAt time.Time     // when one may be saved next without an event
	warned bool

	// Of the present connection:
	hello bool      // it is another Wallcast's
	had   stream.ID // the newest event of that, which a replay after a gap may repeat
}

var (
	// errAgain ends a connection that is to be made anew at once.
	errAgain = errors.New("asking for another representation")

	errStopped = errors.New("the server says that the stream is at its end (204)")
	errSilent  = errors.New("nothing came for too long")
	errEnded   = errors.New("the server ended the stream")
)

// storeError is an error of storing, which ends the run.
type storeError struct{ error }

func (e storeError) Unwrap() error { return e.error }

// byeError is an end that another Wallcast announces.
type byeError struct {
	reason string
	retry  time.Duration
}

func (e *byeError) Error() string {
	return fmt.Sprintf("the server ends the stream (%s); it is followed again", e.reason)
}

// Run implements sources.Source.
func (f *follower) Run(ctx context.Context, out sources.Output) error {
	r := &run{follower: f, out: out, at: f.read(out.Cursor())}
	r.saved = r.at.ID
	wait := web.Backoff{Least: f.leastRetry, Most: f.mostRetry}
	for {
		came, err := r.connect(ctx)
		var storing storeError
		var bye *byeError
		var status *web.StatusError
		pause := max(r.retry, f.leastRetry)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &storing):
			return storing.error
		case errors.Is(err, errAgain):
			continue
		case errors.Is(err, errStopped), errors.As(err, &status) && status.Code == http.StatusGone:
			out.Warn(fmt.Errorf("%w; it is not followed any more: remove the source, or change its url", err))
			<-ctx.Done() // a run that has ended would take the warning with it
			return ctx.Err()
		case errors.As(err, &bye):
			r.warn(err)
			pause = bye.retry
		case came:
			out.Log().Debug("the stream ended and is followed again", "reason", err)
			wait.Reset()
		default:
			r.warn(err)
			if pause = max(pause, wait.Next()); status != nil {
				pause = max(pause, status.Wait)
			}
		}
		if err := web.Pause(ctx, pause+rand.N(pause/4+1)); err != nil {
			return err
		}
	}
}

// connect follows the stream over one connection. It reports whether an event
// came, and always returns an error: why the connection ended.
func (r *run) connect(outer context.Context) (came bool, err error) {
	ctx, cancel := context.WithCancelCause(outer)
	defer cancel(nil)
	request, err := r.request(ctx)
	if err != nil {
		return false, err
	}
	answer, err := r.client.Do(request)
	if err != nil {
		return false, web.Reason(outer, r.target.Host(), err)
	}
	defer answer.Body.Close()
	if err := r.check(answer); err != nil {
		return false, err
	}
	body := &watched{answer.Body, r.silence, func() { cancel(errSilent) }}
	r.hello, r.had = false, stream.ID{}
	for p := newParser(body); ; came = true {
		m, err := p.next()
		if p.retry > 0 {
			r.retry = p.retry
		}
		switch {
		case err == nil:
			err = r.take(outer, m)
		case errors.Is(context.Cause(ctx), errSilent):
			err = fmt.Errorf("%s: %w (%v)", r.target.Host(), errSilent, r.silence)
		case errors.Is(err, io.EOF):
			err = fmt.Errorf("%s: %w", r.target.Host(), errEnded)
		default:
			err = web.Reason(outer, r.target.Host(), err)
		}
		if err != nil {
			return came, err
		}
	}
}

// Check implements sources.Checker: it opens the stream and closes it again.
func (f *follower) Check(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &run{follower: f}
	request, err := r.request(ctx)
	if err != nil {
		return err
	}
	answer, err := f.client.Do(request)
	if err == nil {
		defer answer.Body.Close()
		err = r.check(answer)
	} else {
		err = web.Reason(ctx, f.target.Host(), err)
	}
	if err != nil {
		return &sources.SettingError{Setting: "url", Err: err}
	}
	return nil
}

func (r *run) request(ctx context.Context) (*http.Request, error) {
	request, err := r.target.Request(ctx, http.MethodGet, "")
	if err != nil {
		return nil, err
	}
	if query := request.URL.Query(); r.at.Wall && !query.Has(asParameter) {
		query.Set(asParameter, asJSON)
		request.URL.RawQuery = query.Encode()
	}
	request.Header.Set("Accept", eventStream)
	request.Header.Set("Accept-Encoding", "identity") // who compresses may hold back
	request.Header.Set("Cache-Control", "no-cache")
	if r.at.ID != "" {
		request.Header.Set("Last-Event-ID", r.at.ID)
	}
	return request, nil
}

const eventStream = "text/event-stream"

// check looks whether an answer is an event stream.
func (r *run) check(answer *http.Response) error {
	host := answer.Request.URL.Host
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNoContent:
		return fmt.Errorf("%s: %w", host, errStopped)
	default:
		return &web.StatusError{Host: host, Code: answer.StatusCode, Wait: web.RetryAfter(answer.Header, time.Now())}
	}
	kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if err != nil || kind != eventStream {
		return fmt.Errorf("%s answers %q, which is no event stream; check url", host, cmp.Or(kind, "no content type"))
	}
	return nil
}

// watched calls over when a read has waited for longer than patience.
type watched struct {
	io.Reader
	patience time.Duration // 0: for ever
	over     func()
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	if w.patience > 0 {
		defer time.AfterFunc(w.patience, w.over).Stop()
	}
	return w.Reader.Read(p)
}

func (r *run) warn(err error) {
	r.warned = true
	r.out.Warn(err)
}

// well takes a warning back.
func (r *run) well() {
	if r.warned {
		r.warned = false
		r.out.Warn(nil)
	}
}
