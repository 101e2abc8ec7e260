package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wallcast/wallcast/stream"
)

const cardKind = "song"

// wallWriter publishes events, tries again until they are acknowledged, and
// notes what was.
type wallWriter struct {
	*trial
	name string
	rng  *rand.Rand

	// send tries once. The repeat is the same for each try of an event.
	send func(ctx context.Context, e written, repeat string) (seq uint64, err error)
}

// errRefused is an answer that no retry will change.
var errRefused = errors.New("refused")

// write writes until stop is closed, and finishes what it has begun.
func (w *wallWriter) write(ctx context.Context, stop <-chan struct{}) {
	for n := 1; ; n++ {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(w.rng.IntN(8)) * time.Millisecond):
		}
		e := w.draft(n)
		w.ledger.try(e)
		repeat := fmt.Sprintf("%s-%d", w.name, n)
		seq, ok := w.insist(ctx, e, repeat, w.rng.IntN(10) == 0)
		if !ok {
			continue
		}
		w.ledger.acknowledge(seq, e)
		if w.rng.IntN(10) > 0 {
			continue
		}
		// A publisher that forgot to write down that it was done.
		if again, ok := w.insist(ctx, e, repeat, true); ok {
			w.ledger.acknowledge(again, e)
			if again != seq && (w.keep == 0 || again-seq < w.keep) {
				w.t.Errorf("%s: %s was acknowledged as %d and then as %d", w.name, repeat, seq, again)
			}
		}
	}
}

// insist sends an event until it is acknowledged; one that gives up sends it
// once.
func (w *wallWriter) insist(ctx context.Context, e written, repeat string, givesUp bool) (seq uint64, ok bool) {
	for {
		seq, err := w.send(ctx, e, repeat)
		switch {
		case err == nil:
			return seq, true
		case errors.Is(err, errRefused):
			w.t.Errorf("%s: %v", w.name, err)
			return 0, false
		case givesUp:
			return 0, false
		case ctx.Err() != nil:
			w.t.Errorf("%s: the time is over, and %s is not acknowledged: %v", w.name, repeat, err)
			return 0, false
		}
		time.Sleep(time.Duration(1+w.rng.IntN(20)) * time.Millisecond) // as any client does before a retry
	}
}

// draft makes an event unlike any other. Its text has what could break a frame.
func (w *wallWriter) draft(n int) written {
	e := written{kind: stream.Message, text: fmt.Sprintf("%s writes %d", w.name, n)}
	switch w.rng.IntN(6) {
	case 0, 1:
		e.kind = "friend"
	case 2:
		e.kind, e.key = cardKind, fmt.Sprint("station-", w.rng.IntN(3))
	}
	switch w.rng.IntN(6) {
	case 0:
		e.text += "\nid: forged-1\nevent: wall:gap\n\ndata: \u2028 ümläut 🎵"
	case 1:
		e.text += " " + strings.Repeat("x", w.rng.IntN(6000))
	}
	return e
}

// overHTTP is a script that posts with an Idempotency-Key, each time to one of
// the programs.
func (tr *trial) overHTTP(rng *rand.Rand, token string) func(context.Context, written, string) (uint64, error) {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{}}
	tr.t.Cleanup(client.CloseIdleConnections)
	return func(ctx context.Context, e written, repeat string) (uint64, error) {
		address := "http://" + tr.web[rng.IntN(len(tr.web))].address() + "/walls/main/events/" + e.kind
		if e.key != "" {
			address += "/" + e.key
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(e.text))
		if err != nil {
			return 0, err
		}
		req.Header.Set("Content-Type", "text/plain; charset=utf-8")
		req.Header.Set("Idempotency-Key", repeat)
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		var receipt struct{ ID, Detail string }
		if err := json.NewDecoder(resp.Body).Decode(&receipt); err != nil {
			return 0, err
		}
		switch {
		case resp.StatusCode == http.StatusCreated:
			return tr.ledger.seq(receipt.ID), nil
		case resp.StatusCode >= 500:
			return 0, errors.New(resp.Status)
		}
		return 0, fmt.Errorf("%s %s: %w", resp.Status, receipt.Detail, errRefused)
	}
}

// overNATS is a NATS client that knows nothing of Wallcast but a subject.
func (tr *trial) overNATS(address string, opts ...nats.Option) func(context.Context, written, string) (uint64, error) {
	var nc *nats.Conn
	tr.t.Cleanup(func() {
		if nc != nil {
			nc.Close()
		}
	})
	opts = append(opts, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond), nats.ReconnectJitter(0, 0), nats.Timeout(2*time.Second))
	return func(ctx context.Context, e written, repeat string) (uint64, error) {
		if nc == nil || nc.IsClosed() {
			var err error
			if nc, err = nats.Connect("nats://"+address, opts...); err != nil {
				return 0, err
			}
		}
		subject := "wall.main." + e.kind
		if e.key != "" {
			subject += "." + e.key
		}
		msg := nats.NewMsg(subject)
		msg.Data = []byte(e.text)
		msg.Header.Set(nats.MsgIdHdr, repeat)
		ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond) // nats.go does not say when the connection has gone
		defer cancel()
		reply, err := nc.RequestMsgWithContext(ctx, msg)
		if err != nil {
			return 0, err
		}
		var ack struct {
			Seq   uint64
			Error *struct {
				Code        int
				Description string
			}
		}
		if err := json.Unmarshal(reply.Data, &ack); err != nil {
			return 0, fmt.Errorf("%q: %w: %w", reply.Data, err, errRefused)
		}
		if ack.Error != nil || ack.Seq == 0 {
			return 0, fmt.Errorf("answered %s", reply.Data)
		}
		return ack.Seq, nil
	}
}

// appender appends lines to a file that the program follows.
type appender struct {
	*trial
	rng   *rand.Rand
	file  *os.File
	lines int // that are complete
}

// write appends until stop is closed.
func (a *appender) write(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(1+a.rng.IntN(30)) * time.Millisecond):
		}
		for range 1 + a.rng.IntN(4) {
			a.append()
		}
	}
}

// append appends a line, now and then in two pieces.
func (a *appender) append() {
	line := lineText(a.lines+1) + "\n"
	if a.rng.IntN(4) == 0 {
		cut := a.rng.IntN(len(line))
		a.put(line[:cut])
		time.Sleep(time.Duration(a.rng.IntN(150)) * time.Millisecond) // long enough for the program to see half of it
		line = line[cut:]
	}
	a.put(line)
	a.lines++
}

func (a *appender) put(text string) {
	if _, err := a.file.WriteString(text); err != nil {
		a.t.Error(err)
	}
}
