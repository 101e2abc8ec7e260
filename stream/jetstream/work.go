package jetstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/stream"
)

var _ plugins.Store = (*Store)(nil)

const (
	workStream, workPrefix = "WORK", "fire"

	// firedPrefix is where NATS tells of work once it is stored.
	firedPrefix = "fired"

	workHeader = "Wallcast-Work"

	maxWork      = 10_000 // of a plugin
	maxWorkBytes = 256 << 20
	workAge      = 30 * 24 * time.Hour // that of a plugin that is not there any more

	// triggerWindow is for how long a second trigger with an id is noticed.
	triggerWindow = time.Hour
)

// openPlugins makes what all plugins share.
func (s *Store) openPlugins(ctx context.Context) error {
	for _, c := range []jetstream.StreamConfig{
		{
			Name: workStream, Subjects: []string{workPrefix + ".*"}, Duplicates: triggerWindow,
			Description: "Wallcast: triggers that wait for their plugins",
			Retention:   jetstream.WorkQueuePolicy, MaxBytes: maxWorkBytes, MaxAge: workAge,
			// What was accepted is not pushed out, and one plugin does not fill the
			// queues of the others.
			Discard: jetstream.DiscardNew, MaxMsgsPerSubject: maxWork, DiscardNewPerSubject: true,
			RePublish: &jetstream.RePublish{Source: workPrefix + ".*", Destination: firedPrefix + ".{{wildcard(1)}}", HeadersOnly: true},
		},
		{
			Name: schedulesStream, Subjects: []string{cronPrefix + ".*", tickPrefix + ".*"}, MaxMsgsPerSubject: 1,
			Description:       "Wallcast: the schedules of plugins, and what they have set off",
			AllowMsgSchedules: true,
			RePublish:         &jetstream.RePublish{Source: tickPrefix + ".*", Destination: tickedPrefix + ".{{wildcard(1)}}", HeadersOnly: true},
		},
		{
			Name: deadStream, Subjects: []string{deadPrefix + ".*"}, Duplicates: triggerWindow,
			Description:       "Wallcast: triggers that plugins could not do",
			MaxMsgsPerSubject: maxDead, MaxAge: deadAge, MaxBytes: maxDeadBytes,
		},
	} {
		c.Storage, c.Replicas = jetstream.FileStorage, s.cfg.Replicas
		c.Compression = jetstream.S2Compression
		handle, err := s.js.CreateOrUpdateStream(ctx, c)
		if err != nil {
			return fmt.Errorf("making the stream %s: %w", c.Name, explain(err))
		}
		switch c.Name {
		case workStream:
			s.queues.work = handle
		case schedulesStream:
			s.queues.schedules = handle
		case deadStream:
			s.queues.dead = handle
		}
	}
	return nil
}

// queues are the streams of plugins.
type queues struct{ work, schedules, dead jetstream.Stream }

// PutWork implements plugins.Store.
func (s *Store) PutWork(ctx context.Context, plugin string, w plugins.Work, dedupe string) (number uint64, repeat bool, err error) {
	msg, err := workMsg(workPrefix+"."+plugin, w)
	if err != nil {
		return 0, false, fmt.Errorf("keeping work of the plugin %s: %w", plugin, err)
	}
	if dedupe != "" {
		// The ids of two plugins have nothing to do with each other, and one may hold anything.
		sum := sha256.Sum256([]byte(dedupe))
		msg.Header.Set(nats.MsgIdHdr, plugin+"."+hex.EncodeToString(sum[:]))
	}
	ack, err := s.js.PublishMsg(ctx, msg)
	if err != nil {
		return 0, false, fmt.Errorf("keeping work of the plugin %s: %w", plugin, explain(err))
	}
	return ack.Sequence, ack.Duplicate, nil
}

func workMsg(subject string, w plugins.Work) (*nats.Msg, error) {
	about, err := json.Marshal(w)
	if err != nil {
		return nil, err
	}
	msg := nats.NewMsg(subject)
	msg.Data = w.Data
	msg.Header.Set(workHeader, string(about))
	return msg, nil
}

func workOf(msg *jetstream.RawStreamMsg) (plugins.Work, error) {
	var w plugins.Work
	if err := json.Unmarshal([]byte(msg.Header.Get(workHeader)), &w); err != nil {
		return w, fmt.Errorf("%w: the message %d is not one of ours: %w", errForeign, msg.Sequence, err)
	}
	w.Number, w.Data = msg.Sequence, msg.Data
	return w, nil
}

// errForeign says that something else has written to a stream of ours.
var errForeign = errors.New("not written by Wallcast")

// NextWork implements plugins.Store.
func (s *Store) NextWork(ctx context.Context, plugin string, after uint64) (plugins.Work, error) {
	subject := workPrefix + "." + plugin
	return await(ctx, s.nc, firedPrefix+"."+plugin, func() (plugins.Work, error) {
		for {
			msg, err := s.queues.work.GetMsg(ctx, after+1, jetstream.WithGetMsgSubject(subject))
			if err != nil {
				return plugins.Work{}, explain(err)
			}
			w, err := workOf(msg)
			if !errors.Is(err, errForeign) {
				return w, err
			}
			s.log.Warn("work that was not put there by Wallcast is dropped", "plugin", plugin, "error", err)
			if err := dropMessage(ctx, s.queues.work, msg.Sequence); err != nil {
				return plugins.Work{}, err
			}
		}
	})
}

// DropWork implements plugins.Store.
func (s *Store) DropWork(ctx context.Context, plugin string, w plugins.Work) error {
	msg, err := getNumber(ctx, s.queues.work, workPrefix+"."+plugin, w.Number)
	if errors.Is(err, stream.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	// In a stream that was made anew, the number may be another's.
	if there, err := workOf(msg); err != nil || there.ID != w.ID {
		return nil
	}
	return dropMessage(ctx, s.queues.work, w.Number)
}

// getNumber returns the message with that number if it has that subject, and else
// ErrNotFound.
func getNumber(ctx context.Context, from jetstream.Stream, subject string, number uint64) (*jetstream.RawStreamMsg, error) {
	if number == 0 {
		return nil, stream.ErrNotFound
	}
	msg, err := from.GetMsg(ctx, number)
	if err != nil {
		return nil, explain(err)
	}
	if msg.Subject != subject {
		return nil, stream.ErrNotFound
	}
	return msg, nil
}

// dropMessage deletes a message; that it is gone already is no error.
func dropMessage(ctx context.Context, from jetstream.Stream, number uint64) error {
	err := from.DeleteMsg(ctx, number)
	if err == nil {
		return nil
	}
	if _, getErr := from.GetMsg(ctx, number); errors.Is(explain(getErr), stream.ErrNotFound) {
		return nil
	}
	return explain(err)
}
