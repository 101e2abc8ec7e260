package main_test

import (
	"fmt"
	"math/rand/v2"
	"os"
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
