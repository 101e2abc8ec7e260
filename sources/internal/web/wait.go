package web

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wallcast/wallcast/sources"
)

// mostWish is how long a server's wish to be left alone is obeyed at most.
const mostWish = 24 * time.Hour

// RetryAfter is how long a server asks to be left alone, in either form that
// HTTP has: at most a day, and 0 where it doesn't.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(mostWish/time.Second))) * time.Second
	}
	when, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(when.Sub(now), 0), mostWish)
}

// Backoff is a wait that doubles from Least to Most. Waits are scattered, so that those who failed together do not
// come back together.
type Backoff struct {
	Least, Most time.Duration
	due         time.Duration
}

// Next is how long to wait now: between half of what is due and all of it.
func (b *Backoff) Next() time.Duration {
	due := min(max(b.due, b.Least), b.Most)
	b.due = 2 * due
	return due/2 + rand.N(due/2+1)
}

// Reset makes the next wait the shortest again.
func (b *Backoff) Reset() { b.due = 0 }

// Pause waits for d and returns ctx's error when that ends.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}

// AskError is an error of asking an upstream, as opposed to one of storing what
// it said.
type AskError struct{ Err error }

func (e *AskError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *AskError) Unwrap() error { return e.Err }

// leastRetry is how long Poll waits after the first failure at most.
const leastRetry = 30 * time.Second

// Poll calls once every so often, until ctx ends or once returns an error that is no
// *[AskError]. One of those is shown as a warning, which is once's to take back,
// and then Poll waits for every or half a minute, whichever is less, and twice as
// long each time, up to most. What once returns is how long the upstream wants
// to be left alone.
//
// An upstream that says that it is gone for good is not asked again.
func Poll(ctx context.Context, out sources.Output, every, most time.Duration, once func(context.Context) (time.Duration, error)) error {
	wait := Backoff{Least: min(every, leastRetry), Most: max(every, most)}
	for {
		wish, err := once(ctx)
		next := every
		var failed *AskError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			wait.Reset()
		case !errors.As(err, &failed):
			return err
		case gone(err):
			out.Warn(goneError{err})
			<-ctx.Done() // a run that has ended would take the warning with it
			return ctx.Err()
		default:
			out.Warn(err)
			next = wait.Next()
			if status := (*StatusError)(nil); errors.As(err, &status) {
				wish = status.Wait
			}
		}
		// A tenth more or less keeps many sources from asking all at once.
		next += rand.N(next/10 + 1)
		if err := Pause(ctx, max(next, wish)); err != nil {
			return err
		}
	}
}

type goneError struct{ error }

func (e goneError) Error() string {
	return e.error.Error() + ", which means for good; it is not asked any more: remove the source, or change its url"
}

func gone(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Code == http.StatusGone
}
