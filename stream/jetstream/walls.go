package jetstream

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wallcast/wallcast/stream"
)

// wall is a wall that is served.
type wall struct {
	name   string
	key    []byte // the Store's
	cfg    atomic.Pointer[Wall]
	epoch  atomic.Pointer[string]
	head   atomic.Uint64 // the highest sequence that this process has seen given out
	handle atomic.Pointer[jetstream.Stream]

	deleting sync.Mutex // held while events are deleted, so that the floor can be told
	kinds    kindCache
}

const (
	metaEpoch    = "wallcast-epoch"
	metaIdentity = "wallcast-store"

	// headerRoom is what headers may add to the largest payload.
	headerRoom = 16 << 10

	// dedupeWindow is how long a repeated message id is recognised for sure; each
	// id that is remembered costs the server some 170 bytes.
	dedupeWindow = 2 * time.Minute
)

func streamName(wall string) string { return "WALL_" + wall }

func newEpoch() string { return strings.ToLower(rand.Text()[:10]) }

// SetWalls makes the streams of walls that are new and changes those whose
// limits have changed. The streams of walls that are no longer named stay as
// they are; they are only not served. On an error the walls that were served
// before go on being served, and what was changed on the server is not undone.
func (s *Store) SetWalls(ctx context.Context, configs []Wall) error {
	// Before the streams are listed: others publish meanwhile, and a head that is
	// newer than the listing would look as if the stream had been replaced.
	heads, err := s.heads(ctx)
	if err != nil {
		return fmt.Errorf("reading the heads of the walls: %w", explain(err))
	}
	have, err := s.wallStreams(ctx)
	if err != nil {
		return err
	}
	walls := make(map[string]*wall, len(configs))
	for _, cfg := range configs {
		w := s.lookup(cfg.Name)
		isNew := w == nil
		if isNew {
			w = &wall{name: cfg.Name, key: s.key}
			w.cfg.Store(&cfg)
		}
		info := have[streamName(cfg.Name)]
		if err := s.openWall(ctx, w, cfg, info, heads[cfg.Name]); err != nil {
			return fmt.Errorf("opening the wall %s: %w", cfg.Name, err)
		}
		if isNew && info != nil {
			if err := s.takeUp(ctx, w); err != nil {
				return err
			}
		}
		walls[cfg.Name] = w
	}
	for _, cfg := range configs {
		walls[cfg.Name].cfg.Store(&cfg)
	}
	s.mu.Lock()
	s.walls = walls
	s.mu.Unlock()
	s.upkeep.savedHeads(heads)
	return nil
}

// takeUp does what has to be done on a wall that was there before this process
// serves it.
func (s *Store) takeUp(ctx context.Context, w *wall) error {
	if err := s.keepMarks(ctx, w); err != nil {
		return fmt.Errorf("saving the cursors on the wall %s: %w", w.name, err)
	}
	if err := s.completeRetractions(ctx, w); err != nil {
		return fmt.Errorf("completing retractions on the wall %s: %w", w.name, err)
	}
	return nil
}

// wallStreams lists the walls' streams; one listing is far cheaper than asking
// for a thousand streams one by one.
func (s *Store) wallStreams(ctx context.Context) (map[string]*jetstream.StreamInfo, error) {
	have := map[string]*jetstream.StreamInfo{}
	list := s.js.ListStreams(ctx, jetstream.WithStreamListSubject(stream.WallPrefix+".>"))
	for info := range list.Info() {
		have[info.Config.Name] = info
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("listing the streams: %w", explain(err))
	}
	return have, nil
}

// lookup returns the wall, or nil when it is not served.
func (s *Store) lookup(name string) *wall {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.walls[name]
}

// served lists the walls.
func (s *Store) served() []*wall {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(maps.Values(s.walls))
}

func (s *Store) wall(name string) (*wall, error) {
	if w := s.lookup(name); w != nil {
		return w, nil
	}
	return nil, fmt.Errorf("%w: %q", stream.ErrUnknownWall, name)
}

func (s *Store) openWall(ctx context.Context, w *wall, cfg Wall, have *jetstream.StreamInfo, last head) error {
	if have == nil {
		want := s.streamConfig(cfg, jetstream.StreamConfig{Name: streamName(cfg.Name), MaxConsumers: -1, MaxMsgsPerSubject: -1})
		want.Metadata = map[string]string{metaEpoch: newEpoch(), metaIdentity: s.cfg.Identity}
		created, err := s.js.CreateStream(ctx, want)
		switch {
		case errors.Is(err, jetstream.ErrStreamNameAlreadyInUse): // by another process, just now
			if created, err = s.js.Stream(ctx, want.Name); err != nil {
				return explain(err)
			}
		case err != nil:
			return s.explainOverlap(ctx, want, err)
		default:
			if err := s.purgeCards(ctx, cfg.Name+".>", 0); err != nil {
				return fmt.Errorf("removing the cards of an earlier wall of that name: %w", err)
			}
		}
		have = created.CachedInfo()
	}
	want := s.streamConfig(cfg, have.Config)
	epoch := have.Config.Metadata[metaEpoch]
	if renew, why := s.mustRenew(have, last); renew {
		if epoch != "" {
			s.log.Warn("the wall gets new ids, because "+why, "wall", cfg.Name)
		}
		epoch = newEpoch()
		want.Metadata = maps.Clone(want.Metadata)
		if want.Metadata == nil {
			want.Metadata = map[string]string{}
		}
		want.Metadata[metaEpoch], want.Metadata[metaIdentity] = epoch, s.cfg.Identity
	}
	if !reflect.DeepEqual(want, have.Config) {
		if _, err := s.js.UpdateStream(ctx, want); err != nil {
			return fmt.Errorf("the stream %s can't be used as it is: %w", want.Name, s.explainOverlap(ctx, want, err))
		}
	}
	w.epoch.Store(&epoch)
	w.sawHead(have.State.LastSeq)
	return nil
}

