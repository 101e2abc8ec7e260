package feed

import "time"

func init() { leastEvery = time.Millisecond }
