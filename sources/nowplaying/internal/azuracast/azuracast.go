// Package azuracast follows a station of an AzuraCast installation: by the event
// stream that its own page listens to, and where that can't be reached by asking
// its interface every so often.
package azuracast

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

const (
	// tries is how many looks in a row may bring nothing.
	tries = 3

	// maxAnswer is far more than an answer with its history.
	maxAnswer = 2 << 20

	// silence is for how long the event stream, which pings every 25 s, may bring
	// nothing at all.
	silence = 70 * time.Second

	// without is for how long only the interface is asked where the event stream
	// brought nothing.
	without = 10 * time.Minute

	// reconnect is the pause after an event stream that has ended.
	reconnect = time.Second
)

// Config is where a station is.
type Config struct {
	Address *url.URL // of the installation
	Station string   // its short name or number
	Every   time.Duration
	Client  *http.Client // for answers that end
	Streams *http.Client // for the event stream
}

var _ upstream.Upstream = Config{}

// Watch implements [upstream.Upstream].
func (c Config) Watch(ctx context.Context, report func(upstream.Report)) error {
	failed := 0
	var noStream time.Time
	for {
		short, err := c.look(ctx, report)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			if failed++; failed >= tries {
				return err
			}
		default:
			failed = 0
		}
		pause := c.Every
		if err == nil && short != "" && !time.Now().Before(noStream) {
			if c.follow(ctx, short, report) {
				pause = reconnect
			} else {
				noStream = time.Now().Add(without)
			}
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
}

// look asks the interface once and returns the station's short name.
func (c Config) look(ctx context.Context, report func(upstream.Report)) (short string, err error) {
	address := c.Address.JoinPath("api", "nowplaying", c.Station)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return "", fmt.Errorf("asking AzuraCast: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	answer, err := c.Client.Do(request)
	if err != nil {
		return "", fmt.Errorf("asking AzuraCast: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNotFound {
		return "", fmt.Errorf("AzuraCast at %s knows no station %q", c.Address.Redacted(), c.Station)
	}
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("AzuraCast at %s answered %s", c.Address.Redacted(), answer.Status)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return "", fmt.Errorf("reading AzuraCast's answer: %w", err)
	}
	r, short, err := parse(body, c.Address)
	if err != nil {
		return "", fmt.Errorf("asking AzuraCast at %s: %w", c.Address.Redacted(), err)
	}
	report(r)
	return short, nil
}

// follow listens to the event stream until it ends, and says whether it brought
// anything.
func (c Config) follow(ctx context.Context, short string, report func(upstream.Report)) (worked bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	channel := "station:" + short
	connect, err := json.Marshal(map[string]any{"subs": map[string]any{channel: map[string]bool{"recover": true}}})
	if err != nil { // strings alone
		return false
	}
	address := c.Address.JoinPath("api", "live", "nowplaying", "sse")
	address.RawQuery = url.Values{"cf_connect": {string(connect)}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return false
	}
	request.Header.Set("Accept", "text/event-stream")
	answer, err := c.Streams.Do(request)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return false
	}
	watchdog := time.AfterFunc(silence, cancel)
	defer watchdog.Stop()
	frames := newFrames(answer.Body)
	for {
		f, err := frames.next()
		if err != nil || f.Disconnect != nil {
			return worked
		}
		watchdog.Reset(silence)
		worked = worked || f.Connect != nil && len(f.Connect.Subs) > 0
		if np := f.newest(channel); np != nil {
			if r, err := Parse(np, c.Address); err == nil {
				report(r)
			}
		}
	}
}

// frames reads the messages of an event stream.
type frames struct{ lines *bufio.Scanner }

func newFrames(in io.Reader) frames {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 4096), maxAnswer)
	return frames{lines}
}

// next returns the next frame that is JSON.
func (f frames) next() (frame, error) {
	var data []byte
	for f.lines.Scan() {
		line := bytes.TrimSuffix(f.lines.Bytes(), []byte("\r"))
		if rest, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			data = append(append(data, bytes.TrimPrefix(rest, []byte(" "))...), '\n')
			if len(data) > maxAnswer {
				return frame{}, bufio.ErrTooLong
			}
			continue
		}
		if len(line) > 0 || len(data) == 0 {
			continue
		}
		var next frame
		if err := json.Unmarshal(data, &next); err == nil {
			return next, nil
		}
		data = data[:0]
	}
	if err := f.lines.Err(); err != nil {
		return frame{}, err
	}
	return frame{}, errors.New("the event stream has ended")
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
