package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/stream"
)

const (
	schedulesStream        = "SCHEDULES"
	cronPrefix, tickPrefix = "cron", "tick"

	// tickedPrefix is where NATS tells of a tick once it is stored.
	tickedPrefix = "ticked"

	headerSchedule       = "Nats-Schedule"
	headerScheduleTarget = "Nats-Schedule-Target"
	headerScheduleZone   = "Nats-Schedule-Time-Zone"

	scheduleAttempts = 3
)

// SetSchedule implements plugins.Store. A schedule that is declared again begins
// anew, and would never fire if that happened often enough: so one that is there
// is left alone.
func (s *Store) SetSchedule(ctx context.Context, plugin string, schedule plugins.Schedule) error {
	if schedule == (plugins.Schedule{}) {
		return s.dropSchedule(ctx, plugin)
	}
	msg := nats.NewMsg(cronPrefix + "." + plugin)
	msg.Header.Set(headerSchedule, schedule.Cron)
	if schedule.Every > 0 {
		msg.Header.Set(headerSchedule, "@every "+schedule.Every.String())
	}
	if schedule.Zone != "" {
		msg.Header.Set(headerScheduleZone, schedule.Zone)
	}
	msg.Header.Set(headerScheduleTarget, tickPrefix+"."+plugin)
	var err error
	for range scheduleAttempts {
		err = s.putSchedule(ctx, msg)
		if !errors.Is(err, jetstream.ErrKeyExists) {
			break // else another process has declared one meanwhile
		}
	}
	if err != nil {
		return fmt.Errorf("declaring the schedule of the plugin %s (%s; NATS servers before 2.14 know none): %w", plugin, msg.Header.Get(headerSchedule), explain(err))
	}
	return nil
}

// putSchedule writes a schedule unless it is there; ErrKeyExists when it was
// changed meanwhile.
func (s *Store) putSchedule(ctx context.Context, msg *nats.Msg) error {
	expected := uint64(0)
	there, err := s.queues.schedules.GetLastMsgForSubject(ctx, msg.Subject)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
	case err != nil:
		return err
	default:
		same := true
		for _, name := range []string{headerSchedule, headerScheduleZone, headerScheduleTarget} {
			same = same && there.Header.Get(name) == msg.Header.Get(name)
		}
		if same {
			return nil
		}
		expected = there.Sequence
	}
	_, err = s.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(expected))
	return err
}

func (s *Store) dropSchedule(ctx context.Context, plugin string) error {
	for _, subject := range []string{cronPrefix + "." + plugin, tickPrefix + "." + plugin} {
		if _, err := s.queues.schedules.GetLastMsgForSubject(ctx, subject); errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err := s.queues.schedules.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
			return fmt.Errorf("taking the schedule of the plugin %s away: %w", plugin, explain(err))
		}
	}
	return nil
}

// PruneSchedules implements plugins.Store.
func (s *Store) PruneSchedules(ctx context.Context, keep []string) error {
	info, err := s.queues.schedules.Info(ctx, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return fmt.Errorf("listing the schedules of plugins: %w", explain(err))
	}
	for subject := range info.State.Subjects {
		_, plugin, _ := strings.Cut(subject, ".")
		if slices.Contains(keep, plugin) {
			continue
		}
		if err := s.dropSchedule(ctx, plugin); err != nil {
			return err
		}
	}
	return nil
}

// NextTick implements plugins.Store.
func (s *Store) NextTick(ctx context.Context, plugin string, after uint64) (plugins.Tick, error) {
	return await(ctx, s.nc, tickedPrefix+"."+plugin, func() (plugins.Tick, error) {
		msg, err := s.queues.schedules.GetLastMsgForSubject(ctx, tickPrefix+"."+plugin)
		if err != nil {
			return plugins.Tick{}, explain(err)
		}
		if msg.Sequence == after {
			return plugins.Tick{}, stream.ErrNotFound
		}
		return plugins.Tick{Number: msg.Sequence, Time: msg.Time}, nil
	})
}

// DropTick implements plugins.Store.
func (s *Store) DropTick(ctx context.Context, plugin string, t plugins.Tick) error {
	msg, err := getNumber(ctx, s.queues.schedules, tickPrefix+"."+plugin, t.Number)
	if errors.Is(err, stream.ErrNotFound) || err == nil && !msg.Time.Equal(t.Time) {
		return nil // a newer one has replaced it, or the stream was made anew
	}
	if err != nil {
		return err
	}
	return dropMessage(ctx, s.queues.schedules, t.Number)
}
