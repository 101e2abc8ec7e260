//go:build unix

package examples_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/plugins/wasm"
)

// loadModule loads a WebAssembly module as wallcast does.
func loadModule(t *testing.T, file string) example {
	t.Helper()
	host, err := wasm.New(wasm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := host.Load(t.Context(), file)
	if err != nil {
		t.Fatal(errors.Join(err, host.Close()))
	}
	t.Cleanup(func() {
		if err := errors.Join(p.Close(), host.Close()); err != nil {
			t.Error(err)
		}
	})
	return example{t, p}
}

// compileC builds a module of a C file with the line that its comment shows.
func compileC(t *testing.T, source string) string {
	t.Helper()
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimSuffix(filepath.Base(source), ".c")
	line := "clang --target=wasm32-wasi -O2 -o plugins/" + name + ".wasm plugins/examples/" + source
	if !strings.Contains(string(text), line+"\n") {
		t.Errorf("%s does not say how it is built: %s", source, line)
	}
	file := filepath.Join(t.TempDir(), name+".wasm")
	build := exec.CommandContext(t.Context(), "clang", "--target=wasm32-wasi", "-O2", "-Wall", "-Wextra", "-Werror", "-o", file, source)
	if out, err := build.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" || !lacksWASI(err, out) {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Skip("clang, lld, wasi-libc or libclang-rt-dev-wasm32 is not installed")
	}
	return file
}

// lacksWASI reports whether nothing is wrong but that something is not installed.
func lacksWASI(err error, out []byte) bool {
	for _, sign := range []string{"'stdio.h' file not found", "wasm-ld", "libclang_rt.builtins", "No available targets"} {
		if strings.Contains(string(out), sign) {
			return true
		}
	}
	return errors.Is(err, exec.ErrNotFound)
}

func TestUnits(t *testing.T) {
	e := loadModule(t, compileC(t, "units/units.c"))
	answer := func(config, data string) (string, string, error) {
		events, _, log, err := e.run(plugins.Trigger{Trigger: plugins.On, Config: json.RawMessage(config), Input: object(
			`{"id":"e1-7","wall":"main","kind":"message","time":"2026-11-22T08:30:00Z","source":"a \"{[","data":%s}`, data)})
		return strings.Join(events, "\n"), log, err
	}
	for data, want := range map[string]string{
		`"75 °F today"`:                             "75 °F is 24 °C",
		`"it was -4°C, then 0.5 °C"`:                "-4 °C is 25 °F, 0.5 °C is 33 °F",
		`{"n":{"text":"1 mi"},"text":"75 \u00b0F"}`: "75 °F is 24 °C",
		`"26.2 miles at 6 mph"`:                     "26.2 miles is 42 km, 6 mph is 9.7 km/h",
		`"6 ft, 180 lbs; 5 km"`:                     "6 ft is 1.8 m, 180 lbs is 82 kg, 5 km is 3.1 mi",
		`"say \"5 mi\" or 5\\ 7 mi"`:                "5 mi is 8 km, 7 mi is 11 km",
		`"-40 °F"`:                                  "-40 °F is -40 °C",
		`"5 min, 5 kmh, v5 mi, 1,200 ft, https://x.example/5km, 10-20 mi, 1234567890 mi, 5"`: "",
		`""`: "", `"5"`: "", `"5 "`: "", `"-"`: "", `{"n":5}`: "", `{"text":["5 mi"]}`: "", `{"text":5}`: "",
		`"` + strings.Repeat("1 mi ", 12_000) + `"`: strings.TrimSuffix(strings.Repeat("1 mi is 1.6 km, ", 10), ", "),
	} {
		if want != "" {
			want = "e1-7  " + `{"text":"` + want + `"}`
		}
		if got, log, err := answer("null", data); got != want || err != nil || log != "" {
			t.Errorf("%.100s: it printed %q, want %q; %v, log %q", data, got, want, err, log)
		}
	}
	if got, _, err := answer(`{"x":[{"into":1}],"into":"imperial"}`, `"5 mi, 5 km"`); got != `e1-7  {"text":"5 km is 3.1 mi"}` || err != nil {
		t.Errorf("into imperial it printed %q, %v", got, err)
	}
	if _, log, err := answer(`{"into":"imp"}`, `"5 mi"`); plugins.ReasonOf(err) != plugins.Exit || log != "into is metric or imperial\n" {
		t.Errorf("%v, log %q", err, log)
	}
	events, _, _, err := e.run(plugins.Trigger{Trigger: plugins.HTTP, Input: object(`{"method":"POST","query":{},"header":{"a":"5 mi"},"body":"5 mi","json":null,"base64":false}`)})
	if diff := cmp.Diff([]string{`  {"text":"5 mi is 8 km"}`}, events); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if events, _, _, err := e.run(plugins.Trigger{Trigger: plugins.Every}); len(events) > 0 || err != nil {
		t.Errorf("%q, %v", events, err)
	}
}

// TestOneProgramBothWays runs one program as a process and as a module: for the
// same triggers it prints the same.
func TestOneProgramBothWays(t *testing.T) {
	build := func(file string, env ...string) string {
		t.Helper()
		file = filepath.Join(t.TempDir(), file)
		build := exec.CommandContext(t.Context(), "go", "build", "-o", file, "./reactions")
		build.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return file
	}
	executable := build("reactions")
	asProcess := load(t, executable, executable)
	asModule := loadModule(t, build("reactions.wasm", "GOOS=wasip1", "GOARCH=wasm"))
	type outcome struct {
		Events, Cursor, Log, Reason string
	}
	of := func(e example, trigger plugins.Trigger) outcome {
		events, cursor, log, err := e.run(trigger)
		return outcome{strings.Join(events, "\n"), string(cursor), log, string(plugins.ReasonOf(err))}
	}
	var cursor json.RawMessage
	for n, data := range []string{`"👍"`, `{"text":" <3 "}`, `"<3"`, `""`, `{"n":1}`, `"\u0001"`, `"` + strings.Repeat("x", 60_000) + `"`} {
		trigger := plugins.Trigger{Trigger: plugins.On, Cursor: cursor, Config: object(`{"title":"Well?"}`),
			Input: object(`{"id":"e-%d","wall":"main","kind":"reaction","time":"2026-11-22T08:30:00Z","data":%s}`, n, data)}
		one, other := of(asProcess, trigger), of(asModule, trigger)
		if diff := cmp.Diff(one, other); diff != "" {
			t.Errorf("%.50s: as a process and as a module: %s", data, diff)
		}
		if n < 3 && one.Events == "" {
			t.Errorf("%s: %+v", data, one)
		}
		cursor = json.RawMessage(one.Cursor)
	}
	if one, other := of(asProcess, plugins.Trigger{Trigger: plugins.Try}), of(asModule, plugins.Trigger{Trigger: plugins.Try}); one != other || one.Reason != string(plugins.Exit) {
		t.Error(fmt.Sprint(one, other))
	}
}
