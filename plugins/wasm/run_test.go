package wasm_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wallcast/wallcast/plugins"
)

// client is what the guest asks with.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func TestARunReadsItsTriggerAndPrintsLines(t *testing.T) {
	act(t, `say {"data":"hello"}`).wantLines(t, `{"data":"hello"}`)
	act(t, "rest\nsecond").wantLines(t, `"second\n"`)
	o := act(t, "count 20000")
	if o.err != nil || len(o.lines) != 20000 || o.lines[19999] != "20000" {
		t.Error(o.err, len(o.lines))
	}
	act(t, "partial").wantLines(t, `{"data":"whole"}`, `{"data":"par`)
}

func TestLinesComeWhileTheModuleRuns(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	call(t, ctx, guest(t), plugins.Call{Input: []byte("spin"), Output: func([]byte) error {
		cancel()
		return nil
	}}).want(t, plugins.Stopped, -1, "context canceled")
}

func TestExits(t *testing.T) {
	o := act(t, "exit 3")
	o.want(t, plugins.Exit, 3, "ended with exit code 3")
	if !slices.Equal(o.log, []string{"leaving"}) {
		t.Errorf("%q", o.log)
	}
	o = act(t, "panic")
	o.want(t, plugins.Exit, 2, "ended with exit code 2")
	if len(o.log) == 0 || !strings.Contains(o.log[0], "at the guest's") {
		t.Errorf("%q", o.log)
	}
	act(t, "exit 0").wantLines(t)
}

func TestTraps(t *testing.T) {
	for _, trap := range []struct {
		says string
		code []byte
	}{
		{"gave up at an unreachable instruction", []byte{0x00}},
		{"called functions within functions too deeply", []byte{0x10, 0}},
		{"used memory that it does not have", []byte{0x41, 0x7f, 0x28, 2, 0, 0x1a}},
		{"divided by zero", []byte{0x41, 1, 0x41, 0, 0x6d, 0x1a}},
	} {
		p := load(t, command(1, nil, trap.code...))
		call(t, t.Context(), p, plugins.Call{}).want(t, plugins.Exit, -1, trap.says)
	}
}

func TestATrapSaysWhere(t *testing.T) {
	names := section(0, join(name("name"), []byte{1}, name(string(vector(join([]byte{0}, name("boom")))))))
	p := load(t, append(command(1, nil, 0x00), names...))
	call(t, t.Context(), p, plugins.Call{}).want(t, plugins.Exit, -1, "(in boom)")
}

// slack is how much later than its time a run may end, on a busy computer.
const slack = 2 * time.Second

func TestTimeIsUp(t *testing.T) {
	loop := load(t, command(1, nil, 0x03, 0x40, 0x0c, 0, 0x0b))
	for what, p := range map[string]plugins.Program{
		"spin": guest(t), "sleep 1h": guest(t), "flood log": guest(t), "loop": loop,
	} {
		t.Run(what, func(t *testing.T) {
			const limit = 300 * time.Millisecond
			o := call(t, t.Context(), p, plugins.Call{Input: []byte(what), Limits: plugins.Limits{Time: limit}})
			o.want(t, plugins.Timeout, -1, "longer than 300ms")
			if o.took < limit || o.took > limit+slack {
				t.Error("took", o.took)
			}
		})
	}
}

func TestALongReadOfRandomnessEndsInTime(t *testing.T) {
	// random_get(0, 256 MiB)
	code := []byte{0, 0x41, 0, 0x41, 0x80, 0x80, 0x80, 0x80, 1, 0x10, 0, 0x1a, 0x0b}
	p := load(t, join(head,
		section(1, vector([]byte{0x60, 0, 0}, []byte{0x60, 2, 0x7f, 0x7f, 1, 0x7f})),
		section(2, vector(join(name("wasi_snapshot_preview1"), name("random_get"), []byte{0, 1}))),
		section(3, vector([]byte{0})), section(5, vector([]byte{0, 0x80, 0x20})),
		section(7, vector(join(name("_start"), []byte{0, 1}))), section(10, vector(append([]byte{byte(len(code))}, code...)))))
	whole := call(t, t.Context(), p, plugins.Call{})
	whole.wantLines(t)
	o := call(t, t.Context(), p, plugins.Call{Limits: plugins.Limits{Time: whole.took / 10}})
	o.want(t, plugins.Timeout, -1, "longer")
	if o.took > whole.took*2/3 {
		t.Errorf("took %s, without a limit %s", o.took, whole.took)
	}
}

