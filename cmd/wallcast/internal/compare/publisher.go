//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
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

// fast returns what publishes as fast as the server acknowledges.
func (s *server) fast() (publisher, error) {
	if s.contender == plainHub {
		return overHTTP{s}, nil
	}
	return s.overNATS()
}

// overHTTP publishes one event after the other.
type overHTTP struct{ *server }

func (p overHTTP) publish(ctx context.Context, data []byte) error {
	resp, err := p.ask(ctx, http.MethodPost, data)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body) // so that the connection is used again
	if err == nil && resp.StatusCode != http.StatusCreated {
		err = fmt.Errorf("publishing: %s: %s", resp.Status, body)
	}
	return err
}

func (p overHTTP) close(context.Context) error { return nil }

// window is how many events a NATS client has sent at most that are not
// acknowledged.
const window = 64

// ackTimeout is how long the acknowledgement of an event may take.
const ackTimeout = 30 * time.Second

// natsPublisher publishes over one NATS connection, as a producer with a token
// does.
type natsPublisher struct {
	nc    *nats.Conn
	inbox string
	acks  chan struct{} // holds a token for each event that is under way

	mu      sync.Mutex
	refused error
}

func (s *server) overNATS() (*natsPublisher, error) {
	prefix := "_INBOX." + tokenName
	nc, err := nats.Connect("nats://"+s.nats, nats.UserInfo(tokenName, s.secret), nats.CustomInboxPrefix(prefix))
	if err != nil {
		return nil, fmt.Errorf("connecting a NATS client: %w", err)
	}
	p := &natsPublisher{nc: nc, inbox: nc.NewInbox(), acks: make(chan struct{}, window)}
	if _, err := nc.Subscribe(p.inbox, p.acknowledge); err != nil {
		nc.Close()
		return nil, fmt.Errorf("subscribing to acknowledgements: %w", err)
	}
	return p, nil
}

func (p *natsPublisher) acknowledge(m *nats.Msg) {
	var ack struct {
		Error *struct{ Description string }
	}
	err := json.Unmarshal(m.Data, &ack)
	if err == nil && ack.Error != nil {
		err = fmt.Errorf("publishing: %s", ack.Error.Description)
	}
	if m.Header.Get("Status") != "" {
		err = fmt.Errorf("publishing: nobody took the event, status %s", m.Header.Get("Status"))
	}
	if err != nil {
		p.mu.Lock()
		p.refused = err
		p.mu.Unlock()
	}
	<-p.acks
}

func (p *natsPublisher) publish(ctx context.Context, data []byte) error {
	if err := p.begin(ctx); err != nil {
		return err
	}
	return p.nc.PublishRequest("wall.main.message", p.inbox, data)
}

// begin waits until one more event may be under way.
func (p *natsPublisher) begin(ctx context.Context) error {
	select {
	case p.acks <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(ackTimeout):
		return fmt.Errorf("publishing: no acknowledgement for %s", ackTimeout)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

func (p *natsPublisher) close(ctx context.Context) error {
	defer p.nc.Close()
	for range window {
		if err := p.begin(ctx); err != nil {
			return err
		}
	}
	return nil
}

func newRequest(ctx context.Context, method, address string, body []byte) (*http.Request, error) {
	if body == nil {
		return http.NewRequestWithContext(ctx, method, address, nil)
	}
	return http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
}

// cutSequence returns what stands before the sequence in an id.
func cutSequence(id string) string {
	epoch, _, _ := strings.Cut(id, "-")
	return epoch
}
