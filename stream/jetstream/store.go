package jetstream

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

// Wall is what the store has to know of a wall.
type Wall struct {
	Name    string
	Events  int64         // at most so many are held
	Age     time.Duration // none is held longer
	Bytes   int64         // at most so many bytes are held
	History int           // versions of a keyed card that are held
	Payload int           // bytes that one payload may have
}

// Config is what a Store needs beside its connection.
type Config struct {
	Walls []Wall

	// Identity of the store, where its keeper can tell a copy from the original
	// (see package embed); empty otherwise.
	Identity string

	Replicas int          // copies of each stream in a cluster; 0 means 1
	Log      *slog.Logger // nil: nowhere
}

// Store keeps walls in JetStream.
type Store struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	cfg    Config
	log    *slog.Logger
	state  jetstream.KeyValue
	leases jetstream.KeyValue
	queues queues
	key    []byte // authenticates marks and scopes deduplication
	self   string // names this process in leases

	mu    sync.RWMutex
	walls map[string]*wall

	stop   context.CancelFunc
	tasks  sync.WaitGroup
	upkeep upkeep
}

var (
	_ stream.Publisher = (*Store)(nil)
	_ stream.Retractor = (*Store)(nil)
	_ stream.Moderator = (*Store)(nil)
	_ stream.Reader    = (*Store)(nil)
	_ sources.Store    = (*Store)(nil)
)

const (
	cardsStream  = "CARDS"
	cardPrefix   = "card"
	stateBucket  = "wallcast_state"
	leasesBucket = "wallcast_leases"

	minServer = "2.12"
)

// Open makes or updates what the walls need on the server and starts the
// store's upkeep. The connection stays the caller's, and must outlive the Store.
func Open(ctx context.Context, nc *nats.Conn, cfg Config) (*Store, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Replicas = max(cfg.Replicas, 1)
	if err := checkVersion(nc); err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("using JetStream: %w", err)
	}
	if _, err := js.AccountInfo(ctx); errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		return nil, fmt.Errorf("JetStream is not enabled on the NATS server at %s, or not for this account; enable it in that server's configuration: %w", nc.ConnectedUrlRedacted(), err)
	}
	s := &Store{nc: nc, js: js, cfg: cfg, log: cfg.Log, self: rand.Text(), walls: map[string]*wall{}, upkeep: newUpkeep()}
	if err := s.openShared(ctx); err != nil {
		return nil, err
	}
	if err := s.SetWalls(ctx, cfg.Walls); err != nil {
		return nil, err
	}
	if err := s.completeApprovals(ctx); err != nil {
		return nil, fmt.Errorf("completing approvals: %w", err)
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	if err := s.startUpkeep(background); err != nil {
		stop()
		return nil, err
	}
	return s, nil
}

// Close ends the store's upkeep and waits for it.
func (s *Store) Close() {
	s.stop()
	s.tasks.Wait()
}

// checkVersion refuses a server that lacks what Wallcast is built on.
func checkVersion(nc *nats.Conn) error {
	version := nc.ConnectedServerVersion()
	if olderThan(version, minServer) {
		return fmt.Errorf("the NATS server at %s is version %s; Wallcast needs %s or newer", nc.ConnectedUrlRedacted(), version, minServer)
	}
	return nil
}

// olderThan compares versions by their first two numbers. What can't be read
// counts as new: a server built from source says "2.12.0-dev" or nothing.
func olderThan(version, floor string) bool {
	v, f := strings.Split(version, "."), strings.Split(floor, ".")
	for i := range f {
		if i >= len(v) {
			return false
		}
		a, err := strconv.Atoi(v[i])
		b, _ := strconv.Atoi(f[i])
		if err != nil || a != b {
			return err == nil && a < b
		}
	}
	return false
}

