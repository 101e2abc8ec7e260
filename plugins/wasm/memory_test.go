package wasm_test

import (
	"encoding/binary"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/plugins/wasm"
)

// resident is how much memory the process has, in bytes, after what is free was
// given back.
func resident(t testing.TB) int64 {
	t.Helper()
	for range 3 { // compiled code is freed by finalizers
		runtime.GC()
	}
	debug.FreeOSMemory()
	return field(t, "VmRSS:")
}

// field reads a size from what Linux says of the process.
func field(t testing.TB, name string) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("this system doesn't say how much memory is used")
	}
	_, rest, _ := strings.Cut(string(status), name)
	n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// version is a module of about 100 KB, of which every version has other code.
func version(n int) []byte {
	const functions = 400
	code := []byte{0, 0x41} // no locals; i32.const n
	code = append(code, byte(n&0x7f|0x80), byte(n>>7&0x7f|0x80), byte(n>>14&0x3f))
	for range 60 {
		code = append(code, 0x41, 3, 0x6a, 0x41, 5, 0x6c) // add 3, multiply by 5
	}
	code = append(code, 0x1a, 0x0b)
	body := append(binary.AppendUvarint(nil, uint64(len(code))), code...)
	var types, bodies [][]byte
	for range functions {
		types, bodies = append(types, []byte{0}), append(bodies, body)
	}
	return join(head, functionType, section(3, vector(types...)), section(5, vector([]byte{0, 1})),
		section(7, vector(join(name("_start"), []byte{0, 0}))), section(10, vector(bodies...)))
}

// reload loads a version, runs it and closes it.
func reload(t testing.TB, h *wasm.Host, n int) {
	t.Helper()
	p, err := h.Load(t.Context(), write(t, version(n)))
	if err != nil {
		t.Fatal(err)
	}
	quietCall(t.Context(), p, plugins.Call{}).wantLines(t)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestReloadsLeaveMemoryFlat(t *testing.T) {
	h := newHost(t, wasm.Config{})
	for n := range 20 {
		reload(t, h, n)
	}
	before := resident(t)
	for n := range 200 {
		reload(t, h, 20+n)
	}
	if more := resident(t) - before; more > 10<<20 {
		t.Errorf("200 reloads have taken %d bytes", more)
	}
}

func TestAnAllocatingGuestTakesNoMoreThanItsLimit(t *testing.T) {
	p := guest(t)
	before := resident(t)
	if os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) != nil { // the peak begins anew
		t.Skip("this system doesn't measure the peak anew")
	}
	const limit = 64 << 20
	call(t, t.Context(), p, plugins.Call{Input: []byte("allocate 1000"), Limits: plugins.Limits{Memory: limit}}).want(t, plugins.Memory, -1, "")
	peak, after := field(t, "VmHWM:"), resident(t)
	if peak-before > limit+32<<20 || peak-before < limit/2 {
		t.Errorf("the peak was %d bytes above what there was, with a limit of %d", peak-before, limit)
	}
	if after-before > 8<<20 {
		t.Errorf("%d bytes are still taken", after-before)
	}
}

func TestRunsLeaveNoMemory(t *testing.T) {
	// i32.const 0, i32.const 1, i32.const 65536, memory.fill
	p := load(t, command(1, nil, 0x41, 0, 0x41, 1, 0x41, 0x80, 0x80, 4, 0xfc, 0x0b, 0))
	run := func(n int) {
		for range n {
			quietCall(t.Context(), p, plugins.Call{}).wantLines(t)
		}
	}
	run(200)
	before := resident(t)
	run(3000)
	if more := resident(t) - before; more > 32<<20 {
		t.Errorf("3000 runs have taken %d bytes", more)
	}
}
