//go:build unix

package process_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wallcast/wallcast/plugins"
)

func TestContract(t *testing.T) {
	t.Setenv("WALLCAST_SECRET", "hunter2")
	t.Setenv("TZ", "Europe/Vienna")
	p := sh(t, `cat
echo one; printf 'two\r\n'; echo; printf '\377\000x\n'; echo log >&2; printf three
pwd >&2; ls -A >&2; env >&2; touch file`)
	o := call(t, t.Context(), p, plugins.Call{
		Input: []byte(`{"trigger":"try"}`),
		Allow: plugins.Allow{Environment: map[string]string{"COLOUR": "red", "LANG": "de_AT.UTF-8"}},
	})
	if o.err != nil {
		t.Fatal(o.err)
	}
	if diff := cmp.Diff([]string{`{"trigger":"try"}`, "one", "two", "", "\xff\x00x", "three"}, o.lines); diff != "" {
		t.Error(diff)
	}
	if o.log[0] != "log" {
		t.Errorf("log %q", o.log)
	}
	folder := o.log[1]
	slices.Sort(o.log[2:])
	want := []string{
		"COLOUR=red", "HOME=" + folder, "LANG=de_AT.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"PWD=" + folder, "TMPDIR=" + folder, "TZ=Europe/Vienna", "WALLCAST_PLUGIN=" + name,
	}
	if diff := cmp.Diff(want, slices.DeleteFunc(o.log[2:], func(line string) bool {
		return strings.HasPrefix(line, "OLDPWD=") || strings.HasPrefix(line, "_=") || strings.HasPrefix(line, "SHLVL=")
	})); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestSlowReaderLosesNothing(t *testing.T) {
	p := sh(t, `i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo $i; done`)
	want := numbers(2000)
	for range 50 {
		var once sync.Once
		o := call(t, t.Context(), p, plugins.Call{Output: func([]byte) error {
			// All that the program writes fits a pipe, so that it has long ended
			// when the reader goes on.
			once.Do(func() { time.Sleep(20 * time.Millisecond) })
			return nil
		}})
		if o.err != nil || !slices.Equal(o.lines, want) {
			t.Fatalf("%d lines, error %v", len(o.lines), o.err)
		}
	}
}

// A reader that takes longer than the streams may stay open after the end gets
// what was written all the same.
func TestReaderSlowerThanTheDrain(t *testing.T) {
	p := sh(t, `i=0; while [ $i -lt 10000 ]; do i=$((i+1)); echo $i; done`)
	var once sync.Once
	o := call(t, t.Context(), p, plugins.Call{Output: func([]byte) error {
		once.Do(func() { time.Sleep(900 * time.Millisecond) })
		return nil
	}})
	if o.err != nil || !slices.Equal(o.lines, numbers(10000)) {
		t.Fatalf("%d lines, error %v", len(o.lines), o.err)
	}
}

func TestLinesComeAsTheyAreWritten(t *testing.T) {
	p := sh(t, `echo first; read line; read line; echo "$line"`)
	ctx, cancel := context.WithCancel(t.Context())
	o := call(t, ctx, p, plugins.Call{Input: []byte("{}"), Open: true, Grace: time.Minute, Output: func(line []byte) error {
		if string(line) == "first" {
			cancel() // which closes standard input, without which there is no second
		}
		return nil
	}})
	if o.err != nil || !slices.Equal(o.lines, []string{"first", ""}) {
		t.Errorf("%q, error %v", o.lines, o.err)
	}
}

func TestOverlongLines(t *testing.T) {
	p := sh(t, `echo before; head -c 1048576 /dev/zero | tr '\0' x; echo
printf '1234567890\r\n12345678901\n12345678901\r\n'; echo after; printf '123456789012'`)
	o := call(t, t.Context(), p, plugins.Call{Limits: plugins.Limits{Line: 10}})
	if o.err != nil || !slices.Equal(o.lines, []string{"before", "1234567890", "after"}) || !slices.Equal(o.tooLong, []int{2, 4, 5, 7}) {
		t.Errorf("%q, too long %v, error %v", o.lines, o.tooLong, o.err)
	}
}

func TestOutputLimit(t *testing.T) {
	o := call(t, t.Context(), sh(t, `exec yes | head -c 10000000000`), plugins.Call{Limits: plugins.Limits{Output: 1 << 20}})
	o.want(t, plugins.Output, -1, "more than 1048576 bytes")
	if len(o.lines) != 1<<19 {
		t.Errorf("%d lines", len(o.lines))
	}
	o = call(t, t.Context(), sh(t, `printf 12345678`), plugins.Call{Limits: plugins.Limits{Output: 8}})
	if o.err != nil || !slices.Equal(o.lines, []string{"12345678"}) {
		t.Errorf("exactly the limit: %q, %v", o.lines, o.err)
	}
}

func TestRefusedOutput(t *testing.T) {
	refusal := errors.New("not to this wall")
	o := call(t, t.Context(), sh(t, `while :; do echo x; done`), plugins.Call{Output: func([]byte) error { return refusal }})
	o.want(t, plugins.Refused, -1, "not to this wall")
	if !errors.Is(o.err, refusal) || len(o.lines) != 1 {
		t.Errorf("%v, %d lines", o.err, len(o.lines))
	}
}

func TestLogFlood(t *testing.T) {
	o := call(t, t.Context(), sh(t, `head -c 5000000 /dev/zero | tr '\0' '\n' >&2; echo done`), plugins.Call{Limits: plugins.Limits{Log: 1000}})
	if o.err != nil || !slices.Equal(o.lines, []string{"done"}) {
		t.Errorf("%q, %v", o.lines, o.err)
	}
	if len(o.log) != 1001 || o.log[1000] != "… 4999000 bytes more were left out" {
		t.Errorf("%d lines, at last %q", len(o.log), o.log[len(o.log)-1])
	}
	o = call(t, t.Context(), sh(t, `echo short >&2; echo 123456789 >&2; printf 'crlf\r\n' >&2; printf end >&2`), plugins.Call{Limits: plugins.Limits{Line: 5}})
	if diff := cmp.Diff([]string{"short", "12345", "crlf", "end", "… 4 bytes more were left out"}, o.log); diff != "" {
		t.Error(diff)
	}
}

func TestInputThatNobodyReads(t *testing.T) {
	big := []byte(`{"x":"` + strings.Repeat("y", 10<<20) + `"}`)
	for name, script := range map[string]string{
		"ends at once": `echo done`,
		"closes it":    `exec 0<&-; echo done; sleep 0.05`,
		"reads a bit":  `head -c 100 >/dev/null; echo done`,
	} {
		o := call(t, t.Context(), sh(t, script), plugins.Call{Input: big})
		if o.err != nil || !slices.Equal(o.lines, []string{"done"}) || o.took > 10*time.Second {
			t.Errorf("%s: %q, %v, %s", name, o.lines, o.err, o.took)
		}
	}
	o := call(t, t.Context(), sh(t, `wc -c`), plugins.Call{Input: big})
	if o.err != nil || strings.TrimSpace(o.lines[0]) != "10485769" {
		t.Errorf("reads all: %q, %v", o.lines, o.err)
	}
}

func TestEnds(t *testing.T) {
	for script, want := range map[string]struct {
		code int
		text string
	}{
		`exit 3`:        {3, "exit code 3"},
		`kill -SEGV $$`: {-1, "killed by signal: segmentation fault"},
		`kill -KILL $$`: {-1, "killed by signal: killed; not by Wallcast"},
	} {
		run(t, sh(t, script)).want(t, plugins.Exit, want.code, want.text)
	}
	// What goes on in the background ends with the first process, which counts.
	o := run(t, sh(t, `(sleep 60; echo late) & echo now`))
	if o.err != nil || !slices.Equal(o.lines, []string{"now"}) || o.took > 10*time.Second {
		t.Errorf("%q, %v, %s", o.lines, o.err, o.took)
	}
}

func TestOpen(t *testing.T) {
	start := func(script string, grace time.Duration) outcome {
		t.Helper()
		ctx, cancel := context.WithCancelCause(t.Context())
		return call(t, ctx, sh(t, script), plugins.Call{Open: true, Grace: grace, Input: []byte(`{"trigger":"stream"}`), Output: func(line []byte) error {
			if string(line) == "ready" {
				cancel(errors.New("the server stops"))
			}
			return nil
		}})
	}
	o := start(`read first; echo "$first"; echo ready; read second; echo bye`, time.Minute)
	if o.err != nil || !slices.Equal(o.lines, []string{`{"trigger":"stream"}`, "ready", "bye"}) {
		t.Errorf("%q, %v", o.lines, o.err)
	}
	start(`echo ready; cat >/dev/null; exit 4`, time.Minute).want(t, plugins.Exit, 4, "exit code 4")
	o = start(`echo ready; sleep 60`, 100*time.Millisecond)
	o.want(t, plugins.Stopped, -1, "went on for 100ms after the end of its standard input: the server stops")
	if o.took < 100*time.Millisecond || o.took > 10*time.Second {
		t.Errorf("it took %s", o.took)
	}
	if o := call(t, t.Context(), sh(t, `echo a`), plugins.Call{Open: true, Grace: time.Minute}); o.err != nil || !slices.Equal(o.lines, []string{"a"}) {
		t.Errorf("ended by itself: %q, %v", o.lines, o.err)
	}
}

func TestLoadFinds(t *testing.T) {
	for content, want := range map[string]string{
		"":                                  "it is empty",
		"echo hello\n":                      "text without an interpreter: a script begins with a line such as #!/bin/sh",
		strings.Repeat("a", 255) + "ö":      "text without an interpreter",
		"#!/usr/local/bin/absent\n":         "its interpreter /usr/local/bin/absent is not there",
		"#!/bin/sh\r\necho hello\r\n":       "save it with Unix line ends",
		"#!\necho":                          "names no interpreter",
		"#!/etc/passwd\n" + "not a program": "/etc/passwd is not there or may not be executed",
	} {
		if err := loadError(t, write(t, content)); !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", content, err)
		}
	}
	file := write(t, "#!/bin/sh\n")
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := loadError(t, file); !strings.Contains(err.Error(), "chmod +x") {
		t.Error(err)
	}
	if err := loadError(t, t.TempDir()); !strings.Contains(err.Error(), "it is no file") {
		t.Error(err)
	}
	if err := loadError(t, file+"-absent"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestStartErrors(t *testing.T) {
	run(t, load(t, write(t, "\x7fELF\x00nothing"))).want(t, plugins.Start, -1, "doesn't know how to run it")
	p := sh(t, `echo x`)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the server stops"))
	call(t, ctx, p, plugins.Call{}).want(t, plugins.Stopped, -1, "the server stops")
	o := call(t, t.Context(), p, plugins.Call{Allow: plugins.Allow{Environment: map[string]string{"A": "b\x00c"}}})
	o.want(t, plugins.Start, -1, "invalid argument")
	file := write(t, "#!/bin/sh\n")
	p = load(t, file)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	run(t, p).want(t, plugins.Start, -1, "is not there")
}

// A file that was just written may be open in a process that is being started.
func TestBusyFile(t *testing.T) {
	file := write(t, "")
	echo, err := exec.LookPath("echo")
	if err != nil {
		t.Skip("there is no echo")
	}
	data, err := os.ReadFile(echo)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	p := load(t, file)
	timer := time.AfterFunc(20*time.Millisecond, func() { f.Close() })
	defer timer.Stop()
	if o := quietCall(t.Context(), p, plugins.Call{}); o.err != nil {
		t.Error(o.err)
	}
}

func TestManyAtOnce(t *testing.T) {
	p := sh(t, `read line; echo "$line"; (setsid sleep 60 &) ; i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo $i; done`)
	before := look()
	var group sync.WaitGroup
	for n := range 32 {
		group.Go(func() {
			for range 3 {
				o := quietCall(t.Context(), p, plugins.Call{Input: []byte(numbers(n + 1)[n])})
				if o.err != nil || !slices.Equal(o.lines, append(numbers(n + 1)[n:], numbers(100)...)) {
					t.Errorf("%q, %v, log %q", o.lines, o.err, o.log)
				}
			}
		})
	}
	group.Wait()
	before.compare(t)
}