// openShared makes what all walls share.
func (s *Store) openShared(ctx context.Context) error {
	cards := jetstream.StreamConfig{
		Name:              cardsStream,
		Description:       "Wallcast: the newest version of every keyed card",
		Subjects:          []string{cardPrefix + ".>"},
		MaxMsgsPerSubject: 1,
		Storage:           jetstream.FileStorage,
		Replicas:          s.cfg.Replicas,
		// Two walls may receive events under one message id. NATS does not let a
		// stream do without deduplication, so the window is as short as it can be.
		Duplicates: 100 * time.Millisecond,
	}
	if _, err := s.js.CreateOrUpdateStream(ctx, cards); err != nil {
		return fmt.Errorf("opening the stream %s: %w", cardsStream, explain(err))
	}
	if err := errors.Join(s.openDeliveries(ctx), s.openHold(ctx), s.openPictures(ctx), s.openPlugins(ctx)); err != nil {
		return err
	}
	var err error
	if s.state, err = s.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: stateBucket, Description: "Wallcast: cursors and status", Replicas: s.cfg.Replicas,
	}); err != nil {
		return fmt.Errorf("opening the bucket %s: %w", stateBucket, explain(err))
	}
	if s.leases, err = s.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: leasesBucket, Description: "Wallcast: who runs which source", Replicas: s.cfg.Replicas,
		Storage: jetstream.MemoryStorage, TTL: leaseTTL,
	}); err != nil {
		return fmt.Errorf("opening the bucket %s: %w", leasesBucket, explain(err))
	}
	if s.key, err = s.sharedKey(ctx); err != nil {
		return fmt.Errorf("reading the key in %s: %w", stateBucket, explain(err))
	}
	return nil
}

// sharedKey returns the random key that all processes on this server share.
func (s *Store) sharedKey(ctx context.Context) ([]byte, error) {
	const name = "key"
	entry, err := s.state.Get(ctx, name)
	if err == nil {
		return entry.Value(), nil
	}
	if !errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, err
	}
	key := []byte(rand.Text())
	if _, err = s.state.Create(ctx, name, key); err == nil {
		return key, nil
	}
	if !errors.Is(err, jetstream.ErrKeyExists) {
		return nil, err
	}
	if entry, err = s.state.Get(ctx, name); err != nil {
		return nil, err
	}
	return entry.Value(), nil
}

// explain adds to an error of NATS which of stream's errors it is.
func explain(err error) error {
	var api *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %w", stream.ErrTooLarge, err)
	case errors.As(err, &api):
		switch api.ErrorCode {
		case jetstream.JSErrCodeStreamMessageExceedsMaximum:
			return fmt.Errorf("%w: %w", stream.ErrTooLarge, err)
		case jetstream.JSErrCodeMessageNotFound:
			return fmt.Errorf("%w: %w", stream.ErrNotFound, err)
		case errStorageExceeded, errInsufficientResources, errStoreFailed:
			return fmt.Errorf("%w: %w", stream.ErrFull, err)
		case jetstream.JSErrCodeJetStreamNotEnabled, jetstream.JSErrCodeJetStreamNotEnabledForAccount:
			return fmt.Errorf("%w: JetStream is not enabled there: %w", stream.ErrUnavailable, err)
		case jetstream.JSErrCodeStreamNotFound:
			return fmt.Errorf("%w: %w", stream.ErrUnavailable, err)
		}
		return err
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, jetstream.ErrJetStreamNotEnabled),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout),
		errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrReconnectBufExceeded),
		errors.Is(err, nats.ErrDisconnected):
		return fmt.Errorf("%w: %w", stream.ErrUnavailable, err)
	}
	return err
}

// Codes of the JetStream API that its client does not name.
const (
	errInsufficientResources jetstream.ErrorCode = 10023
	errStorageExceeded       jetstream.ErrorCode = 10047
	errStoreFailed           jetstream.ErrorCode = 10077
	errSubjectOverlap        jetstream.ErrorCode = 10065
)

// DeriveKey returns a secret for the given purpose that all processes on this
// server share.
func (s *Store) DeriveKey(purpose string) []byte { return []byte(s.mac("derive", purpose)) }
