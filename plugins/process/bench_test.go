//go:build unix

package process_test

import (
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/wallcast/wallcast/plugins"
)

// BenchmarkCall measures a call from its trigger to its one event and its end,
// and, to compare, the same program started with nothing around it.
func BenchmarkCall(b *testing.B) {
	b.Run("sh", func(b *testing.B) { benchmark(b, write(b, "#!/bin/sh\nread -r line\necho \"$line\"\n")) })
	b.Run("go", func(b *testing.B) {
		benchmark(b, compile(b, `package main

import (
	"io"
	"os"
)

func main() { io.Copy(os.Stdout, os.Stdin) }
`))
	})
}

func benchmark(b *testing.B, file string) {
	p := load(b, file)
	c := plugins.Call{
		Name: "bench", Input: []byte(`{"trigger":"try"}`), Limits: usual,
		Output: func([]byte) error { return nil }, Log: func([]byte) {}, TooLong: func(int) {},
	}
	b.Run("call", func(b *testing.B) {
		measure(b, func() error { return p.Call(b.Context(), c) })
	})
	b.Run("alone", func(b *testing.B) {
		measure(b, func() error {
			cmd := exec.CommandContext(b.Context(), file)
			cmd.Env = []string{} // and no input
			return cmd.Run()
		})
	})
}

// measure reports the median beside the mean.
func measure(b *testing.B, f func() error) {
	b.Helper()
	var times []time.Duration
	for b.Loop() {
		began := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "ms-median")
}
