package poll

import "time"

func init() { leastEvery = time.Millisecond }
