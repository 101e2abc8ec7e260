package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/stream"
)

const (
	deadStream, deadPrefix = "DEAD", "dead"

	deadHeader = "Wallcast-Dead"

	maxDead      = 1000 // of a plugin
	maxDeadBytes = 256 << 20
	deadAge      = 30 * 24 * time.Hour
)

// PutDead implements plugins.Store.
func (s *Store) PutDead(ctx context.Context, plugin string, d plugins.Dead) (uint64, error) {
	number, err := s.putDead(ctx, plugin, d)
	if errors.Is(err, stream.ErrTooLarge) { // the trigger alone has been stored before
		d.Stderr = ""
		number, err = s.putDead(ctx, plugin, d)
	}
	if err != nil {
		return 0, fmt.Errorf("keeping a dead letter of the plugin %s: %w", plugin, err)
	}
	return number, nil
}

func (s *Store) putDead(ctx context.Context, plugin string, d plugins.Dead) (uint64, error) {
	msg := nats.NewMsg(deadPrefix + "." + plugin)
	msg.Data, d.Work.Data = d.Work.Data, nil
	about, err := json.Marshal(d)
	if err != nil {
		return 0, err
	}
	msg.Header.Set(deadHeader, string(about))
	msg.Header.Set(nats.MsgIdHdr, s.mac("dead", plugin, d.Work.ID, strconv.FormatUint(d.Work.Number, 10)))
	ack, err := s.js.PublishMsg(ctx, msg)
	if err != nil {
		return 0, explain(err)
	}
	return ack.Sequence, nil
}

// DeadLetters implements plugins.Store.
func (s *Store) DeadLetters(ctx context.Context, plugin string, n int) ([]plugins.Dead, error) {
	all := []plugins.Dead{}
	cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, HeadersOnly: true, FilterSubject: deadPrefix + "." + plugin}
	for attempt := 1; ; attempt++ {
		more, err := s.readPart(ctx, deadStream, &cfg, false, func(m stored) bool {
			if d, err := deadOf(m.header, nil, m.seq); err == nil {
				all = append(all, d)
			}
			return true
		})
		if !more {
			return all[max(0, len(all)-n):], nil
		}
		if attempt == readAttempts || ctx.Err() != nil {
			return nil, fmt.Errorf("reading the dead letters of the plugin %s: %w", plugin, explain(err))
		}
		pause(ctx, readBackoff<<attempt)
	}
}

func deadOf(h nats.Header, data []byte, number uint64) (plugins.Dead, error) {
	var d plugins.Dead
	if err := json.Unmarshal([]byte(h.Get(deadHeader)), &d); err != nil {
		return d, fmt.Errorf("the dead letter %d: %w: %w", number, errForeign, err)
	}
	d.Number, d.Work.Data = number, data
	return d, nil
}

// DeadLetter implements plugins.Store.
func (s *Store) DeadLetter(ctx context.Context, plugin string, number uint64) (plugins.Dead, error) {
	msg, err := getNumber(ctx, s.queues.dead, deadPrefix+"."+plugin, number)
	if err != nil {
		return plugins.Dead{}, fmt.Errorf("reading the dead letter %d of the plugin %s: %w", number, plugin, err)
	}
	return deadOf(msg.Header, msg.Data, number)
}

// Replay implements plugins.Store.
func (s *Store) Replay(ctx context.Context, plugin string, number uint64) error {
	d, err := s.DeadLetter(ctx, plugin, number)
	if err != nil {
		return err
	}
	// Should this end before the letter is deleted, replaying it again does no harm.
	if _, _, err := s.PutWork(ctx, plugin, d.Work, fmt.Sprint("replay ", number, " ", d.Time.UnixNano())); err != nil {
		return fmt.Errorf("replaying the dead letter %d: %w", number, err)
	}
	return s.DropDead(ctx, plugin, number)
}

// DropDead implements plugins.Store.
func (s *Store) DropDead(ctx context.Context, plugin string, number uint64) error {
	if _, err := getNumber(ctx, s.queues.dead, deadPrefix+"."+plugin, number); err != nil {
		return fmt.Errorf("deleting the dead letter %d of the plugin %s: %w", number, plugin, err)
	}
	return dropMessage(ctx, s.queues.dead, number)
}
