//go:build unix

package process_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/plugins/process"
)

// name is the plugin's in all runs: other tests may run at the same time.
var name = fmt.Sprintf("test-%d", os.Getpid())

// TestMain gives the tests a folder for temporary files that no others write to.
func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	folder, err := os.MkdirTemp("", "process-")
	if err == nil {
		defer os.RemoveAll(folder)
		err = errors.Join(os.Chmod(folder, 0o755), os.Setenv("TMPDIR", folder))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// outcome is what a run gave.
type outcome struct {
	lines   []string
	log     []string
	tooLong []int
	err     error
	took    time.Duration
}

// usual are limits that no test meets by accident.
var usual = plugins.Limits{Time: time.Minute, Memory: 256 << 20, Output: 64 << 20, Log: 64 << 10, Line: 64 << 10}

// write writes an executable file that every user can reach.
func write(t testing.TB, content string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.Chmod(filepath.Dir(folder), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "plugin")
	if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

func load(t testing.TB, file string) plugins.Program {
	t.Helper()
	p, err := process.Host{}.Load(t.Context(), file)
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

// sh loads a shell script.
func sh(t testing.TB, script string) plugins.Program {
	t.Helper()
	return load(t, write(t, "#!/bin/sh\n"+script))
}

// python loads a Python script.
func python(t testing.TB, script string) plugins.Program {
	t.Helper()
	if _, err := os.Stat("/usr/bin/python3"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("there is no Python")
	}
	return load(t, write(t, "#!/usr/bin/python3\n"+script))
}

// compile builds a Go program.
func compile(t testing.TB, source string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", "program", "main.go")
	build.Dir = folder
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(folder, "program")
}

// call runs p once. What is absent in c is as usual. It fails the test if
// something is left of the run.
func call(t testing.TB, ctx context.Context, p plugins.Program, c plugins.Call) outcome {
	t.Helper()
	before := look()
	o := quietCall(ctx, p, c)
	before.compare(t)
	return o
}

// quietCall is call without the check, for runs at the same time.
func quietCall(ctx context.Context, p plugins.Program, c plugins.Call) outcome {
	var o outcome
	output, log, tooLong := c.Output, c.Log, c.TooLong
	c.Name = cmp.Or(c.Name, name)
	c.Output = func(line []byte) error {
		o.lines = append(o.lines, string(line))
		if output != nil {
			return output(line)
		}
		return nil
	}
	c.Log = func(line []byte) {
		o.log = append(o.log, string(line))
		if log != nil {
			log(line)
		}
	}
	c.TooLong = func(number int) {
		o.tooLong = append(o.tooLong, number)
		if tooLong != nil {
			tooLong(number)
		}
	}
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

// run is call with nothing special.
func run(t testing.TB, p plugins.Program) outcome {
	t.Helper()
	return call(t, t.Context(), p, plugins.Call{Input: []byte(`{}`)})
}

// present is what a run could leave behind.
type present struct {
	goroutines, descriptors int
	children                string
	folders                 []string
	marked                  string // processes with a plugin's environment
}

func look() present {
	p := present{goroutines: runtime.NumGoroutine()}
	p.folders, _ = filepath.Glob(filepath.Join(os.TempDir(), "wallcast-plugin-*"))
	if descriptors, err := os.ReadDir("/proc/self/fd"); err == nil {
		p.descriptors = len(descriptors)
	}
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		data, _ := os.ReadFile(list)
		p.children += string(data)
	}
	environments, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range environments {
		if data, _ := os.ReadFile(file); bytes.Contains(data, []byte("WALLCAST_PLUGIN="+name+"\x00")) {
			p.marked += " " + filepath.Dir(file)
		}
	}
	return p
}

// compare fails the test if there is more than there was.
func (p present) compare(t testing.TB) {
	t.Helper()
	now := look()
	// A goroutine that has said its last word may be still there for an instant.
	for deadline := time.Now().Add(2 * time.Second); now.goroutines > p.goroutines && time.Now().Before(deadline); {
		runtime.Gosched()
		now.goroutines = runtime.NumGoroutine()
	}
	if now.goroutines > p.goroutines {
		stacks := make([]byte, 64<<10)
		t.Errorf("%d goroutines, there were %d\n%s", now.goroutines, p.goroutines, stacks[:runtime.Stack(stacks, true)])
	}
	if now.descriptors > p.descriptors {
		t.Errorf("%d descriptors, there were %d", now.descriptors, p.descriptors)
	}
	if now.children != p.children {
		t.Errorf("children %q, they were %q", now.children, p.children)
	}
	if now.marked != p.marked {
		t.Errorf("processes of a plugin: %q, they were %q", now.marked, p.marked)
	}
	if len(now.folders) > len(p.folders) {
		t.Errorf("folders %q, they were %q", now.folders, p.folders)
	}
}

// want checks the reason of a failed call, and that its text says something.
func (o outcome) want(t testing.TB, reason plugins.Reason, code int, text string) {
	t.Helper()
	var failed *plugins.CallError
	if !errors.As(o.err, &failed) {
		t.Fatalf("the error is %v, want a *CallError with %q", o.err, reason)
	}
	if failed.Reason != reason || failed.Code != code || !strings.Contains(failed.Error(), text) {
		t.Errorf("reason %q, code %d, %q; want %q, %d, %q\nlog: %q", failed.Reason, failed.Code, failed, reason, code, text, o.log)
	}
}

// numbers are the lines from 1 to n.
func numbers(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprint(i + 1)
	}
	return lines
}

func loadError(t testing.TB, file string) error {
	t.Helper()
	_, err := process.Host{}.Load(t.Context(), file)
	if err == nil || !strings.HasPrefix(err.Error(), "loading "+file+": ") {
		t.Fatalf("loading %s: %v", file, err)
	}
	return err
}
