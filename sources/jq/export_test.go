package jq

import (
	"testing"
	"time"
)

// Hasten gives programs less time, for a test that waits for the end of many.
func Hasten(t testing.TB, d time.Duration) {
	before := maxTime
	maxTime = d
	t.Cleanup(func() { maxTime = before })
}
