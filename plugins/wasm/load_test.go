package wasm_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/plugins/wasm"
)

// importing is a command that imports such a thing.
func importing(from, what string, kind ...byte) []byte {
	imports := section(2, vector(join(name(from), name(what), kind)))
	start := section(7, vector(join(name("_start"), []byte{0, 0})))
	return join(head, functionType, imports, start)
}

func exporting(what string) []byte {
	return join(head, functionType, section(3, vector([]byte{0})),
		section(7, vector(join(name(what), []byte{0, 0}))), section(10, vector([]byte{2, 0, 0x0b})))
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	whole := command(1, nil)
	for _, c := range []struct {
		title string
		file  []byte
		says  string
	}{
		{"empty", nil, "it is empty"},
		{"a script", []byte("#!/bin/sh\n"), "it is not a WebAssembly module"},
		{"text", []byte("  (module)"), "as text: assemble it"},
		{"a component", []byte("\x00asm\x0d\x00\x01\x00"), "component (WASI preview 2): build it for preview 1"},
		{"another version", []byte("\x00asm\x02\x00\x00\x00"), "not of version 1"},
		{"cut off", whole[:len(whole)-3], "damaged, incomplete"},
		{"a length beyond the end", append(whole[:len(whole):len(whole)], 0, 0xff, 0xff, 0xff, 0xff, 0x0f), "damaged"},
		{"no functions", head, "no _start function"},
		{"a library", exporting("_initialize"), "library (it has _initialize, but no _start): build a command"},
		{"no command", exporting("main"), "no _start function"},
		{"invalid code", command(1, nil, 0x6a), "invalid function"},
		{"an import for browsers", importing("gojs", "runtime.wasmExit", 0, 0), `"runtime.wasmExit" from "gojs", which Wallcast doesn't offer: it was built for browsers; build it with GOOS=wasip1`},
		{"an import from env", importing("env", "puts", 0, 0), `"puts" from "env", which Wallcast doesn't offer: perhaps a function that was declared, but not linked`},
		{"an import of an unknown function", importing("wasi_snapshot_preview1", "sock_open", 0, 0), `"sock_open" from "wasi_snapshot_preview1", which has none of that name`},
		{"an import of another type", importing("wasi_snapshot_preview1", "fd_write", 0, 0), `"fd_write" from "wasi_snapshot_preview1" with other parameters`},
		{"imported memory", importing("env", "memory", 2, 0, 1), `imports its memory ("memory" from "env")`},
		{"an imported table", importing("env", "table", 1, 0x70, 0, 1), `imports "table" from "env", which is no function`},
		{"four billion functions", join(head, section(3, []byte{0xff, 0xff, 0xff, 0xff, 0x0f})), "more than 300000 functions"},
		{"four billion parameters", join(head, section(1, []byte{1, 0x60, 0xff, 0xff, 0xff, 0xff, 0x0f})), "more than 300000"},
		{"four billion elements", join(head, section(9, []byte{1, 0, 0x41, 0, 0x0b, 0xff, 0xff, 0xff, 0xff, 0x0f})), "more than 300000"},
		{"four billion variables", join(head, section(10, []byte{1, 8, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0x0b})), "more than 50000 variables in a function"},
		{"data that is not there", join(head, section(11, []byte{1, 0, 0x41, 0, 0x0b, 0xff, 0xff, 0xff, 0xff, 0x0f})), "damaged"},
		{"too short a count", join(head, section(3, []byte{1, 0, 0})), "damaged"},
		{"a table too large", command(1, section(4, vector([]byte{0x70, 0, 0xff, 0xff, 0xff, 0x7f}))), "a table with 268435455 entries; 1048576 are allowed"},
	} {
		t.Run(c.title, func(t *testing.T) {
			file := write(t, c.file)
			_, err := newHost(t, wasm.Config{}).Load(t.Context(), file)
			if err == nil || !strings.HasPrefix(err.Error(), "loading "+file+": ") || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

// Names are believed by the engine as well; without them, a module runs.
func TestNamesThatAreNotThere(t *testing.T) {
	for _, names := range [][]byte{{1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f}, {2, 5, 0xff, 0xff, 0xff, 0xff, 0x0f}, {1, 0xff}} {
		p := load(t, append(command(1, nil), section(0, join(name("name"), names))...))
		call(t, t.Context(), p, plugins.Call{}).wantLines(t)
	}
}

func TestLoadNeedsAFile(t *testing.T) {
	h := newHost(t, wasm.Config{})
	folder := t.TempDir()
	large := filepath.Join(folder, "large.wasm")
	if err := os.WriteFile(large, head, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 64<<20+1); err != nil {
		t.Fatal(err)
	}
	for file, says := range map[string]string{
		folder: "not a file", large: "more than 64 MiB", filepath.Join(folder, "none"): "no such file",
	} {
		if _, err := h.Load(t.Context(), file); err == nil || !strings.Contains(err.Error(), says) {
			t.Error(file, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Load(ctx, write(t, command(1, nil))); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// FuzzLoad: whatever is in a file, loading it ends with a program or an error.
func FuzzLoad(f *testing.F) {
	f.Add(command(1, nil, 0x10, 0))
	f.Add(command(1, section(4, vector([]byte{0x70, 1, 1, 2}))))
	f.Add(importing("env", "memory", 2, 0, 1))
	h, err := wasm.New(wasm.Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { h.Close() })
	f.Fuzz(func(t *testing.T, content []byte) {
		if !bytes.HasPrefix(content, head) {
			content = append(head[:8:8], content...)
		}
		p, err := h.Load(t.Context(), write(t, content))
		if err != nil {
			return
		}
		// A table as a module declares it must not take what a run's limit forbids.
		quietCall(t.Context(), p, plugins.Call{Limits: plugins.Limits{Time: 20_000_000, Memory: 1 << 20}})
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

// table.grow by 2^20 entries, which is refused, else a trap.
func TestTablesCannotGrowWithoutEnd(t *testing.T) {
	// ref.null func, i32.const 1<<20, table.grow 0, i32.const -1, i32.ne, if unreachable end
	code := []byte{0xd0, 0x70, 0x41, 0x80, 0x80, 0xc0, 0, 0xfc, 0x0f, 0, 0x41, 0x7f, 0x47, 0x04, 0x40, 0x00, 0x0b}
	table := section(4, vector([]byte{0x70, 0, 1}))
	call(t, t.Context(), load(t, command(1, table, code...)), plugins.Call{}).wantLines(t)
	code[3] = 0x90 // 16 more fit
	code[4], code[5], code[6] = 0x80, 0x80, 0
	call(t, t.Context(), load(t, command(1, table, code...)), plugins.Call{}).want(t, plugins.Exit, -1, "unreachable")
}

func TestCompiledCodeIsKept(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "cache")
	file := write(t, command(1, nil))
	files := func() (all []string) {
		found, _ := filepath.Glob(filepath.Join(folder, "*", "*"))
		return found
	}
	run := func() {
		t.Helper()
		h, err := wasm.New(wasm.Config{Cache: folder})
		if err != nil {
			t.Fatal(err)
		}
		p, err := h.Load(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		call(t, t.Context(), p, plugins.Call{}).wantLines(t)
		if err := h.Close(); err == nil || !strings.Contains(err.Error(), "1 are still loaded") {
			t.Error(err)
		}
		for range 2 {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
	run()
	made := files()
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 || len(made) != 1 {
		t.Fatal(err, made)
	}
	run()
	// A damaged cache costs time only.
	if err := os.WriteFile(made[0], []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	run()
	if again := files(); len(again) != 1 {
		t.Error(again)
	}
}

func TestACacheThatIsNoFolder(t *testing.T) {
	if _, err := wasm.New(wasm.Config{Cache: write(t, nil)}); err == nil || !strings.HasPrefix(err.Error(), "opening the folder for compiled plugins: ") {
		t.Error(err)
	}
}