// mustRenew reports whether the ids that were given out for this stream may
// stand for other events now, and why.
func (s *Store) mustRenew(have *jetstream.StreamInfo, last head) (bool, string) {
	meta := have.Config.Metadata
	switch {
	case meta[metaEpoch] == "":
		return true, "it has none yet"
	case s.cfg.Identity != "" && meta[metaIdentity] != s.cfg.Identity:
		return true, "the data folder is a copy"
	case meta[metaEpoch] == last.Epoch && have.State.LastSeq < last.Seq:
		return true, fmt.Sprintf("its stream ends at %d and had reached %d: an older copy was put in its place", have.State.LastSeq, last.Seq)
	}
	return false, ""
}

// streamConfig puts what a wall needs into a stream's configuration and leaves
// the rest as it is.
func (s *Store) streamConfig(w Wall, c jetstream.StreamConfig) jetstream.StreamConfig {
	c.Description = "Wallcast: the wall " + w.Name
	c.Subjects = []string{
		stream.WallPrefix + "." + w.Name + ".*",
		stream.WallPrefix + "." + w.Name + ".*.*",
		stream.ControlPrefix + "." + w.Name + ".*",
	}
	c.Retention = jetstream.LimitsPolicy
	c.Discard = jetstream.DiscardOld
	c.Storage = jetstream.FileStorage
	c.Replicas = s.cfg.Replicas
	c.MaxMsgs, c.MaxBytes, c.MaxAge = w.Events, w.Bytes, w.Age
	c.MaxMsgSize = int32(w.Payload + headerRoom)
	c.Duplicates = min(dedupeWindow, w.Age)
	c.AllowRollup = false // one header would erase the wall
	c.RePublish = &jetstream.RePublish{
		Source:      stream.WallPrefix + "." + w.Name + ".*.*",
		Destination: cardPrefix + "." + w.Name + ".{{wildcard(1)}}.{{wildcard(2)}}",
	}
	return c
}

// explainOverlap names the stream that holds the wall's subjects already.
func (s *Store) explainOverlap(ctx context.Context, want jetstream.StreamConfig, err error) error {
	var api *jetstream.APIError
	if !errors.As(err, &api) || api.ErrorCode != errSubjectOverlap {
		return explain(err)
	}
	for _, subject := range want.Subjects {
		list := s.js.ListStreams(ctx, jetstream.WithStreamListSubject(subject))
		for info := range list.Info() {
			if info.Config.Name != want.Name {
				return fmt.Errorf("the stream %s already holds subjects of %q; give one of them other subjects: %w", info.Config.Name, subject, err)
			}
		}
	}
	return err
}

// streamOf returns the handle of a wall's stream.
func (s *Store) streamOf(ctx context.Context, w *wall) (jetstream.Stream, error) {
	if h := w.handle.Load(); h != nil {
		return *h, nil
	}
	h, err := s.js.Stream(ctx, streamName(w.name))
	if err != nil {
		return nil, explain(err)
	}
	w.handle.Store(&h)
	return h, nil
}

func (w *wall) id(seq uint64) stream.ID { return stream.ID{Epoch: *w.epoch.Load(), Seq: seq} }

// sawHead notes that seq has been given out.
func (w *wall) sawHead(seq uint64) {
	for {
		old := w.head.Load()
		if seq <= old || w.head.CompareAndSwap(old, seq) {
			return
		}
	}
}

// head is the newest sequence that a wall had reached, kept apart from its
// stream to notice when the stream is replaced by an older copy.
type head struct {
	Epoch string `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

const headKey = "head."

func (s *Store) heads(ctx context.Context) (map[string]head, error) {
	watch, err := s.state.Watch(ctx, headKey+"*", jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer watch.Stop()
	heads := map[string]head{}
	for {
		select {
		case entry := <-watch.Updates():
			if entry == nil { // all that is there has been given
				return heads, nil
			}
			var h head
			if json.Unmarshal(entry.Value(), &h) == nil {
				heads[strings.TrimPrefix(entry.Key(), headKey)] = h
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// saveHead keeps a wall's head. An older one never replaces a newer one of
// another process for long: the next save of that one corrects it.
func (s *Store) saveHead(ctx context.Context, w *wall) error {
	value, err := json.Marshal(head{*w.epoch.Load(), w.head.Load()})
	if err != nil {
		return err
	}
	_, err = s.state.Put(ctx, headKey+w.name, value)
	return explain(err)
}
