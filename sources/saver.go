package sources

import (
	"context"
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/wallcast/wallcast/stream"
)

const (
	// checkpointEvery bounds how often a busy source's cursor is saved apart
	// from its events.
	checkpointEvery = time.Second

	// lastCheckpoint is how long a run that ends may take to save its cursor.
	lastCheckpoint = 3 * time.Second
)

func nonce() string { return "r" + strconv.FormatUint(rand.Uint64(), 36) }

// saver saves checkpoints: at most one a second by itself, in a goroutine that
// close ends, and at once when it is told to.
type saver struct {
	r      *runner
	cancel context.CancelFunc
	ended  chan struct{}
	noted  chan struct{} // holds one token when there may be something to save

	writing sync.Mutex // one checkpoint at a time

	mu    sync.Mutex
	mark  stream.Mark
	at    map[string]stream.ID
	saved uint64 // the count of the newest checkpoint
}

func newSaver(ctx context.Context, r *runner) *saver {
	ctx, cancel := context.WithCancel(ctx)
	s := &saver{
		r: r, cancel: cancel, at: map[string]stream.ID{},
		ended: make(chan struct{}), noted: make(chan struct{}, 1),
	}
	go s.run(ctx)
	return s
}

func (s *saver) run(ctx context.Context) {
	defer close(s.ended)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.noted:
		}
		// An error is nothing to act on: the events carry the cursor too, and the
		// next checkpoint covers this one.
		if err := s.flush(ctx); err != nil && ctx.Err() == nil {
			s.r.log.Debug("a checkpoint was not saved", "error", err)
		}
		if !pause(ctx, checkpointEvery) {
			return
		}
	}
}

// close ends the goroutine and, when save is set, saves what isn't yet.
func (s *saver) close(save bool) {
	s.cancel()
	<-s.ended
	if !save {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastCheckpoint)
	defer cancel()
	if err := s.flush(ctx); err != nil {
		s.r.log.Debug("the last checkpoint was not saved", "error", err)
	}
}

// note says that the event with mark is stored at id; the zero ID says that
// it was stored earlier.
func (s *saver) note(mark stream.Mark, subject stream.Subject, id stream.ID) {
	s.mu.Lock()
	s.mark = mark
	if !id.IsZero() {
		s.at[subject.Wall] = id
	}
	s.mu.Unlock()
	select {
	case s.noted <- struct{}{}:
	default: // it has been told already
	}
}

// flush saves the newest mark unless that was done.
func (s *saver) flush(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	mark, at, saved := s.mark, maps.Clone(s.at), s.saved
	s.mu.Unlock()
	if mark.Count <= saved {
		return nil
	}
	if err := s.r.store.Checkpoint(ctx, mark, at); err != nil {
		return err
	}
	s.mu.Lock()
	s.saved = mark.Count
	s.mu.Unlock()
	return nil
}
