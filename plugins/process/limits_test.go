//go:build unix

package process_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wallcast/wallcast/plugins"
)

// within is how long after its time a run may last on a busy computer.
const within = 2 * time.Second

func timeout(t *testing.T, p plugins.Program, limit time.Duration) outcome {
	t.Helper()
	o := call(t, t.Context(), p, plugins.Call{Limits: plugins.Limits{Time: limit}})
	o.want(t, plugins.Timeout, -1, "took longer than "+limit.String())
	if o.took < limit || o.took > limit+within {
		t.Errorf("it took %s, its time was %s", o.took, limit)
	}
	return o
}

func TestTimeout(t *testing.T) {
	for name, script := range map[string]string{
		"sleeps":                     `echo said; exec sleep 60`,
		"spins":                      `echo said; while :; do :; done`,
		"grandchild holds stdout":    `echo said; (sleep 60; echo late) & wait`,
		"ignores signals":            `trap '' TERM HUP INT; echo said; sleep 60; sleep 60`,
		"stops itself":               `echo said; kill -STOP $$`,
		"group of its own":           `set -m; echo said; sleep 60 & wait`,
		"writes on in other session": `echo said; setsid sh -c 'while :; do sleep 1; done' & sleep 60`,
	} {
		t.Run(name, func(t *testing.T) {
			if o := timeout(t, sh(t, script), 300*time.Millisecond); !slices.Equal(o.lines, []string{"said"}) {
				t.Errorf("%q", o.lines)
			}
		})
	}
}

func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	o := call(t, ctx, sh(t, `echo ready; sleep 60 & wait`), plugins.Call{Output: func([]byte) error {
		cancel(errors.New("the server stops"))
		return nil
	}})
	o.want(t, plugins.Stopped, -1, "the server stops")
	if o.took > 10*time.Second {
		t.Errorf("it took %s", o.took)
	}
}

func TestRightsOfFolderTakenAway(t *testing.T) {
	run(t, sh(t, `mkdir -p a/b/c; touch a/b/c/file; chmod 0 a/b/c a/b a .`))
}

func linux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has these limits")
	}
}

func TestLimitsAreSet(t *testing.T) {
	linux(t)
	o := call(t, t.Context(), sh(t, `exec cat /proc/self/limits`), plugins.Call{Limits: plugins.Limits{Memory: 64 << 20}})
	for name, want := range map[string]string{
		"Max data size": "67108864 67108864", "Max file size": "268435456 268435456", "Max core file size": "0 0", "Max open files": "256 256",
	} {
		line := slices.IndexFunc(o.lines, func(line string) bool { return strings.HasPrefix(line, name) })
		if line < 0 || !strings.HasPrefix(strings.Join(strings.Fields(o.lines[line][len(name):]), " "), want) {
			t.Errorf("%s: want %s in %q", name, want, o.lines)
		}
	}
}

func TestFurtherRights(t *testing.T) {
	linux(t)
	o := run(t, sh(t, `grep -E '^(NoNewPrivs|CapEff|CapPrm|Groups|Uid):' /proc/self/status; cat /proc/self/oom_score_adj; cut -d' ' -f19 /proc/self/stat; ls /proc/self/fd | wc -l; id -u`))
	all := strings.Join(o.lines, "\n")
	for _, want := range []string{"NoNewPrivs:\t1", "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "\n1000\n"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if os.Geteuid() == 0 && (strings.Contains(all, "Uid:\t0") || !strings.Contains(all, "Groups:\t \n")) {
		t.Errorf("it runs as root, or with its groups:\n%s", all)
	}
}

func TestMemoryHog(t *testing.T) {
	linux(t)
	p := python(t, `
import sys
held = []
try:
    while True:
        held.append(bytearray(1 << 20))
except MemoryError:
    n = len(held)
    held = None
    print(n)
    sys.exit(9)
`)
	o := call(t, t.Context(), p, plugins.Call{Limits: plugins.Limits{Memory: 64 << 20}})
	o.want(t, plugins.Exit, 9, "exit code 9")
	if len(o.lines) != 1 || len(o.lines[0]) != 2 || o.lines[0] > "64" {
		t.Errorf("it got %q MiB", o.lines)
	}
}

