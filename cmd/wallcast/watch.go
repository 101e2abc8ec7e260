package main

import (
	"context"
	"os"
	"sync"
	"time"
)

// watchEvery is how often a watched file is looked at.
const watchEvery = 500 * time.Millisecond

// watchFile returns a channel that receives when the file at path is not what it
// was last read as and has then been left alone for a moment. It works by looking,
// because editors save in ways (rename, truncate and write) that notifications
// tell apart only with difficulty.
func watchFile(ctx context.Context, owner *sync.WaitGroup, path string, last stamp) <-chan struct{} {
	saved := make(chan struct{}, 1)
	if path == "" {
		return saved
	}
	owner.Go(func() {
		ticker := time.NewTicker(watchEvery)
		defer ticker.Stop()
		pending := false
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			now := fileStamp(path)
			switch {
			case now != last:
				last, pending = now, true
			case pending && now != (stamp{}):
				pending = false
				select {
				case saved <- struct{}{}:
				default: // one is waiting to be seen already
				}
			}
		}
	})
	return saved
}

// stamp tells two states of a file apart; the zero stamp is a file that is not
// there.
type stamp struct {
	size     int64
	modified time.Time
}

func fileStamp(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info.Size(), info.ModTime()}
}
