package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// schedule says when which event is due. It may be used concurrently.
type schedule struct {
	mu     sync.Mutex
	rate   float64 // events a second; 0: at once
	begun  time.Time
	issued int
	most   int

	all, part *track // part is nil when no kind is filtered
}

// maxEvents bounds a run: what is known of each event is kept.
const maxEvents = 50_000_000

// slot is an event to publish.
type slot struct {
	mark marker
	due  time.Time
}

// next hands out the next event; not ok after the last one.
func (s *schedule) next() (slot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.issued == s.most {
		return slot{}, false
	}
	due := s.begun
	if s.rate > 0 {
		due = due.Add(time.Duration(float64(s.issued) / s.rate * float64(time.Second)))
	}
	s.issued++
	mark := marker{number: s.all.issue(), part: -1}
	if s.part != nil && mark.number%2 == 1 {
		mark.part = s.part.issue()
	}
	return slot{mark, due}, true
}

// post says that an event is on its way.
func (s *schedule) post(m marker) {
	s.all.posted.Add(1)
	if m.part >= 0 {
		s.part.posted.Add(1)
	}
}

// store says under which sequence an event was stored.
func (s *schedule) store(m marker, seq uint64) {
	s.all.store(m.number, seq)
	if m.part >= 0 {
		s.part.store(m.part, seq)
	}
}

// publisher posts events one after the other, over one connection.
type publisher struct {
	run    *run
	number int
	conn   net.Conn
	reader *bufio.Reader
	out    []byte
	body   []byte
}

// publish posts what is due until ctx ends. The post that is under way then is
// finished.
func (p *publisher) publish(ctx context.Context) {
	defer p.close()
	for {
		p.run.awaitViewers(ctx)
		if ctx.Err() != nil {
			return
		}
		s, ok := p.run.schedule.next()
		if !ok {
			return
		}
		if !p.awaitDue(ctx, s) {
			p.run.schedule.store(s.mark, unstored)
			return
		}
		p.store(context.WithoutCancel(ctx), s)
	}
}

// awaitDue waits for an event's time, and enters how late it is and why. It
// reports false when ctx ends before.
func (p *publisher) awaitDue(ctx context.Context, s slot) bool {
	wait := time.Until(s.due)
	if p.run.schedule.rate == 0 {
		return true
	}
	if wait <= 0 { // every publisher was busy when it was due
		p.run.counts.behind.record(-wait)
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		p.run.counts.behind.record(0)
		p.run.counts.late.record(time.Since(s.due))
		return true
	}
}

// store posts one event until it is stored or refused. A repeat is harmless: it
// carries the key of the first try.
func (p *publisher) store(ctx context.Context, s slot) {
	c := &p.run.counts
	p.run.schedule.post(s.mark)
	s.mark.sent = time.Since(p.run.began)
	p.body = p.run.marks.payload(p.body[:0], s.mark, p.run.opts.Payload)
	for try := 0; ; try++ {
		began := time.Now()
		status, body, err := p.post(ctx, s.mark)
		if err == nil && status == http.StatusCreated {
			var answer struct{ ID string }
			err = json.Unmarshal(body, &answer)
			if seq, ok := sequence([]byte(answer.ID)); ok {
				c.acks.record(time.Since(began))
				c.acknowledged.Add(1)
				p.run.schedule.store(s.mark, seq)
				return
			}
		}
		if err == nil {
			err = errors.New(reason(status, body))
		}
		c.fail(err)
		if !retryable(status) || try == maxTries || p.run.gone() {
			p.run.schedule.store(s.mark, unstored)
			return
		}
		pause(ctx, time.Second<<try)
	}
}

const maxTries = 3

// retryable reports whether it may go better next time; status is 0 when there
// was no answer.
func retryable(status int) bool {
	return status == 0 || status == http.StatusTooManyRequests || status >= 500
}

// post makes one request, over the connection that is open if there is one.
func (p *publisher) post(ctx context.Context, m marker) (int, []byte, error) {
	if p.conn == nil {
		_, conn, err := p.run.target.dial(ctx, p.number)
		if err != nil {
			return 0, nil, err
		}
		p.conn, p.reader = conn, bufio.NewReader(conn)
	}
	kind := p.run.opts.Kind
	if m.part >= 0 {
		kind = p.run.opts.filteredKind()
	}
	p.out = p.run.target.appendHead(p.out[:0], http.MethodPost, p.run.target.events()+"/"+kind)
	p.out = append(p.out, "Content-Type: text/plain; charset=utf-8\r\nAccept: application/json\r\nIdempotency-Key: "...)
	p.out = append(p.out, p.run.marks.prefix...)
	p.out = strconv.AppendInt(p.out, int64(m.number), 10)
	p.out = append(p.out, "\r\nContent-Length: "...)
	p.out = strconv.AppendInt(p.out, int64(len(p.body)), 10)
	p.out = append(p.out, "\r\n\r\n"...)
	p.out = append(p.out, p.body...)
	status, body, err := p.exchange()
	if err != nil {
		p.close()
		return 0, nil, fmt.Errorf("publishing: %w", err)
	}
	return status, body, nil
}

func (p *publisher) exchange() (int, []byte, error) {
	if err := p.conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return 0, nil, err
	}
	if _, err := p.conn.Write(p.out); err != nil {
		return 0, nil, err
	}
	resp, err := http.ReadResponse(p.reader, nil)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if resp.Close {
		p.close()
	}
	return resp.StatusCode, body, err
}

func (p *publisher) close() {
	if p.conn != nil {
		p.conn.Close()
		p.conn, p.reader = nil, nil
	}
}