func TestForkBombs(t *testing.T) {
	linux(t)
	for name, script := range map[string]string{
		"tree":          `bomb() { bomb | bomb & }; (bomb) 2>/dev/null; exec sleep 60`,
		"loop":          `(while :; do sleep 60 & done) 2>/dev/null; exec sleep 60`,
		"new sessions":  `(while :; do setsid sh -c 'sleep 60 & sleep 60' & done) 2>/dev/null; exec sleep 60`,
		"dies and goes": `bomb() { setsid sh -c '(exec setsid "$0" 1) & (exec setsid "$0" 1) &' "$0" & }; bomb; [ -n "$1" ] || exec sleep 60`,
	} {
		t.Run(name, func(t *testing.T) { timeout(t, sh(t, script), time.Second) })
	}
}

func TestNothingIsLeft(t *testing.T) {
	linux(t)
	for name, script := range map[string]string{
		"session":     `setsid sleep 60 & sleep 0.1; echo done`,
		"double fork": `(setsid sh -c 'sleep 60 & sleep 60 & exit' &); echo done`,
		"clean":       `env -i setsid /bin/sh -c 'while :; do sleep 1; done' >/dev/null 2>&1 & sleep 0.1; echo done`,
		"holds pipe":  `(trap '' HUP TERM; setsid sh -c 'sleep 60; echo late' & ); echo done`,
	} {
		o := run(t, sh(t, script))
		if o.err != nil || !slices.Equal(o.lines, []string{"done"}) || o.took > 10*time.Second {
			t.Errorf("%s: %q, %v, %s", name, o.lines, o.err, o.took)
		}
	}
}

// A run's daemon lasts as long as the run, whatever other runs end meanwhile.
func TestOthersAreLeftAlone(t *testing.T) {
	linux(t)
	before := look()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready, ended := make(chan struct{}), make(chan outcome, 1)
	long := sh(t, `(setsid sh -c 'while [ ! -e go ]; do sleep 0.02; done; touch gone' &) ; sleep 0.1; echo ready
cat >/dev/null; touch go; while [ ! -e gone ]; do sleep 0.02; done; echo gone`)
	go func() {
		ended <- quietCall(ctx, long, plugins.Call{Open: true, Grace: 20 * time.Second, Output: func(line []byte) error {
			if string(line) == "ready" {
				close(ready)
			}
			return nil
		}})
	}()
	<-ready
	if o := quietCall(t.Context(), sh(t, `setsid sleep 60 & sleep 0.1; echo short`), plugins.Call{}); o.err != nil {
		t.Error(o.err)
	}
	cancel()
	if o := <-ended; o.err != nil || !slices.Equal(o.lines, []string{"ready", "gone"}) {
		t.Errorf("%q, %v, %q", o.lines, o.err, o.log)
	}
	before.compare(t)
}

// Orphans that end while a run goes on are not kept as zombies, which would use
// up its processes.
func TestOrphansAreReaped(t *testing.T) {
	linux(t)
	o := run(t, sh(t, `i=0; while [ $i -lt 600 ]; do i=$((i+1)); (true &); [ $((i % 100)) = 0 ] && sleep 0.4; done; echo done`))
	if o.err != nil || !slices.Equal(o.lines, []string{"done"}) || len(o.log) > 0 {
		t.Errorf("%q, %v, log %q", o.lines, o.err, o.log)
	}
}

func TestClosedFolder(t *testing.T) {
	python(t, "") // or skip
	file := write(t, "#!/usr/bin/python3\nimport json, os\nprint(os.path.exists(__file__))\nraise ValueError('here')\n")
	o := run(t, load(t, file))
	o.want(t, plugins.Exit, 1, "exit code 1")
	if !strings.Contains(strings.Join(o.log, "\n"), file) {
		t.Errorf("the traceback doesn't name %s: %q", file, o.log)
	}
	if err := os.Chmod(filepath.Dir(filepath.Dir(file)), 0o700); err != nil {
		t.Fatal(err)
	}
	o = run(t, load(t, file))
	o.want(t, plugins.Exit, 1, "exit code 1")
	if !slices.Equal(o.lines, []string{"True"}) {
		t.Errorf("%q, log %q", o.lines, o.log)
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chmod(file, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := loadError(t, file); !strings.Contains(err.Error(), "chmod a+rx") {
		t.Error(err)
	}
}
