package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/internal/web"
)

// run is one run of a source.
type run struct {
	*reader
	out   sources.Output
	asker *web.Asker
	at    cursor
	fresh bool // of this address nothing was seen yet
}

// Run implements sources.Source.
func (r *reader) Run(ctx context.Context, out sources.Output) error {
	n := &run{reader: r, out: out, asker: r.asker()}
	defer n.asker.Close()
	n.at, _ = parseCursor(out.Cursor())
	if n.at.Target != r.target.Sum() {
		n.at.Target, n.at.Validators, n.fresh = r.target.Sum(), web.Validators{}, true
	}
	return web.Poll(ctx, out, r.every, mostWait, n.once)
}

// once asks for the feed and emits what is new of it.
func (n *run) once(ctx context.Context) (time.Duration, error) {
	items, answer, err := n.fetch(ctx, n.asker, n.at.Validators)
	if err != nil {
		return 0, err
	}
	n.out.Warn(nil)
	if answer.Unchanged {
		return answer.Wait, nil
	}
	news := n.sort(items)
	n.at.Validators = web.Validators{} // until all is stored, the answer is not done with
	for i, one := range news {
		if i == len(news)-1 {
			n.at.Validators = answer.Validators
		}
		if err := n.emit(ctx, one); err != nil {
			return 0, err
		}
	}
	n.at.Validators = answer.Validators
	if n.fresh {
		n.fresh = false
		if len(news) == 0 { // what was passed over must not count as new the next time
			raw, err := n.at.raw()
			if err != nil {
				return 0, err
			}
			return answer.Wait, n.out.SaveCursor(ctx, raw)
		}
	}
	return answer.Wait, nil
}

// sort returns what is to be published, the oldest first, and notes what is
// passed over.
func (n *run) sort(items []item) []item {
	items = n.newest(items)
	marks := make([]mark, len(items))
	for i, one := range items {
		marks[i] = markOf(one)
	}
	n.at.Seen = n.at.Seen.present(marks)
	var news []item
	unseen := 0
	for i, one := range items {
		at := n.at.Seen.find(marks[i].id())
		switch {
		case at >= 0 && n.at.Seen[at] == marks[i]:
			continue
		case at >= 0: // edited
		case !one.dated().IsZero() && !one.dated().After(n.at.Passed):
			continue
		default:
			if unseen++; n.fresh && unseen > n.latest {
				n.at.Seen = n.at.Seen.with(marks[i])
				continue
			}
		}
		news = append(news, one)
	}
	slices.Reverse(news)
	return news
}

// newest returns the items that are looked at, the newest first. Feeds are in
// that order, but for some; where a date is missing theirs counts.
func (n *run) newest(items []item) []item {
	if !slices.ContainsFunc(items, func(i item) bool { return i.dated().IsZero() }) {
		slices.SortStableFunc(items, func(a, b item) int { return b.dated().Compare(a.dated()) })
	}
	if len(items) <= most {
		return items
	}
	for _, i := range items[most:] {
		if i.dated().After(n.at.Passed) {
			n.at.Passed = i.dated()
		}
	}
	return items[:most]
}

// emit stores an item. What is wrong with it alone is a warning.
func (n *run) emit(ctx context.Context, i item) error {
	m := markOf(i)
	edited := n.at.Seen.find(m.id()) >= 0
	n.at.Seen = n.at.Seen.with(m)
	e, err := n.event(i, edited)
	if err != nil {
		return fmt.Errorf("making an event: %w", err)
	}
	if e.Cursor, err = n.at.raw(); err != nil {
		return fmt.Errorf("making a cursor: %w", err)
	}
	err = n.out.Emit(ctx, e)
	var one *sources.EventError
	if errors.As(err, &one) {
		n.out.Warn(fmt.Errorf("the item %.100q of %s is skipped: %w", i.title, n.target.Host(), err))
		return nil
	}
	return err
}
