// Package libretime asks a LibreTime installation what is on air.
package libretime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

const (
	// tries is how many looks in a row may bring nothing.
	tries = 3

	maxAnswer = 2 << 20
)

// Config is where an installation is.
type Config struct {
	Address *url.URL
	Zone    *time.Location // of its times; nil: the one that it names
	Every   time.Duration
	Client  *http.Client
}

var _ upstream.Upstream = Config{}

// Watch implements [upstream.Upstream].
func (c Config) Watch(ctx context.Context, report func(upstream.Report)) error {
	failed := 0
	ticker := time.NewTicker(c.Every)
	defer ticker.Stop()
	for {
		r, err := c.look(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			failed = 0
			report(r)
		default:
			if failed++; failed >= tries {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func (c Config) look(ctx context.Context) (upstream.Report, error) {
	address := c.Address.JoinPath("api", "live-info-v2")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return upstream.Report{}, fmt.Errorf("asking LibreTime: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	answer, err := c.Client.Do(request)
	if err != nil {
		return upstream.Report{}, fmt.Errorf("asking LibreTime: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return upstream.Report{}, fmt.Errorf("LibreTime at %s answered %s", c.Address.Redacted(), answer.Status)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return upstream.Report{}, fmt.Errorf("reading LibreTime's answer: %w", err)
	}
	r, err := Parse(body, c.Zone, time.Now())
	if err != nil {
		return upstream.Report{}, fmt.Errorf("asking LibreTime at %s: %w", c.Address.Redacted(), err)
	}
	return r, nil
}

// liveInfo is what is needed of /api/live-info-v2. What is absent may be null, an
// empty list or an empty text there.
type liveInfo struct {
	Station *struct {
		Scheduler string `json:"schedulerTime"`
		Timezone  string `json:"timezone"`
	} `json:"station"`
	Tracks *struct {
		Current json.RawMessage `json:"current"`
		Next    json.RawMessage `json:"next"`
	} `json:"tracks"`
	Shows struct {
		Current json.RawMessage `json:"current"`
	} `json:"shows"`
}

type track struct {
	Name     string `json:"name"`
	Starts   string `json:"starts"`
	Ends     string `json:"ends"`
	Type     string `json:"type"`
	Metadata struct {
		Artist string `json:"artist_name"`
		Title  string `json:"track_title"`
		Album  string `json:"album_title"`
	} `json:"metadata"`
}

// Parse reads an answer that came at now. Its times have no zone: zone counts, or
// if that is nil the one that the answer names, or if it names none how far they
// are from the time that the answer gives for now.
func Parse(body []byte, zone *time.Location, now time.Time) (upstream.Report, error) {
	var info liveInfo
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&info); err != nil {
		return upstream.Report{}, fmt.Errorf("the answer is not LibreTime's live-info-v2: %w", err)
	}
	if info.Station == nil || info.Tracks == nil {
		return upstream.Report{}, errors.New("the answer is not LibreTime's live-info-v2: it lacks station or tracks")
	}
	clock := clock{zone: zone, now: now}
	if zone == nil && info.Station.Timezone != "" {
		clock.zone, _ = time.LoadLocation(info.Station.Timezone)
	}
	clock.scheduler, _ = parseTime(info.Station.Scheduler, time.UTC)

	current, ok := parseTrack(info.Tracks.Current)
	if !ok {
		return upstream.Report{State: upstream.Silent}, nil
	}
	r := upstream.Report{Song: current.song()}
	r.Song.PlayID = current.Starts
	r.Song.StartedAt, r.Song.Duration = clock.span(current)
	if current.Type == "livestream" {
		r.Live, r.Song.Type = true, "live"
		if show, ok := parseTrack(info.Shows.Current); ok {
			r.DJ = clean(show.Name)
		}
	}
	if next, ok := parseTrack(info.Tracks.Next); ok {
		song := next.song()
		r.Next = &song
	}
	return r, nil
}

func parseTrack(raw json.RawMessage) (track, bool) {
	var t track
	if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &t) != nil {
		return track{}, false
	}
	return t, t.Name != "" || t.Starts != "" || t.Metadata.Title != ""
}

func (t track) song() upstream.Song {
	s := upstream.Song{Artist: clean(t.Metadata.Artist), Title: clean(t.Metadata.Title), Album: clean(t.Metadata.Album)}
	if s.Artist == "" || s.Title == "" {
		s.Text = clean(t.Name)
	}
	return s
}

// clean makes text of a text that was escaped for HTML.
func clean(s string) string { return text.Clean(s, text.Charset{}) }

// clock reads the answer's times.
type clock struct {
	zone      *time.Location // nil: not known
	now       time.Time
	scheduler time.Time // now, as the answer has it, as if that were UTC
}

// span returns when a track began and how long it is.
func (c clock) span(t track) (began time.Time, length time.Duration) {
	starts, err := parseTime(t.Starts, time.UTC)
	if err != nil {
		return time.Time{}, 0
	}
	if ends, err := parseTime(t.Ends, time.UTC); err == nil && ends.After(starts) && ends.Sub(starts) < 24*time.Hour {
		length = ends.Sub(starts)
	}
	switch {
	case c.zone != nil:
		began, _ = parseTime(t.Starts, c.zone)
	case !c.scheduler.IsZero():
		began = c.now.Add(starts.Sub(c.scheduler)).Truncate(time.Second)
	}
	return began.UTC(), length
}

func parseTime(s string, zone *time.Location) (time.Time, error) {
	t, err := time.ParseInLocation(time.DateTime, s, zone) // takes a fraction, too
	if err != nil {
		t, err = time.Parse(time.RFC3339, s)
	}
	return t, err
}
