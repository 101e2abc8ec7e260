package nats

import (
	"time"

	"github.com/wallcast/wallcast/sources"
)

// Hurried is a source that waits less long, so that a test need not.
func Hurried(src sources.Source, recheck, handover time.Duration) sources.Source {
	s := *src.(*source)
	s.recheck, s.handover = recheck, handover
	return &s
}

// HurriedRemote does the same for a source of the type "nats".
func HurriedRemote(src sources.Source) sources.Source {
	r := *src.(*remote)
	r.least, r.most = 10*time.Millisecond, 50*time.Millisecond
	return &r
}
