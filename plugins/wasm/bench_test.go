package wasm_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/plugins/wasm"
)

// BenchmarkCall measures a call from its trigger to its one event and its end.
func BenchmarkCall(b *testing.B) {
	b.Run("bare", func(b *testing.B) { benchmark(b, write(b, command(1, nil))) })
	b.Run("c", func(b *testing.B) { benchmark(b, compileC(b)) })
	b.Run("go", func(b *testing.B) {
		file := filepath.Join(b.TempDir(), "echo.wasm")
		if err := buildGo("./testdata/echo", file); err != nil {
			b.Fatal(err)
		}
		benchmark(b, file)
	})
}

// compileC builds the C program with clang, lld and wasi-libc, as in Debian.
func compileC(b *testing.B) string {
	b.Helper()
	file := filepath.Join(b.TempDir(), "echo.wasm")
	build := exec.CommandContext(b.Context(), "clang", "--target=wasm32-wasi", "-O2", "-o", file, "testdata/echo.c")
	if out, err := build.CombinedOutput(); err != nil {
		b.Skipf("no clang with wasi-libc: %v\n%s", err, out)
	}
	return file
}

func benchmark(b *testing.B, file string) {
	h := newHost(b, wasm.Config{})
	began := time.Now()
	p, err := h.Load(b.Context(), file)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	compiled := time.Since(began)
	limits := usual
	limits.Memory = 64 << 20
	c := plugins.Call{
		Name: "bench", Input: []byte(`{"trigger":"try"}`), Limits: limits,
		Output: func([]byte) error { return nil }, Log: func([]byte) {}, TooLong: func(int) {},
	}
	var times []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		if err := p.Call(b.Context(), c); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "ms-median")
	b.ReportMetric(float64(compiled.Milliseconds()), "ms-compile")
}

// BenchmarkLoaded measures what a loaded module takes while nothing calls it.
func BenchmarkLoaded(b *testing.B) {
	const count = 100
	for b.Loop() {
		h := newHost(b, wasm.Config{})
		reload(b, h, 0)
		before := resident(b)
		var loaded []plugins.Program
		for n := range count {
			p, err := h.Load(b.Context(), write(b, version(n+1)))
			if err != nil {
				b.Fatal(err)
			}
			quietCall(b.Context(), p, plugins.Call{}).wantLines(b)
			loaded = append(loaded, p)
		}
		b.ReportMetric(float64(resident(b)-before)/count/1024, "KiB/module")
		for _, p := range loaded {
			if err := p.Close(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
