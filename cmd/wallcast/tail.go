package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/tmaxmax/go-sse"

	"github.com/wallcast/wallcast/stream"
)

const tailHelp = `
It goes on when the connection breaks, without losing an event or printing one
twice, until it is interrupted.

  wallcast tail
  wallcast tail --last 20 --kinds song,alert main
  wallcast tail --json | jq .data`

func setupTail(flags *pflag.FlagSet) func(context.Context, *invocation) error {
	t := &tailing{}
	flags.IntVarP(&t.last, "last", "n", 0, "begin with the last `N` events")
	flags.StringVar(&t.kinds, "kinds", "", "only these `KINDS`, separated by commas")
	flags.BoolVar(&t.json, "json", false, "print JSON lines: id, kind, key, time, source, data")
	connect := declareRemote(flags)
	return func(ctx context.Context, inv *invocation) error {
		if t.last < 0 {
			return usagef("--last wants a number of events, not %d", t.last)
		}
		if len(inv.args) > 1 {
			return usagef("wallcast tail takes one WALL")
		}
		r, err := connect.connect(inv)
		if err != nil {
			return err
		}
		wall, err := r.wallOr(ctx, strings.Join(inv.args, ""))
		if err != nil {
			return err
		}
		t.out, t.notes, t.remote = inv.stdout, inv.stderr, r
		return t.follow(ctx, wall)
	}
}

// tailing prints a wall's events as they come.
type tailing struct {
	last       int
	kinds      string
	json       bool
	out, notes io.Writer
	remote     *remote
	broken     error // why there is no going on
}

const (
	leastTailPause = 500 * time.Millisecond
	mostTailPause  = 10 * time.Second

	// tailSilence is after how long without a heartbeat the connection is given up.
	tailSilence = 45 * time.Second

	maxTailEvent = 4 << 20
)

// follow reads the stream and, when that ends, reads on from the last id.
func (t *tailing) follow(ctx context.Context, wall string) error {
	id, wait := "", leastTailPause
	for {
		before := id
		err := t.read(ctx, wall, &id)
		switch {
		case ctx.Err() != nil:
			return nil
		case t.broken != nil:
			return t.broken
		case id == "" && err != nil: // it never worked
			return err
		case id != before:
			wait = leastTailPause
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		wait = min(2*wait, mostTailPause)
	}
}

// read reads one stream until it ends; id is the last one that was seen.
func (t *tailing) read(ctx context.Context, wall string, id *string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	query := url.Values{"as": {"json"}}
	if t.kinds != "" {
		query.Set("kinds", t.kinds)
	}
	if t.last > 0 {
		query.Set("last", strconv.Itoa(t.last))
	}
	req, err := t.remote.request(ctx, http.MethodGet, "/walls/"+url.PathEscape(wall)+"/events?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	if *id != "" {
		req.Header.Set("Last-Event-ID", *id)
	}
	resp, err := t.remote.client.Do(req)
	if err != nil {
		return t.remote.explain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		err := answerError(resp)
		if refuses(resp.StatusCode) {
			t.broken = err
		}
		return err
	}
	silence := time.AfterFunc(tailSilence, cancel)
	defer silence.Stop()
	for e, err := range sse.Read(resp.Body, &sse.ReadConfig{MaxEventSize: maxTailEvent}) {
		if err != nil {
			return fmt.Errorf("reading the stream: %w", err)
		}
		silence.Reset(tailSilence)
		if t.broken = t.print(e); t.broken != nil {
			return t.broken
		}
		if e.LastEventID != "" { // a program that stops says bye, and no more
			*id = e.LastEventID
		}
	}
	return errors.New("the stream ended")
}

// refuses reports whether an answer will be the same the next time: the wall has
// gone, or the right to read it.
func refuses(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout
}

// tailed is an event as the stream's JSON has it.
type tailed struct {
	Kind   string
	Key    string
	Time   time.Time
	Source string
	Data   json.RawMessage
}

func (t *tailing) print(e sse.Event) error {
	switch e.Type {
	case "wall:gap":
		fmt.Fprintln(t.notes, "some events are missing here:", e.Data)
		return nil
	case "wall:retract":
		fmt.Fprintln(t.notes, "retracted:", e.Data)
		return nil
	}
	if strings.HasPrefix(e.Type, "wall:") {
		return nil
	}
	if t.json {
		_, err := fmt.Fprintln(t.out, e.Data)
		return err
	}
	var event tailed
	if err := json.Unmarshal([]byte(e.Data), &event); err != nil {
		return fmt.Errorf("reading the event %s: %w", e.LastEventID, err)
	}
	name := event.Kind
	if event.Key != "" {
		name += "." + event.Key
	}
	_, err := fmt.Fprintf(t.out, "%s  %-12s  %s\n", event.Time.Local().Format(time.TimeOnly), name, printable(event.Data))
	return err
}

// printable is a payload on one line without what would move a terminal's cursor.
func printable(data json.RawMessage) string {
	var text string
	if json.Unmarshal(data, &text) != nil {
		c := stream.ParseContent(data)
		switch {
		case c.Author.Name != "" && c.Text != "":
			text = c.Author.Name + ": " + c.Text
		case c.Text != "":
			text = c.Text
		case c.Title != "":
			text = c.Title
		default:
			text = string(data)
		}
	}
	return forTerminal(text, "")
}

// forTerminal takes out of a text what would move a terminal's cursor or colour
// it, but for the control characters in keep.
func forTerminal(text, keep string) string {
	return strings.Map(func(r rune) rune {
		if (r < ' ' || r >= 0x7f && r < 0xa0) && !strings.ContainsRune(keep, r) {
			return ' '
		}
		return r
	}, text)
}
