package main_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Before its files run out, the program tells viewers that it is full, and goes
// on to serve all others.
func TestFewFiles(t *testing.T) {
	p := serveConfig(t, t.TempDir(), freeAddress(t), "")
	const limit = 220
	if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: limit}, nil); err != nil {
		t.Fatal(err)
	}
	var in []*guest
	full := 0
	for range limit {
		if g := p.visit(""); g.isIn() {
			in = append(in, g)
		} else {
			full++
		}
	}
	if len(in) < 60 || full < 30 {
		t.Errorf("%d viewers are in, %d were told that it is full", len(in), full)
	}
	id := p.publish("", "is still possible")
	for _, g := range in {
		g.awaits(id)
	}
	p.status("/walls/main", http.StatusOK)
	p.status("/readyz", http.StatusOK)

	// Connections that only wait for a next request make way.
	for _, g := range in {
		g.conn.Close()
	}
	for began := time.Now(); p.openFiles() > 60; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatalf("%d files are still open", p.openFiles())
		}
	}
	for range 150 {
		conn, err := net.Dial("tcp", p.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", p.address)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	for began := time.Now(); !p.visit("").isIn(); time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatal("idle connections keep viewers out")
		}
	}
	if said := p.said.String(); strings.Contains(said, "too many open files") || !strings.Contains(said, "LimitNOFILE") {
		t.Error("the program said: ", said)
	}
}
