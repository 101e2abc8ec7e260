//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// publisher publishes events in order.
type publisher interface {
	// publish sends an event. It may return before it is acknowledged.
	publish(ctx context.Context, data []byte) error
	// close waits until all are acknowledged.
	close(ctx context.Context) error
}

// window is how many events are sent at most that are not acknowledged.
const window = 64

// ackTimeout is how long the acknowledgement of an event may take.
const ackTimeout = 30 * time.Second

// inFlight counts the events that are sent and not acknowledged.
type inFlight struct {
	events chan struct{} // holds a token for each

	mu     sync.Mutex
	failed error
}

func newInFlight() *inFlight { return &inFlight{events: make(chan struct{}, window)} }

// begin waits until one more event may be sent.
func (f *inFlight) begin(ctx context.Context) error {
	timer := time.NewTimer(ackTimeout)
	defer timer.Stop()
	select {
	case f.events <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return fmt.Errorf("publishing: no acknowledgement for %s", ackTimeout)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// end enters that an event was acknowledged, or why not.
func (f *inFlight) end(err error) {
	if err != nil {
		f.mu.Lock()
		f.failed = fmt.Errorf("publishing: %w", err)
		f.mu.Unlock()
	}
	<-f.events
}

// drain waits until all are acknowledged.
func (f *inFlight) drain(ctx context.Context) error {
	for range window {
		if err := f.begin(ctx); err != nil {
			return err
		}
	}
	return nil
}

// fast returns what publishes as fast as the server acknowledges.
func (s *server) fast(ctx context.Context) (publisher, error) {
	if s.contender == plainHub {
		return s.pipeline(ctx)
	}
	return s.overNATS()
}

// natsPublisher publishes over one NATS connection, as a producer with a token
// does.
type natsPublisher struct {
	*inFlight
	nc    *nats.Conn
	inbox string
}

func (s *server) overNATS() (*natsPublisher, error) {
	prefix := "_INBOX." + tokenName
	nc, err := nats.Connect("nats://"+s.nats, nats.UserInfo(tokenName, s.secret), nats.CustomInboxPrefix(prefix))
	if err != nil {
		return nil, fmt.Errorf("connecting a NATS client: %w", err)
	}
	p := &natsPublisher{newInFlight(), nc, nc.NewInbox()}
	if _, err := nc.Subscribe(p.inbox, func(m *nats.Msg) { p.end(acknowledged(m)) }); err != nil {
		nc.Close()
		return nil, fmt.Errorf("subscribing to acknowledgements: %w", err)
	}
	return p, nil
}

// acknowledged is why an event was not stored, or nil.
func acknowledged(m *nats.Msg) error {
	if status := m.Header.Get("Status"); status != "" {
		return fmt.Errorf("nobody took the event, status %s", status)
	}
	var ack struct {
		Error *struct{ Description string }
	}
	if err := json.Unmarshal(m.Data, &ack); err != nil {
		return err
	}
	if ack.Error != nil {
		return errors.New(ack.Error.Description)
	}
	return nil
}

func (p *natsPublisher) publish(ctx context.Context, data []byte) error {
	if err := p.begin(ctx); err != nil {
		return err
	}
	return p.nc.PublishRequest("wall.main.message", p.inbox, data)
}

func (p *natsPublisher) close(ctx context.Context) error {
	defer p.nc.Close()
	return p.drain(ctx)
}

// pipeline posts over one HTTP connection, without waiting for an answer before
// the next request.
type pipeline struct {
	*inFlight
	server *server
	conn   net.Conn
}

func (s *server) pipeline(ctx context.Context) (*pipeline, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	p := &pipeline{newInFlight(), s, conn}
	go func() {
		answers := bufio.NewReader(conn)
		for {
			resp, err := http.ReadResponse(answers, nil)
			if err != nil {
				p.end(err)
				return
			}
			p.end(stored(resp))
		}
	}()
	return p, nil
}

func (p *pipeline) publish(ctx context.Context, data []byte) error {
	if err := p.begin(ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.conn, "POST /walls/main/events HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", p.server.host, len(data), data)
	return err
}

func (p *pipeline) close(ctx context.Context) error {
	defer p.conn.Close()
	return p.drain(ctx)
}

// overHTTP posts one event after the other.
type overHTTP struct{ *server }

func (p overHTTP) publish(ctx context.Context, data []byte) error {
	resp, err := p.ask(ctx, http.MethodPost, asJSON, data)
	if err != nil {
		return err
	}
	return stored(resp)
}

// stored is why an event was not stored, or nil. It reads the answer to its end, so
// that the connection can be used again.
func stored(resp *http.Response) error {
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusCreated {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return err
}
