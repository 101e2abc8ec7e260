package main_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// liveTime is how long an event, or another plugin, may take while hostile
// plugins run, on a computer that is busy with them. Nobody waits longer than a
// second elsewhere.
const liveTime = 5 * time.Second

// hostileActs are what the plugins in testdata/hostile do, and what is then found
// in their logs, and as the reason in their dead letters where they have one.
var hostileActs = []struct {
	act, logged, reason string
	processOnly         bool
	events              int // that are stored
}{
	{act: "bomb", reason: "timeout", processOnly: true},
	{act: "spin", reason: "timeout"},
	{act: "sleep", reason: "timeout"},
	{act: "allocate", reason: "(memory|exit)"},
	{act: "flood", reason: "output"},
	{act: "lines", reason: "output"},
	{act: "stderr", logged: "bytes more were left out"},
	{act: "partial", logged: "line 2 of its output was left out: it is not valid JSON", events: 1},
	{act: "noise", logged: "of its output was left out: it is not UTF-8"},
	{act: "elsewhere", logged: `event 1 of the call was not stored: .*other`, events: 1},
	{act: "markup", logged: "of its output was left out: .*kind", events: 10},
}

// TestHostilePlugins lets strangers' plugins do their worst, all at the same time,
// while a page is open and others go on.
func TestHostilePlugins(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux bounds the number of a plugin's processes")
	}
	module := hostileModule(t)
	script, err := os.ReadFile("testdata/hostile/hostile.sh")
	if err != nil {
		t.Fatal(err)
	}
	need(t, "python3")
	folder := t.TempDir()
	settings := townWall + "  other: {}\nsources:\n  well: {plugin: {http: true, timeout: 30s}, to: wall.main.well}\n"
	var names []string
	stored := 0
	for _, form := range []string{"process", "module"} {
		for _, a := range hostileActs {
			if form == "module" && (a.processOnly || module == "") {
				continue
			}
			name := form + "-" + a.act
			names = append(names, name)
			stored += a.events
			settings += fmt.Sprintf("  %s: {plugin: {http: true, timeout: 4s, memory: 64MB, output: 512KB, retries: 0}, to: wall.main.hostile}\n", name)
		}
	}
	p := serveConfig(t, folder, freeAddress(t), settings)
	for _, name := range append(names, "well") {
		content, ending := string(script), ".sh"
		if strings.HasPrefix(name, "module-") {
			content, ending = module, ".wasm"
		}
		p.drop(name+ending, content)
		if out := p.command("trust", name); !strings.Contains(out, "trust") {
			t.Fatal(out)
		}
	}
	p.await("all are ready", func() bool { return strings.Count(p.command("plugin", "list"), " ready ") == len(names)+1 })
	b := newTab(t, startBrowser(t))
	b.openLive(p.url + "/walls/main")
	if took := p.answers(b, 0); took > liveTime {
		t.Fatalf("before anything happens it takes %s", took)
	}

	for _, name := range names {
		if status := p.fire(name, "go"); status != http.StatusAccepted {
			t.Errorf("the hook of %s answered %d", name, status)
		}
	}
	var took []time.Duration
	for end, n := time.Now().Add(6*time.Second), 1; time.Now().Before(end); n++ {
		took = append(took, p.answers(b, n))
	}
	slices.Sort(took)
	t.Logf("meanwhile a card of another plugin took %v, at most %v", took[len(took)/2], took[len(took)-1])
	if took[len(took)-1] > liveTime {
		t.Errorf("meanwhile it took %v", took)
	}
	p.reported(names)
	if n := strings.Count(p.said.String(), "source=process-noise"); n > 64 {
		t.Errorf("of a plugin that prints noise the log has %d lines", n)
	}

	// What they could store is on the wall, and looks as it should.
	list := regexp.MustCompile(`wall\.main\.hostile +(\d+) `).FindAllStringSubmatch(p.command("plugin", "list"), -1)
	sum := 0
	for _, row := range list {
		n, err := strconv.Atoi(row[1])
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	if len(list) != len(names) || sum != stored {
		t.Errorf("%d hostile plugins have stored %d events, want %d with %d", len(list), sum, len(names), stored)
	}
	last := p.publish("", "the last")
	looksWell(b, last)
	b.openLive(p.url + "/walls/main")
	looksWell(b, last)
	for _, name := range []string{"flooded", "intruder", "forged", "half"} {
		if slices.ContainsFunc(p.history(), func(e string) bool { return strings.Contains(e, name) }) {
			t.Errorf("the wall holds what must not be stored: %s", name)
		}
	}
	if _, answer := p.status("/walls/other", http.StatusOK); strings.Contains(answer, "intruder") {
		t.Errorf("a plugin wrote to a wall that it may not write to: %s", answer)
	}
	p.stop()
}

// hostileModule returns the module, or "" where it can't be built.
func hostileModule(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hostile.wasm")
	out, err := exec.Command("clang", "--target=wasm32-wasi", "-O1", "-o", file, "testdata/hostile/hostile.c").CombinedOutput()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("building a module in C: %v\n%s", err, out)
		}
		t.Logf("no modules, for want of clang with wasi-libc: %v\n%s", err, out)
		return ""
	}
	module, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(module)
}

// answers publishes an event and fires a plugin that does nothing bad, and returns
// how long it took until the page showed both.
func (p *process) answers(b *tab, n int) time.Duration {
	p.t.Helper()
	before := eval[int](b, `put.length`)
	began := time.Now()
	id := p.publish("", fmt.Sprint("meanwhile ", n))
	b.shows(id)
	wells := p.wells()
	if status := p.fire("well", "go"); status != http.StatusAccepted {
		p.t.Errorf("the hook of a plugin that does nothing bad answered %d", status)
	}
	p.await("another plugin answers", func() bool { return p.wells() > wells })
	b.until(fmt.Sprintf(`put.length >= %d`, before+2))
	return time.Since(began)
}

// wells is how many events the plugin that does nothing bad has made.
func (p *process) wells() int {
	p.t.Helper()
	return strings.Count(strings.Join(p.history(), ""), "well done")
}

// reported wants each hostile plugin's fault in its logs or dead letters.
func (p *process) reported(names []string) {
	p.t.Helper()
	for _, name := range names {
		form, act, _ := strings.Cut(name, "-")
		for _, a := range hostileActs {
			if a.act != act {
				continue
			}
			var logs, dead string
			logged := regexp.MustCompile(a.logged)
			reason := regexp.MustCompile(`http +1 +` + a.reason + ` `)
			p.await(name+" is reported", func() bool {
				logs, dead = p.command("plugin", "logs", name), p.command("plugin", "dead", name)
				return logged.MatchString(logs) && (a.reason == "" || reason.MatchString(dead))
			})
			if a.reason == "" && !strings.Contains(dead, "it has failed on nothing") {
				p.t.Errorf("%s, a %s, has dead letters: %s", name, form, dead)
			}
			if len(logs) > 1<<20 {
				p.t.Errorf("the log of %s has %d bytes", name, len(logs))
			}
		}
	}
}
