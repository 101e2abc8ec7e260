//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/bench"
)

// open starts a contender with viewers.
func (c *comparison) open(ctx context.Context, who contender, j job) (*server, *audience, error) {
	s, err := c.serve(ctx, who, j.Over != plainHTTP)
	if err != nil {
		return nil, nil, err
	}
	a, err := s.watch(ctx, j)
	if err != nil {
		s.close()
		return nil, nil, err
	}
	return s, a, nil
}

// lead is how far a publisher that publishes as fast as it can is ahead of what
// a viewer has received, in events.
const lead = 256

// saturated publishes as fast as it is taken.
func (c *comparison) saturated(ctx context.Context, who contender, viewers int) ([]float64, error) {
	s, a, err := c.open(ctx, who, job{Viewers: viewers})
	if err != nil {
		return nil, err
	}
	defer s.close()
	defer a.close()
	probe, err := s.probe(ctx)
	if err != nil {
		return nil, err
	}
	defer probe.close()
	p, err := s.fast(ctx)
	if err != nil {
		return nil, err
	}
	began, server, generator := time.Now(), s.cpu(), a.cpu()
	f, err := c.flood(ctx, p, probe)
	if err != nil {
		return nil, err
	}
	t, err := a.tally(ctx)
	if err != nil {
		return nil, err
	}
	took, used := time.Since(began), s.cpu()-server
	c.check(who, viewers, t)
	c.tellLimit(s, load{f, took, used, a.cpu() - generator})
	n := float64(viewers * f.events)
	return []float64{n / took.Seconds(), float64(used.Microseconds()) / n}, nil
}

// flooded is how publishing as fast as possible went.
type flooded struct {
	events  int
	taking  time.Duration // that publishing waited for the server to take events
	viewing time.Duration // that it waited for a viewer
}

// flood publishes for a while, never far ahead of the probe.
func (c *comparison) flood(ctx context.Context, p publisher, probe *probe) (f flooded, err error) {
	began := time.Now()
	for last := false; !last; f.events++ {
		start := time.Now()
		last = start.Sub(began) > c.size.saturated
		if f.events >= lead {
			if err := probe.await(ctx); err != nil {
				return f, errors.Join(err, p.close(ctx))
			}
		}
		received := time.Now()
		if err := p.publish(ctx, message(f.events, time.Time{}, last)); err != nil {
			return f, errors.Join(err, p.close(ctx))
		}
		f.viewing += received.Sub(start)
		f.taking += time.Since(received)
	}
	return f, p.close(ctx)
}

// probe is one more viewer, of this process.
type probe struct {
	resp  *http.Response
	taken chan struct{} // gets a token for each event that has come
}

func (s *server) probe(ctx context.Context) (*probe, error) {
	resp, err := s.ask(ctx, http.MethodGet, asStream, nil)
	if err != nil {
		return nil, fmt.Errorf("opening a stream: %w", err)
	}
	p := &probe{resp: resp, taken: make(chan struct{}, 2*lead)}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() && !bytes.HasPrefix(lines.Bytes(), []byte("data: ")) { // hello
	}
	go func() {
		defer close(p.taken)
		for lines.Scan() {
			if bytes.HasPrefix(lines.Bytes(), []byte(marker)) {
				p.taken <- struct{}{}
			}
		}
	}()
	return p, nil
}

