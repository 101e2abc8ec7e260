package main_test

import (
	"bufio"
	"flag"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

var wallCount = flag.Int("walls", 200, "how many walls the test of many walls has")

// TestManyWalls measures what walls cost that nobody watches, beside a program
// with one wall. NATS keeps a stream for each; the rest is to cost next to nothing.
//
//	go test ./cmd/wallcast -run TestManyWalls -walls 1000 -v
func TestManyWalls(t *testing.T) {
	if _, err := buildProgram(); err != nil { // or the first start would take long
		t.Fatal(err)
	}
	n := *wallCount
	one := measureWalls(t, 1)
	many := measureWalls(t, n)
	t.Logf("one wall:   %s", one)
	t.Logf("%d walls: %s", n, many)
	perWall := func(of func(wallCosts) int) float64 { return float64(of(many)-of(one)) / float64(n-1) }
	t.Logf("a wall costs %.1f kB, %.2f goroutines, %.2f files; after a start %.1f kB",
		perWall(func(c wallCosts) int { return c.memory })/1000, perWall(func(c wallCosts) int { return c.goroutines }),
		perWall(func(c wallCosts) int { return c.files }), perWall(func(c wallCosts) int { return c.restartedMemory })/1000)
	for _, test := range []struct {
		what      string
		got, most float64
	}{
		{"goroutines a wall", perWall(func(c wallCosts) int { return c.goroutines }), 4},
		{memoryOfAWall, perWall(func(c wallCosts) int { return c.memory }) / 1000, 200},
		{"files a wall", perWall(func(c wallCosts) int { return c.files }), 1.5},
		{"milliseconds a wall to start", float64((many.start - one.start).Milliseconds()) / float64(n-1), 30},
		{"milliseconds a wall to start again", float64((many.restart - one.restart).Milliseconds()) / float64(n-1), 15},
		{"milliseconds a wall to stop", float64((many.stop - one.stop).Milliseconds()) / float64(n-1), 10},
	} {
		if test.got > test.most && (test.what != memoryOfAWall || !raceDetector()) {
			t.Errorf("%.1f %s, want at most %.1f", test.got, test.what, test.most)
		}
	}
}

// The race detector needs memory of its own.
const memoryOfAWall = "kilobytes a wall"

// wallCosts is what a program needs at rest.
type wallCosts struct {
	start, restart, stop    time.Duration
	memory, restartedMemory int // resident bytes
	goroutines, files       int
}

func (c wallCosts) String() string {
	return fmt.Sprintf("created and ready within %s, stopped within %s, ready again within %s; %d MB (%d MB after the start), %d goroutines, %d files",
		c.start.Round(time.Millisecond), c.stop.Round(time.Millisecond), c.restart.Round(time.Millisecond), c.memory/1e6, c.restartedMemory/1e6, c.goroutines, c.files)
}

func measureWalls(t *testing.T, n int) (c wallCosts) {
	t.Helper()
	var configuration strings.Builder
	configuration.WriteString("walls:\n  main: {}\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&configuration, "  wall-%d: {}\n", i)
	}
	folder, address := t.TempDir(), freeAddress(t)
	began := time.Now()
	p := serveConfig(t, folder, address, configuration.String())
	c.start = time.Since(began)

	m := p.metrics()
	c.memory, c.goroutines, c.files = m["process_resident_memory_bytes"], m["go_goroutines"], p.openFiles()

	began = time.Now()
	p.stop()
	c.stop = time.Since(began)
	began = time.Now()
	p = startProgram(t, folder, address, "serve")
	c.restart = time.Since(began)
	c.restartedMemory = p.metrics()["process_resident_memory_bytes"]
	p.publish("", "it works")
	p.stop()
	return c
}

// metrics are the program's figures about itself.
func (p *process) metrics() map[string]int {
	p.t.Helper()
	_, text := p.status("/metrics", http.StatusOK)
	return parseMetrics(text)
}

func parseMetrics(text string) map[string]int {
	all := map[string]int{}
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if f, err := strconv.ParseFloat(value, 64); err == nil {
			all[name] = int(f)
		}
	}
	return all
}
