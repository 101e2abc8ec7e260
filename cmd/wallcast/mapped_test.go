package main_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMapThroughCrashes kills the program while a map makes none, one or several
// events of each line of a file: each is on the wall once, in order.
func TestMapThroughCrashes(t *testing.T) {
	folder, address := t.TempDir(), freeAddress(t)
	lines, err := os.Create(filepath.Join(folder, "lines.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	const configuration = `
walls: {main: {keep: {events: 5000}}}
sources:
  lines:
    file: {path: lines.txt, mode: follow, from: start}
    only: test("^#") | not
    map: |
      split(":") as [$name, $times]
      | range($times | tonumber)
      | {kind: "made", data: {title: "\($name).\(. + 1)"}}
`
	var want []string
	written := 0
	write := func(n int) {
		var text strings.Builder
		for range n {
			times := rand.N(5)
			if rand.N(4) == 0 {
				fmt.Fprintf(&text, "# nothing to see\n")
			}
			fmt.Fprintf(&text, "%d:%d\n", written, times)
			for k := range times {
				want = append(want, fmt.Sprintf("%d.%d", written, k+1))
			}
			written++
		}
		if _, err := lines.WriteString(text.String()); err != nil {
			t.Fatal(err)
		}
	}
	for range 12 {
		write(20)
		p := serveConfig(t, folder, address, configuration)
		write(10)
		time.Sleep(rand.N(120 * time.Millisecond))
		p.kill()
	}
	p := serveConfig(t, folder, address, configuration)
	var got []string
	for end := time.Now().Add(time.Minute); len(got) < len(want) && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		got = p.titles("made")
	}
	if !slices.Equal(got, want) {
		t.Errorf("the wall has %d events, and the map makes %d:\n%s", len(got), len(want), strings.Join(got, ", "))
	}
}

// wallcast runs a command beside the program.
func wallcast(t *testing.T, folder string, args ...string) string {
	t.Helper()
	path, err := buildProgram()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("wallcast %q: %v: %s", args, err, out)
	}
	return string(out)
}

// TestHeldEventsOfASource lets what a map makes wait for a moderator: it waits
// once, also when it was decided about and the program is killed.
func TestHeldEventsOfASource(t *testing.T) {
	folder, address := t.TempDir(), freeAddress(t)
	const configuration = `
walls: {main: }
sources:
  lines:
    file: {path: lines.txt, mode: follow, from: start}
    only: . != "dropped"
    map: '{title: "\(.) first"}, {title: "\(.) second"}'
    hold: true
`
	if err := os.WriteFile(filepath.Join(folder, "lines.txt"), []byte("one\ndropped\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := serveConfig(t, folder, address, configuration)
	held := ""
	for end := time.Now().Add(time.Minute); strings.Count(held, "lines") < 4 && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		held = wallcast(t, folder, "held")
	}
	for n, title := range []string{"one first", "one second", "two first", "two second"} {
		if !strings.Contains(held, title) || strings.Contains(held, "dropped") {
			t.Errorf("number %d does not wait:\n%s", n, held)
		}
	}
	wallcast(t, folder, "held", "approve", "1")
	wallcast(t, folder, "held", "drop", "2", "3", "4")
	p.kill()
	p = serveConfig(t, folder, address, configuration)
	time.Sleep(500 * time.Millisecond) // what is held again comes at once
	if held := wallcast(t, folder, "held"); !strings.Contains(held, "nothing waits") {
		t.Errorf("after a restart there waits\n%s", held)
	}
	if got := p.titles("message"); !slices.Equal(got, []string{"one first"}) {
		t.Errorf("the wall has %q", got)
	}
}
