package wasm_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/plugins/wasm"
)

// shared are what all tests use: a host, and the guest in testdata.
var shared struct {
	folder string
	build  sync.Once
	err    error
	host   *wasm.Host
	guest  plugins.Program
}

func TestMain(m *testing.M) {
	var err error
	if shared.folder, err = os.MkdirTemp("", "wallcast-wasm-test-"); err != nil {
		panic(err)
	}
	code := m.Run()
	if shared.guest != nil {
		err = errors.Join(shared.guest.Close(), shared.host.Close())
	}
	if err = errors.Join(err, os.RemoveAll(shared.folder)); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// guest returns the guest, built and loaded once.
func guest(t testing.TB) plugins.Program {
	t.Helper()
	shared.build.Do(func() {
		file := filepath.Join(shared.folder, "guest.wasm")
		if shared.err = buildGo("./testdata/guest", file); shared.err != nil {
			return
		}
		if shared.host, shared.err = wasm.New(wasm.Config{Cache: filepath.Join(shared.folder, "cache"), Client: client}); shared.err != nil {
			return
		}
		shared.guest, shared.err = shared.host.Load(context.Background(), file)
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.guest
}

// buildGo builds a Go program for WASI.
func buildGo(source, file string) error {
	build := exec.Command("go", "build", "-o", file, source)
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return errors.New(string(out))
	}
	return nil
}

func newHost(t testing.TB, c wasm.Config) *wasm.Host {
	t.Helper()
	h, err := wasm.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// write writes a module's file.
func write(t testing.TB, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "plugin.wasm")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// load loads a module into a host of its own.
func load(t testing.TB, content []byte) plugins.Program {
	t.Helper()
	p, err := newHost(t, wasm.Config{}).Load(t.Context(), write(t, content))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// vector is a list of things in a module.
func vector(items ...[]byte) []byte {
	all := binary.AppendUvarint(nil, uint64(len(items)))
	for _, item := range items {
		all = append(all, item...)
	}
	return all
}

func name(text string) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(text))), text...)
}

func section(id byte, content []byte) []byte {
	return append(append([]byte{id}, binary.AppendUvarint(nil, uint64(len(content)))...), content...)
}

func join(parts ...[]byte) []byte {
	var all []byte
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

var head = []byte("\x00asm\x01\x00\x00\x00")

// functionType is that of a function without parameters and results.
var functionType = section(1, vector([]byte{0x60, 0, 0}))

// command is a module whose _start has this code, and further sections: before
// are those up to the memory section, which has this many pages.
func command(pages uint64, before []byte, code ...byte) []byte {
	body := append(append([]byte{0}, code...), 0x0b)
	return join(head, functionType, section(3, vector([]byte{0})), before,
		section(5, vector(append([]byte{0}, binary.AppendUvarint(nil, pages)...))),
		section(7, vector(join(name("_start"), []byte{0, 0}), join(name("memory"), []byte{2, 0}))),
		section(10, vector(append(binary.AppendUvarint(nil, uint64(len(body))), body...))))
}

// outcome is what a run gave.
type outcome struct {
	lines   []string
	log     []string
	tooLong []int
	err     error
	took    time.Duration
}

func (o outcome) reason() plugins.Reason { return plugins.ReasonOf(o.err) }

// usual are limits that no test meets by accident.
var usual = plugins.Limits{Time: 2 * time.Minute, Memory: 256 << 20, Output: 64 << 20, Log: 64 << 10, Line: 64 << 10}

// call runs p once. What is absent in c is as usual. It fails the test if
// something is left of the run.
func call(t testing.TB, ctx context.Context, p plugins.Program, c plugins.Call) outcome {
	t.Helper()
	goroutines, descriptors := runtime.NumGoroutine(), descriptors()
	o := quietCall(ctx, p, c)
	leftovers(t, goroutines, descriptors)
	return o
}

func descriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

func leftovers(t testing.TB, goroutinesBefore, descriptorsBefore int) {
	t.Helper()
	// A goroutine that has said its last word may be still there for an instant.
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutinesBefore && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > goroutinesBefore {
		stacks := make([]byte, 64<<10)
		t.Errorf("%d goroutines, there were %d\n%s", n, goroutinesBefore, stacks[:runtime.Stack(stacks, true)])
	}
	if n := descriptors(); n > descriptorsBefore {
		t.Errorf("%d descriptors, there were %d", n, descriptorsBefore)
	}
}

// quietCall is call without the check, for runs at the same time.
func quietCall(ctx context.Context, p plugins.Program, c plugins.Call) outcome {
	var o outcome
	given, log := c.Output, c.Log
	c.Name = cmp.Or(c.Name, "test")
	c.Output = func(line []byte) error {
		o.lines = append(o.lines, string(line))
		if given != nil {
			return given(line)
		}
		return nil
	}
	c.Log = func(line []byte) {
		o.log = append(o.log, string(line))
		if log != nil {
			log(line)
		}
	}
	c.TooLong = func(number int) { o.tooLong = append(o.tooLong, number) }
	l := &c.Limits
	if !c.Open {
		l.Time = cmp.Or(l.Time, usual.Time)
	}
	l.Memory, l.Output, l.Log, l.Line = cmp.Or(l.Memory, usual.Memory), cmp.Or(l.Output, usual.Output), cmp.Or(l.Log, usual.Log), cmp.Or(l.Line, usual.Line)
	began := time.Now()
	o.err = p.Call(ctx, c)
	o.took = time.Since(began)
	return o
}

// act lets the guest do something.
func act(t testing.TB, what string) outcome {
	t.Helper()
	return call(t, t.Context(), guest(t), plugins.Call{Input: []byte(what)})
}

// want checks the reason of a failed call, and that its text says something.
func (o outcome) want(t testing.TB, reason plugins.Reason, code int, text string) {
	t.Helper()
	var failed *plugins.CallError
	if !errors.As(o.err, &failed) {
		t.Fatalf("the error is %v, want a *CallError with %q\n%q %q", o.err, reason, o.lines, o.log)
	}
	if failed.Reason != reason || failed.Code != code || !strings.Contains(failed.Error(), text) {
		t.Errorf("reason %q, code %d, %q; want %q, %d, %q\nlog: %q", failed.Reason, failed.Code, failed, reason, code, text, o.log)
	}
}

// wantLines checks what a run that went well has printed.
func (o outcome) wantLines(t testing.TB, lines ...string) {
	t.Helper()
	if o.err != nil || strings.Join(o.lines, "\n") != strings.Join(lines, "\n") {
		t.Errorf("%v, %q; want %q\nlog: %q", o.err, o.lines, lines, o.log)
	}
}
