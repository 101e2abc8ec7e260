package nowplaying

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

var _ sources.Checker = (*station)(nil)

// Check implements [sources.Checker]: the folder of covers is there, and every
// upstream that can be asked answers.
func (s *station) Check(ctx context.Context) error {
	if s.covers != "" {
		if info, err := os.Stat(s.covers); err != nil || !info.IsDir() {
			return &sources.SettingError{Setting: "covers", Err: fmt.Errorf("wants a folder, and %s is none", s.covers)}
		}
	}
	problems := make([]error, len(s.lines))
	var asking sync.WaitGroup
	for i, l := range s.lines {
		if l.push == nil {
			asking.Go(func() { problems[i] = l.check(ctx) })
		}
	}
	asking.Wait()
	for i, err := range problems {
		if err != nil {
			return &sources.SettingError{Setting: s.lines[i].setting, Err: err}
		}
	}
	return nil
}

var errNoAnswer = errors.New("is not answering in time")

// check watches an upstream until it reports.
func (l line) check(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	u, err := l.open(nil)
	if err != nil {
		return err
	}
	answered := false
	err = u.Watch(ctx, func(upstream.Report) {
		answered = true
		cancel()
	})
	switch {
	case answered:
		return nil
	case ctx.Err() != nil:
		return errNoAnswer
	}
	return err
}