// await waits until one more event has come.
func (p *probe) await(ctx context.Context) error {
	select {
	case _, ok := <-p.taken:
		if !ok {
			return errors.New("the server ended the stream")
		}
		return nil
	case <-time.After(answerTimeout):
		return fmt.Errorf("no event has come for %s", answerTimeout)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *probe) close() { p.resp.Body.Close() }

// paced publishes at a rate, over HTTP.
func (c *comparison) paced(ctx context.Context, who contender, viewers, rate int) ([]float64, error) {
	s, a, err := c.open(ctx, who, job{Viewers: viewers})
	if err != nil {
		return nil, err
	}
	defer s.close()
	defer a.close()
	p := overHTTP{s}
	events := max(2, int(c.size.paced.Seconds()*float64(rate)))
	used := s.cpu()
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for i := range events {
		<-tick.C
		if err := p.publish(ctx, message(i, time.Now(), i == events-1)); err != nil {
			return nil, err
		}
	}
	t, err := a.tally(ctx)
	if err != nil {
		return nil, err
	}
	c.check(who, viewers, t)
	perDelivery := float64((s.cpu() - used).Microseconds()) / float64(viewers*events)
	return []float64{perDelivery, t.P50, t.P99}, nil
}

// replay lets viewers go on after an event, again and again.
func (c *comparison) replay(ctx context.Context, who contender) ([]float64, error) {
	// One viewer is there all the time, so that the wall is in memory.
	s, a, err := c.open(ctx, who, job{Viewers: 1, Stay: true})
	if err != nil {
		return nil, err
	}
	defer s.close()
	defer a.close()
	n := c.size.history
	if err := s.fill(ctx, 2*n+n/10); err != nil {
		return nil, err
	}
	epoch, err := s.epoch(ctx)
	if err != nil {
		return nil, err
	}
	recent := 2*n + n/10 - n
	var took []float64
	for _, want := range []struct{ viewers, after, times int }{{1, recent, 6}, {c.size.few, recent, 2}, {1, 0, 4}} {
		ms, err := c.replayTo(ctx, s, want.times, job{
			Viewers: want.viewers, After: fmt.Sprintf("%s-%d", epoch, want.after), First: want.after, Events: n,
		})
		if err != nil {
			return nil, err
		}
		took = append(took, ms)
	}
	return took, nil
}

// replayTo measures a replay, in milliseconds. The first has events encoded and
// does not count.
func (c *comparison) replayTo(ctx context.Context, s *server, times int, j job) (float64, error) {
	var took []float64
	for range times {
		a, err := s.watch(ctx, j)
		if err != nil {
			return 0, err
		}
		t, err := a.tally(ctx)
		if err := errors.Join(err, a.close()); err != nil {
			return 0, err
		}
		c.check(s.contender, j.Viewers, t)
		took = append(took, t.Took)
	}
	return median(took[1:]), nil
}

// fill publishes a history.
func (s *server) fill(ctx context.Context, events int) error {
	p, err := s.fast(ctx)
	if err != nil {
		return err
	}
	for i := range events {
		if err := p.publish(ctx, message(i, time.Time{}, false)); err != nil {
			return errors.Join(err, p.close(ctx))
		}
	}
	return p.close(ctx)
}

// publishing posts over HTTP, as fast as it is acknowledged. The load tester's
// publishers do it.
func (c *comparison) publishing(ctx context.Context, who contender) ([]float64, error) {
	s, err := c.serve(ctx, who, false)
	if err != nil {
		return nil, err
	}
	defer s.close()
	disk, err := syncRate(s.folder, c.size.syncing)
	if err != nil {
		return nil, err
	}
	report, err := bench.Run(ctx, bench.Options{
		Target: bench.Target{Base: s.base, Wall: "main", Token: s.secret}, PID: s.Observe().PID,
		Viewers: 1, Rate: 0, Ahead: 1 << 20, Payload: payloadSize, Publishers: 16, Kind: "message", Duration: c.size.posting,
	})
	if err != nil {
		return nil, err
	}
	c.note(who, "the disk can sync %s times a second; posts were acknowledged after %.1f ms (p50), %.1f ms (p99)", short(disk), report.Publish.Ack.P50, report.Publish.Ack.P99)
	return []float64{report.Publish.Rate, report.Publish.Rate / disk}, nil
}

// idle measures what viewers hold.
func (c *comparison) idle(ctx context.Context, who contender, over transport, viewers int) ([]float64, error) {
	warm := viewers/100 + 1 // so that all that there is once is there
	s, few, err := c.open(ctx, who, job{Viewers: warm, Over: over, Stay: true})
	if err != nil {
		return nil, err
	}
	defer s.close()
	defer few.close()
	if err := (overHTTP{s}).publish(ctx, message(0, time.Time{}, false)); err != nil {
		return nil, err
	}
	before, err := s.settled(ctx, c.size.settle)
	if err != nil {
		return nil, err
	}
	a, err := s.watch(ctx, job{Viewers: viewers - warm, Over: over, Stay: true})
	if err != nil {
		return nil, err
	}
	defer a.close()
	after, err := s.settled(ctx, c.size.settle)
	if err != nil {
		return nil, err
	}
	return []float64{float64(after-before) / float64(viewers-warm)}, nil
}

// settleStep is between two looks at a server's memory, settleQuiet is how long it
// must not have become less.
const (
	settleStep  = 250 * time.Millisecond
	settleQuiet = 5 * time.Second
)

// settled is what the server holds resident when it has given back what it does
// not need, or after so long.
func (s *server) settled(ctx context.Context, most time.Duration) (int64, error) {
	least, err := s.memory()
	began := time.Now()
	for fell := began; err == nil && time.Since(fell) < settleQuiet && time.Since(began) < most; {
		if err = wait(ctx, settleStep); err != nil {
			break
		}
		var now int64
		if now, err = s.memory(); now < least {
			least, fell = now, time.Now()
		}
	}
	if errors.Is(err, os.ErrNotExist) {
		err = errors.New("the server is gone")
	}
	return least, err
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
