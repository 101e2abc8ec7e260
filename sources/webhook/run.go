package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wallcast/wallcast/sources"
)

// cursor is up to which delivery all is done.
type cursor struct {
	Delivery uint64 `json:"delivery"`
}

func (c cursor) json() json.RawMessage {
	return fmt.Appendf(nil, `{"delivery":%d}`, c.Delivery)
}

// Run implements sources.Source.
func (s *source) Run(ctx context.Context, out sources.Output) error {
	var at cursor
	if former := out.Cursor(); former != nil {
		if err := json.Unmarshal(former, &at); err != nil {
			at = cursor{}
			out.Warn(fmt.Errorf("the cursor %.100q is none of this source's; beginning with the oldest delivery that is held", former))
		}
	}
	for {
		d, err := out.Delivery(ctx, at.Delivery)
		if err != nil {
			return err
		}
		at.Delivery = d.Number
		if err := s.deliver(ctx, out, d, at.json()); err != nil {
			return err
		}
	}
}

// deliver emits what a delivery makes. One that makes nothing, though it was
// accepted under other settings, is skipped with a warning.
func (s *source) deliver(ctx context.Context, out sources.Output, d sources.Delivery, done json.RawMessage) error {
	events, err := s.Parse(d)
	if err == nil {
		for i, e := range events {
			if i == len(events)-1 {
				e.Cursor = done
			}
			if err = out.Emit(ctx, e); err != nil {
				break
			}
		}
		if one := (*sources.EventError)(nil); err != nil && !errors.As(err, &one) {
			return err
		}
	}
	if err == nil {
		out.Warn(nil)
		return nil
	}
	out.Warn(fmt.Errorf("delivery %d is skipped: %w", d.Number, err))
	return out.SaveCursor(ctx, done)
}
