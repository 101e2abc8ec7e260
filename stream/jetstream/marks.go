package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wallcast/wallcast/stream"
)

// checkpoint is what is kept of a source beside its events.
type checkpoint struct {
	Mark stream.Mark `json:"mark"`
	// At is, per wall, up to where the events need not be read for marks any more.
	At map[string]string `json:"at"`
}

const markKey = "mark."

// LastMark implements sources.Store: the cursor of the newest event counts, for
// a checkpoint may be older than what was stored just before a crash.
func (s *Store) LastMark(ctx context.Context, source string, walls []string) (stream.Mark, error) {
	saved, _, err := s.checkpoint(ctx, source)
	if err != nil {
		return stream.Mark{}, fmt.Errorf("reading the checkpoint of the source %s: %w", source, err)
	}
	newest := saved.Mark
	for _, name := range walls {
		w, err := s.wall(name)
		if err != nil {
			return stream.Mark{}, err
		}
		cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, HeadersOnly: true}
		if at, err := stream.ParseID(saved.At[name]); err == nil && at.Epoch == *w.epoch.Load() {
			cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, at.Seq+1
		}
		for m, err := range s.read(ctx, w, cfg, false) {
			if err != nil {
				return stream.Mark{}, fmt.Errorf("reading the marks of the source %s on the wall %s: %w", source, name, err)
			}
			if mark, ok := s.mark(name, m.header); ok && mark.Source == source && mark.Count > newest.Count {
				newest = mark
			}
		}
	}
	for m, err := range s.readHeld(ctx, "", true) {
		if err != nil {
			return stream.Mark{}, fmt.Errorf("reading the marks of the source %s on what is held: %w", source, err)
		}
		held, err := heldSubject(m.subject)
		if err != nil {
			continue
		}
		if mark, ok := s.mark(held.Wall, m.header); ok && mark.Source == source && mark.Count > newest.Count {
			newest = mark
		}
	}
	return newest, nil
}

// Checkpoint implements sources.Store.
func (s *Store) Checkpoint(ctx context.Context, mark stream.Mark, at map[string]stream.ID) error {
	for {
		saved, revision, err := s.checkpoint(ctx, mark.Source)
		if err == nil {
			if !saved.raise(mark, at) {
				return nil
			}
			err = s.saveCheckpoint(ctx, saved, revision)
		}
		if errors.Is(err, jetstream.ErrKeyExists) {
			continue // another process was quicker: raise what it has saved
		}
		if err != nil {
			return fmt.Errorf("saving the checkpoint of the source %s: %w", mark.Source, explain(err))
		}
		return nil
	}
}

// raise takes over what is newer and reports whether anything was.
func (c *checkpoint) raise(mark stream.Mark, at map[string]stream.ID) bool {
	raised := false
	if mark.Count > c.Mark.Count {
		c.Mark, raised = mark, true
	}
	if c.At == nil {
		c.At = map[string]string{}
	}
	for wall, id := range at {
		old, err := stream.ParseID(c.At[wall])
		if err != nil || old.Epoch != id.Epoch || old.Seq < id.Seq {
			c.At[wall], raised = id.String(), true
		}
	}
	return raised
}

func (s *Store) checkpoint(ctx context.Context, source string) (checkpoint, uint64, error) {
	entry, err := s.state.Get(ctx, markKey+source)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return checkpoint{}, 0, nil
	}
	if err != nil {
		return checkpoint{}, 0, explain(err)
	}
	var c checkpoint
	if err := json.Unmarshal(entry.Value(), &c); err != nil {
		return checkpoint{}, 0, fmt.Errorf("the key %s%s of the bucket %s is damaged; delete it to have the source's events read instead: %w", markKey, source, stateBucket, err)
	}
	return c, entry.Revision(), nil
}

// saveCheckpoint writes c if the saved one is still at revision; ErrKeyExists
// otherwise.
func (s *Store) saveCheckpoint(ctx context.Context, c checkpoint, revision uint64) error {
	value, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if revision == 0 {
		_, err = s.state.Create(ctx, markKey+c.Mark.Source, value)
	} else {
		_, err = s.state.Update(ctx, markKey+c.Mark.Source, value, revision)
	}
	return err
}

// fewEvents is below how many events of history a wall's marks are saved when it
// is opened.
const fewEvents = 1000

// keepMarks saves the newest marks on a wall that keeps few events: what others
// publish before a source has read its mark could evict it.
func (s *Store) keepMarks(ctx context.Context, w *wall) error {
	if w.cfg.Load().Events >= fewEvents {
		return nil
	}
	newest := map[string]stream.Mark{}
	all := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, HeadersOnly: true}
	for m, err := range s.read(ctx, w, all, false) {
		if err != nil {
			return err
		}
		if mark, ok := s.mark(w.name, m.header); ok && mark.Count > newest[mark.Source].Count {
			newest[mark.Source] = mark
		}
	}
	for _, mark := range newest {
		if err := s.Checkpoint(ctx, mark, nil); err != nil {
			return err
		}
	}
	return nil
}

// keepMark saves the mark of an event that is about to be deleted.
func (s *Store) keepMark(ctx context.Context, w *wall, h nats.Header) error {
	mark, ok := s.mark(w.name, h)
	if !ok {
		return nil
	}
	return s.Checkpoint(ctx, mark, nil)
}
