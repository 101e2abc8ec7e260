package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wallcast/wallcast/stream"
)

// State implements stream.Reader.
func (s *Store) State(ctx context.Context, name string) (stream.State, error) {
	w, err := s.wall(name)
	if err != nil {
		return stream.State{}, err
	}
	info, err := s.info(ctx, w)
	if err != nil {
		return stream.State{}, fmt.Errorf("asking for the state of the wall %s: %w", name, err)
	}
	epoch := info.Config.Metadata[metaEpoch]
	w.epoch.Store(&epoch)
	first, err := s.floor(ctx, w, info.State)
	if err != nil {
		return stream.State{}, fmt.Errorf("reading the floor of the wall %s: %w", name, err)
	}
	kinds, err := s.kindsOf(ctx, w, info.State)
	if err != nil {
		return stream.State{}, fmt.Errorf("listing the kinds of the wall %s: %w", name, err)
	}
	return stream.State{Epoch: epoch, First: first, Last: info.State.LastSeq, Kinds: kinds}, nil
}

func (s *Store) info(ctx context.Context, w *wall, opts ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	handle, err := s.streamOf(ctx, w)
	if err != nil {
		return nil, err
	}
	info, err := handle.Info(ctx, opts...)
	return info, explain(err)
}

// firstHeld is the oldest sequence in the stream, one more than the last when
// it is empty.
func firstHeld(st jetstream.StreamState) uint64 {
	if st.Msgs == 0 {
		return st.LastSeq + 1
	}
	return st.FirstSeq
}

// kindCache holds the kinds of a wall as they were at some state of it.
type kindCache struct {
	mu    sync.Mutex
	at    kindsAt
	kinds []string
}

// kindsAt identifies a state as far as kinds are concerned.
type kindsAt struct {
	known          bool
	last, subjects uint64
}

// kindsOf lists the kinds that occur on the wall, asking the store only if
// something was stored or deleted since the last time.
func (s *Store) kindsOf(ctx context.Context, w *wall, st jetstream.StreamState) ([]string, error) {
	w.kinds.mu.Lock()
	defer w.kinds.mu.Unlock()
	at := kindsAt{true, st.LastSeq, st.NumSubjects}
	if w.kinds.at == at {
		return w.kinds.kinds, nil
	}
	var subjects []string
	info, err := s.info(ctx, w, jetstream.WithSubjectFilter(stream.WallPrefix+"."+w.name+".>"))
	if err != nil {
		return nil, err
	}
	for subject := range info.State.Subjects {
		subjects = append(subjects, subject)
	}
	if firstHeld(st) > 1 { // cards may have outlived their events
		cards, err := s.cardSubjects(ctx, w.name)
		if err != nil {
			return nil, err
		}
		for subject := range cards {
			subjects = append(subjects, stream.WallPrefix+strings.TrimPrefix(subject, cardPrefix))
		}
	}
	var kinds []string
	for _, subject := range subjects {
		if parsed, err := stream.ParseSubject(subject); err == nil {
			kinds = append(kinds, parsed.Kind)
		}
	}
	slices.Sort(kinds)
	w.kinds.at, w.kinds.kinds = at, slices.Compact(kinds)
	return w.kinds.kinds, nil
}

// floorRecord says that everything from Floor on was evicted by nobody, as long
// as the stream's first sequence is First: what is missing in between was
// deleted by us.
type floorRecord struct {
	Epoch string `json:"epoch"`
	First uint64 `json:"first"`
	Floor uint64 `json:"floor"`
}

const floorKey = "floor."

// floor is the oldest sequence that eviction has left.
func (s *Store) floor(ctx context.Context, w *wall, st jetstream.StreamState) (uint64, error) {
	first := firstHeld(st)
	if first <= 1 {
		return 1, nil
	}
	entry, err := s.state.Get(ctx, floorKey+w.name)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return first, nil
	}
	if err != nil {
		return 0, explain(err)
	}
	var r floorRecord
	if json.Unmarshal(entry.Value(), &r) == nil && r.First == first && r.Epoch == *w.epoch.Load() {
		return r.Floor, nil
	}
	return first, nil
}

// withFloor runs a deletion, which returns how many messages it has taken, and
// keeps the floor where it was: only if no more than these went can the first
// sequence have moved by the deletion alone. In doubt the floor rises, and
// viewers that were away that long are told of a gap that may be none.
func (s *Store) withFloor(ctx context.Context, w *wall, del func() (uint64, error)) error {
	before, err := s.info(ctx, w)
	if err != nil {
		return err
	}
	floor, err := s.floor(ctx, w, before.State)
	if err != nil {
		return err
	}
	n, err := del()
	if err != nil {
		return err
	}
	after, err := s.info(ctx, w)
	if err != nil {
		return err
	}
	added := after.State.LastSeq - before.State.LastSeq
	evicted := before.State.Msgs + added - n - after.State.Msgs
	first := firstHeld(after.State)
	if evicted != 0 || first == firstHeld(before.State) {
		return nil
	}
	value, err := json.Marshal(floorRecord{*w.epoch.Load(), first, floor})
	if err != nil {
		return err
	}
	_, err = s.state.Put(ctx, floorKey+w.name, value)
	return explain(err)
}

// purge deletes messages of the wall's stream and returns how many: those of a
// subject that the request names, up to a sequence or but for the newest. (The
// client's own call does not tell the number.)
func (s *Store) purge(ctx context.Context, w *wall, request jetstream.StreamPurgeRequest) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, purgeTimeout)
	defer cancel()
	body, err := json.Marshal(request)
	if err != nil {
		return 0, err
	}
	reply, err := s.nc.RequestWithContext(ctx, jetstream.DefaultAPIPrefix+"STREAM.PURGE."+streamName(w.name), body)
	if err != nil {
		return 0, explain(err)
	}
	var answer struct {
		Purged uint64              `json:"purged"`
		Error  *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return 0, fmt.Errorf("reading the answer to a purge: %w", err)
	}
	if answer.Error != nil {
		return 0, explain(answer.Error)
	}
	return answer.Purged, nil
}

const purgeTimeout = 5 * time.Second