func TestTheCallersEndStopsARun(t *testing.T) {
	why := errors.New("the wall is closed")
	for _, what := range []string{"spin", "sleep 1h"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		o := call(t, ctx, guest(t), plugins.Call{Input: []byte(what), Output: func([]byte) error {
			cancel(why)
			return nil
		}})
		o.want(t, plugins.Stopped, -1, "the wall is closed")
		if !errors.Is(o.err, why) || o.took > 10*time.Second {
			t.Error(o.err, o.took)
		}
		if o := call(t, ctx, guest(t), plugins.Call{}); o.reason() != plugins.Stopped || o.took > slack {
			t.Error(o.err, o.took)
		}
	}
}

func TestMemoryHasALimit(t *testing.T) {
	o := call(t, t.Context(), guest(t), plugins.Call{Input: []byte("allocate 1000"), Limits: plugins.Limits{Memory: 64 << 20}})
	o.want(t, plugins.Memory, -1, "it wanted more memory than the 67108864 bytes that it may have, and then ended with exit code 2")
	call(t, t.Context(), guest(t), plugins.Call{Input: []byte("allocate 30"), Limits: plugins.Limits{Memory: 64 << 20}}).wantLines(t, "allocated")
	call(t, t.Context(), guest(t), plugins.Call{Input: []byte("allocate 30"), Limits: plugins.Limits{Memory: 32 << 20}}).want(t, plugins.Memory, -1, "")

	p := load(t, command(200, nil))
	call(t, t.Context(), p, plugins.Call{Limits: plugins.Limits{Memory: 200<<16 - 1}}).want(t, plugins.Memory, -1, "it needs 13107200 bytes of memory to begin with, and may have 13107199")
	call(t, t.Context(), p, plugins.Call{Limits: plugins.Limits{Memory: 200 << 16}}).wantLines(t)
}

// A guest that is refused memory and goes on as well without is none of our
// business.
func TestMemoryThatIsRefusedIsTheGuestsToHandle(t *testing.T) {
	grow := []byte{0x41, 0x80, 0x80, 1, 0x40, 0, 0x1a} // i32.const 16384, memory.grow, drop
	p := load(t, command(1, nil, grow...))
	call(t, t.Context(), p, plugins.Call{}).wantLines(t)
	p = load(t, command(1, nil, append(grow, 0x00)...))
	call(t, t.Context(), p, plugins.Call{}).want(t, plugins.Memory, -1, "gave up at an unreachable")
}

func TestOutputHasALimit(t *testing.T) {
	o := call(t, t.Context(), guest(t), plugins.Call{Input: []byte("flood out"), Limits: plugins.Limits{Output: 100_000}})
	o.want(t, plugins.Output, -1, "it wrote more than 100000 bytes to its standard output")
	if len(o.lines) != 100_000/601 || o.took > 10*time.Second {
		t.Error(len(o.lines), o.took)
	}
	o = call(t, t.Context(), guest(t), plugins.Call{Input: []byte("log 2000"), Limits: plugins.Limits{Log: 1000}})
	if o.err != nil || len(o.log) < 50 || len(o.log) > 90 || !strings.HasSuffix(o.log[len(o.log)-1], "bytes more were left out") {
		t.Error(o.err, len(o.log), o.log[len(o.log)-1])
	}
}

func TestOverlongLinesAreReported(t *testing.T) {
	o := call(t, t.Context(), guest(t), plugins.Call{Input: []byte("long 100000")})
	o.wantLines(t, "a", "b")
	if !slices.Equal(o.tooLong, []int{2}) {
		t.Error(o.tooLong)
	}
	if o := act(t, "noise"); o.err != nil {
		t.Error(o.err)
	}
}

