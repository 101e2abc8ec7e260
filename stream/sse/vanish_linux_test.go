package sse_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wallcast/wallcast/stream/sse"
)

// A client that vanishes without a word, as one whose battery is empty, is
// found by the kernel: it acknowledges nothing any more.
func TestVanishedClient(t *testing.T) { inAllWays(t, checkVanishedClient) }

func checkVanishedClient(t *testing.T) {
	if way == "goroutines" {
		t.Skip("the connection is whoever's serves it")
	}
	m := newMemory("main")
	s := serve(t, sse.Config{Reader: m, WriteTimeout: 300 * time.Millisecond})
	lines := make(chan *net.TCPConn, 1)
	transport := anyClient.Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			lines <- conn.(*net.TCPConn)
		}
		return conn, err
	}
	resp := must((&http.Client{Transport: transport}).Do(must(http.NewRequestWithContext(t.Context(), http.MethodGet, s.url, nil))))
	defer resp.Body.Close()
	r := decode(t, resp.Body)
	r.next()
	deafen(t, <-lines)
	m.publish("message", "", "0")
	eventually(t, "a client that has vanished stays", func() bool { return s.TotalViewers() == 0 })
}

// deafen has the kernel drop whatever comes to a connection.
func deafen(t *testing.T, conn *net.TCPConn) {
	t.Helper()
	dropAll := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
	program := &unix.SockFprog{Len: uint16(len(dropAll)), Filter: &dropAll[0]}
	var err error
	if controlErr := must(conn.SyscallConn()).Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, program)
	}); controlErr != nil || err != nil {
		t.Skipf("packets can't be dropped here: %v, %v", controlErr, err)
	}
}
