package sse

import (
	"time"

	"github.com/wallcast/wallcast/sources"
)

// Hurried is a source that waits less long, so that a test need not.
func Hurried(src sources.Source, retry, silence time.Duration) sources.Source {
	f := *src.(*follower)
	f.leastRetry, f.mostRetry = retry, 4*retry
	if silence > 0 {
		f.silence = silence
	}
	return &f
}
