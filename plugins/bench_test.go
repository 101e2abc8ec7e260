package plugins_test

import (
	"context"
	"testing"
	"time"

	"github.com/wallcast/wallcast/plugins"
)

// BenchmarkRequestToEvent is the time from a request that is enqueued to its event
// at a reader of the wall, with a program that costs nothing.
func BenchmarkRequestToEvent(b *testing.B) {
	bench := newBench(b, store(b), "echo", program(func(_ context.Context, trigger plugins.Trigger, c plugins.Call) error {
		return printAll(c, `{"data":"`+body(trigger)+`"}`)
	}))
	bench.start(nil)
	arrived := make(chan struct{})
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		for _, err := range bench.reader.Follow(ctx, "main", 0) {
			if err != nil {
				return
			}
			arrived <- struct{}{}
		}
	}()
	for b.Loop() {
		bench.fire("x")
		<-arrived
	}
	cancel()
	<-reading
}
