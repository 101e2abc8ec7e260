package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/internal/web"
)

const (
	leastReconnect = time.Second
	mostReconnect  = time.Minute

	// connectTime is how long a server may take to answer.
	connectTime = 10 * time.Second
)

// remote reads a subject of a NATS server that is not the program's own.
type remote struct {
	Settings
	name string
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	least, most time.Duration // between two connections
}

var _ sources.Checker = (*remote)(nil)

// Run implements sources.Source.
func (r *remote) Run(ctx context.Context, out sources.Output) error {
	o := newRemoteOutput(ctx, out, r.sum())
	wait := web.Backoff{Least: r.least, Most: r.most}
	for {
		began := time.Now()
		err := r.connected(ctx, o)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case o.failure() != nil:
			return o.failure()
		}
		o.Warn(err)
		if time.Since(began) > r.most {
			wait.Reset()
		}
		if err := web.Pause(ctx, wait.Next()); err != nil {
			return err
		}
	}
}

// Check implements sources.Checker: it connects, and looks for the stream.
func (r *remote) Check(ctx context.Context) error {
	nc, err := r.connect(ctx, func(error) {})
	if err != nil {
		return &sources.SettingError{Setting: "url", Err: err}
	}
	defer nc.Close()
	if r.Stream == "" {
		return nil
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("using JetStream: %w", err)
	}
	reader := &source{rule: Rule{Subject: r.Subject}, named: r.Stream}
	if _, err := reader.holdNamed(ctx, js); err != nil {
		return &sources.SettingError{Setting: "stream", Err: err}
	}
	return nil
}

// connected reads over one connection until something is wrong.
func (r *remote) connected(ctx context.Context, out *remoteOutput) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	nc, err := r.connect(ctx, cancel)
	if err != nil {
		return err
	}
	defer nc.Close()
	rule := Rule{Subject: r.Subject, Kind: r.Kind}
	if r.Stream == "" {
		err = receive(ctx, nc, rule, out)
	} else {
		reader := &source{nc: nc, rule: rule, handover: handover, recheck: recheck, named: r.Stream, all: r.From == fromAll}
		err = reader.Run(ctx, out)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// connect connects without trying again by itself, so that the source's status
// says what is wrong. The end of the connection calls lost.
func (r *remote) connect(ctx context.Context, lost context.CancelCauseFunc) (*client.Conn, error) {
	dialing := &dialer{ctx: ctx, dial: r.dial}
	options := []client.Option{
		client.Name("wallcast " + r.name),
		client.NoReconnect(),
		client.Timeout(connectTime),
		client.SetCustomDialer(dialing),
		client.ClosedHandler(func(nc *client.Conn) {
			err := nc.LastError()
			if err == nil {
				err = client.ErrConnectionClosed
			}
			lost(fmt.Errorf("the connection to the NATS server was lost: %w; connecting again", err))
		}),
		client.ErrorHandler(func(*client.Conn, *client.Subscription, error) {}), // receive and the consumer see what concerns them
		client.PermissionErrOnSubscribe(true),
	}
	switch {
	case r.Creds != "":
		options = append(options, client.UserCredentials(r.Creds))
	case r.NKey != "":
		key, err := client.NkeyOptionFromSeed(r.NKey)
		if err != nil {
			return nil, fmt.Errorf("reading the seed %s: %w", r.NKey, err)
		}
		options = append(options, key)
	case r.Token != "":
		options = append(options, client.Token(r.Token))
	case r.User != "":
		options = append(options, client.UserInfo(r.User, r.Password))
	}
	options = append(options, func(o *client.Options) error {
		o.Servers = r.URL
		return nil
	})
	nc, err := client.Connect("", options...)
	for _, keep := range dialing.keep {
		keep()
	}
	switch {
	case errors.Is(err, client.ErrAuthorization), errors.Is(err, client.ErrAuthExpired):
		return nil, fmt.Errorf("connecting to the NATS server: %w; correct creds, nkey, token, or user and password", err)
	case err != nil:
		return nil, fmt.Errorf("connecting to the NATS server: %w", err)
	}
	return nc, nil
}

// dialer dials for the NATS client, in the one goroutine that connects.
type dialer struct {
	ctx  context.Context
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	keep []func() bool // keeps a connection when ctx ends, which needs it to take its leave
}

// Dial implements nats.go's CustomDialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(d.ctx, connectTime)
	defer cancel()
	conn, err := d.dial(ctx, network, address)
	if err == nil {
		// A server that says nothing would otherwise be waited for.
		d.keep = append(d.keep, context.AfterFunc(d.ctx, func() { conn.Close() }))
	}
	return conn, err
}

// remoteOutput keeps the newest cursor for the next connection of one run, marked
// with what it is of, and notes why a run can't go on. What is being stored when a
// connection ends is not given up for that.
type remoteOutput struct {
	sources.Output
	ctx    context.Context // of the run
	target string

	mu     sync.Mutex
	cursor json.RawMessage
	failed error
}

// remoteCursor is a position and what it is in.
type remoteCursor struct {
	Target string          `json:"target"`
	At     json.RawMessage `json:"at"`
}

func newRemoteOutput(ctx context.Context, out sources.Output, target string) *remoteOutput {
	var c remoteCursor
	if json.Unmarshal(out.Cursor(), &c) != nil || c.Target != target {
		c.At = nil
	}
	return &remoteOutput{Output: out, ctx: ctx, target: target, cursor: c.At}
}

// Cursor implements sources.Output.
func (o *remoteOutput) Cursor() json.RawMessage {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cursor
}

// Emit implements sources.Output.
func (o *remoteOutput) Emit(_ context.Context, e sources.Event) error {
	at := e.Cursor
	e.Cursor = o.wrap(at)
	return o.note(o.Output.Emit(o.ctx, e), at)
}

// SaveCursor implements sources.Output.
func (o *remoteOutput) SaveCursor(_ context.Context, at json.RawMessage) error {
	return o.note(o.Output.SaveCursor(o.ctx, o.wrap(at)), at)
}

func (o *remoteOutput) wrap(at json.RawMessage) json.RawMessage {
	if at == nil {
		return nil
	}
	raw, err := json.Marshal(remoteCursor{o.target, at})
	if err != nil {
		return nil // at is no JSON, which a position always is
	}
	return raw
}

func (o *remoteOutput) note(err error, at json.RawMessage) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var one *sources.EventError
	switch {
	case err != nil && !errors.As(err, &one):
		o.failed = err
	case at != nil:
		o.cursor = at // also of an event that can't be stored: it is not tried again
	}
	return err
}

// failure is the error after which the run may store nothing more.
func (o *remoteOutput) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed
}