func TestARefusedLineEndsTheRun(t *testing.T) {
	no := errors.New("not on this wall")
	for _, what := range []string{"flood out", "partial"} {
		last := ""
		o := call(t, t.Context(), guest(t), plugins.Call{Input: []byte(what), Output: func(line []byte) error {
			last = string(line)
			if what == "partial" && len(line) > 12 {
				return nil
			}
			return no
		}})
		o.want(t, plugins.Refused, -1, "not on this wall")
		if !errors.Is(o.err, no) || o.lines[len(o.lines)-1] != last || len(o.lines) > 2 {
			t.Error(o.err, len(o.lines))
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("WALLCAST_SECRET", "hidden")
	o := call(t, t.Context(), guest(t), plugins.Call{
		Name: "radio", Input: []byte("environment"), Allow: plugins.Allow{Environment: map[string]string{"KEY": "a b=c"}},
	})
	if o.err != nil || len(o.lines) != 2 || o.lines[1] != `["radio"]` {
		t.Fatal(o.err, o.lines)
	}
	for _, want := range []string{"KEY=a b=c", "LANG=C.UTF-8", "WALLCAST_PLUGIN=radio"} {
		if !strings.Contains(o.lines[0], want) {
			t.Errorf("no %q in %q", want, o.lines[0])
		}
	}
	if strings.Contains(o.lines[0], "hidden") || strings.Contains(o.lines[0], "PATH") {
		t.Error(o.lines[0])
	}
}

func TestClocksAndRandomnessAreReal(t *testing.T) {
	before := time.Now()
	o := act(t, "clock")
	var at, slept int64
	if len(o.lines) != 1 {
		t.Fatal(o.err, o.lines)
	}
	if _, err := fmt.Sscan(o.lines[0], &at, &slept); err != nil {
		t.Fatal(err)
	}
	if at < before.UnixNano() || at > time.Now().UnixNano() || slept < int64(20*time.Millisecond) {
		t.Error(o.lines[0], before.UnixNano())
	}
	a, b := act(t, "random 16"), act(t, "random 16")
	if a.err != nil || len(a.lines) != 1 || len(a.lines[0]) != 32 || a.lines[0] == b.lines[0] {
		t.Error(a, b)
	}
}

func TestAnOpenRunStopsWhenItsInputEnds(t *testing.T) {
	for _, what := range []string{"wait", "wait stubborn", "sleep 1h"} {
		t.Run(what, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			o := call(t, ctx, guest(t), plugins.Call{
				Input: []byte(what), Open: true, Grace: 300 * time.Millisecond,
				Output: func(line []byte) error {
					cancel(errors.New("enough"))
					return nil
				},
			})
			if what == "wait" {
				o.wantLines(t, "waiting", "stopping")
				return
			}
			o.want(t, plugins.Stopped, -1, "went on for 300ms after the end of its standard input: enough")
			if o.took > 10*time.Second {
				t.Error("took", o.took)
			}
		})
	}
}

func TestManyRunsAtOnce(t *testing.T) {
	p := guest(t)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			switch o := quietCall(t.Context(), p, plugins.Call{Name: strconv.Itoa(i), Input: []byte("say " + strconv.Itoa(i))}); {
			case o.err != nil || !slices.Equal(o.lines, []string{strconv.Itoa(i)}):
				t.Error(i, o.err, o.lines)
			}
			o := quietCall(t.Context(), p, plugins.Call{Input: []byte("exit 7")})
			var failed *plugins.CallError
			if !errors.As(o.err, &failed) || failed.Code != 7 {
				t.Error(o.err)
			}
			if i%8 == 0 {
				o := quietCall(t.Context(), p, plugins.Call{Input: []byte("spin"), Limits: plugins.Limits{Time: 50 * time.Millisecond}})
				if o.reason() != plugins.Timeout {
					t.Error(o.err)
				}
			}
		})
	}
	wg.Wait()
}
