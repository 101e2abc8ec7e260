package sse_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wallcast/wallcast/stream/sse"
)

// startTLS starts a server behind a listener of ours, as the program does.
func startTLS(server *httptest.Server, streams *sse.Server) {
	config := &tls.Config{Certificates: certificates, NextProtos: []string{"http/1.1"}}
	if server.EnableHTTP2 {
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetHTTP2(true)
	server.Listener = streams.ListenTLS(server.Listener, config)
	server.Start()
	server.URL = "https" + server.URL[len("http"):]
}

// certificates are those that httptest has.
var certificates = func() []tls.Certificate {
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	return server.TLS.Certificates
}()

// overTLS serves over TLS for one test.
func overTLS(t *testing.T, cfg sse.Config) *site {
	if runtime.GOOS != "linux" {
		t.Skip("connections are taken over on Linux alone")
	}
	way = "writers over TLS"
	defer func() { way = ways[0] }()
	return serve(t, cfg)
}

func TestViewersOverTLSTakeNoGoroutines(t *testing.T) {
	s := overTLS(t, sse.Config{Reader: newMemory("main")})
	s.dial("")
	eventually(t, "the viewer is not there", func() bool { return s.Viewers("main") == 1 })
	before := runtime.NumGoroutine()
	for range 100 {
		s.dial("")
	}
	eventually(t, "the viewers are not there", func() bool { return s.Viewers("main") == 101 })
	eventually(t, "viewers hold goroutines", func() bool { return runtime.NumGoroutine() < before+10 })
}

// Many viewers get everything once and in order, whichever version of TLS they
// speak, and while they come and go.
func TestManyViewersOverTLS(t *testing.T) {
	m := newMemory("main")
	s := overTLS(t, sse.Config{Reader: m, WindowEntries: 100})
	const viewers, events = 60, 400
	m.publish("message", "", "0") // all ask for what follows this one
	var all sync.WaitGroup
	begun := make(chan struct{}, viewers)
	for i := range viewers {
		all.Go(func() {
			version := []uint16{tls.VersionTLS12, tls.VersionTLS13}[i%2]
			conn, err := tls.Dial("tcp", s.http.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
			if err != nil {
				t.Error(err)
				begun <- struct{}{}
				return
			}
			defer conn.Close()
			fmt.Fprint(conn, "GET /walls/main/events?lastEventId=e1-0 HTTP/1.1\r\nHost: x\r\n\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			begun <- struct{}{}
			if err != nil {
				t.Error(err)
				return
			}
			next := 0
			for lines := bufio.NewScanner(resp.Body); next < events && lines.Scan(); {
				if number, ok := strings.CutPrefix(lines.Text(), "data: "); ok && !strings.HasPrefix(number, "{") {
					if number != fmt.Sprint(next) {
						t.Errorf("got %s, want %d", number, next)
						return
					}
					next++
				}
			}
			if next < events {
				t.Errorf("the stream ends before %d", next)
			}
		})
	}
	for range viewers / 2 { // the others come while it is published
		<-begun
	}
	for i := range events - 1 {
		m.publish("message", "", fmt.Sprint(i+1))
	}
	all.Wait()
	eventually(t, "viewers stay", func() bool { return s.Viewers("main") == 0 })
}

// A viewer that stops reading is dropped in time, and holds up no other, not even
// on the same connection.
func TestStuckHoldsUpNobody(t *testing.T) { inAllWays(t, checkStuckHoldsUpNobody) }

func checkStuckHoldsUpNobody(t *testing.T) {
	m := newMemory("main")
	s := serve(t, sse.Config{Reader: m, WriteTimeout: 300 * time.Millisecond})
	if way == "HTTP/2" {
		resp := s.get("", nil) // its body is not read
		defer resp.Body.Close()
	} else {
		s.dial("")
	}
	eventually(t, "the viewer is not there", func() bool { return s.Viewers("main") == 1 })
	quick, _ := s.watch("", "")
	big := strings.Repeat("x", 60<<10)
	for i := 0; s.Viewers("main") == 2; i++ {
		began := time.Now()
		m.publish("message", "", fmt.Sprint(i, " ", big))
		quick.wants(i, 1)
		if took := time.Since(began); took > 5*time.Second {
			t.Fatalf("an event took %s to the viewer that reads", took)
		}
		if i == 10_000 {
			t.Fatal("a viewer that reads nothing stays")
		}
	}
}

// A client may end its half of the connection, end TLS, or vanish.
func TestClientsLeaveOverTLS(t *testing.T) {
	s := overTLS(t, sse.Config{Reader: newMemory("main")})
	for name, leave := range map[string]func(*tls.Conn){
		"close":        func(c *tls.Conn) { c.Close() },
		"close_notify": func(c *tls.Conn) { c.CloseWrite() },
		"half close":   func(c *tls.Conn) { c.NetConn().(*net.TCPConn).CloseWrite() },
		"reset":        func(c *tls.Conn) { tcp := c.NetConn().(*net.TCPConn); tcp.SetLinger(0); tcp.Close() },
		"garbage":      func(c *tls.Conn) { fmt.Fprint(c.NetConn(), "this is no record of TLS") },
	} {
		t.Run(name, func(t *testing.T) {
			conn := s.dial("").(*tls.Conn)
			eventually(t, "the viewer is not there", func() bool { return s.Viewers("main") == 1 })
			leave(conn)
			eventually(t, "the viewer stays", func() bool { return s.Viewers("main") == 0 })
		})
	}
}

// A client may be gone before a writer has its connection.
func TestClientsLeaveAtOnceOverTLS(t *testing.T) {
	s := overTLS(t, sse.Config{Reader: newMemory("main")})
	for range 100 {
		conn := s.dial("").(*tls.Conn)
		if err := conn.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.ReadAll(conn); isTimeout(err) {
			t.Fatal("the viewer stays")
		}
	}
}

// What a client sends after its request is not read for ever, and does not end
// the stream.
func TestClientTalksOverTLS(t *testing.T) {
	m := newMemory("main")
	s := overTLS(t, sse.Config{Reader: m})
	conn := s.dial("")
	r := s.read(conn)
	r.next()
	for range 100 {
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	if _, err := io.Copy(conn, endless{}); err == nil {
		t.Error("all that a client sends is read")
	}
	m.publish("message", "", "0")
	r.wants(0, 1)
}

// endless is never read to its end.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// A stream over TLS ends as it should: with a bye, the last chunk, and TLS's own end.
func TestShutdownOverTLSIsClean(t *testing.T) {
	s := overTLS(t, sse.Config{Reader: newMemory("main")})
	line := &recorded{Conn: must(net.Dial("tcp", s.http.Listener.Addr().String()))}
	defer line.Close()
	conn := tls.Client(line, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}) // which shows the types of records
	fmt.Fprint(conn, "GET /walls/main/events HTTP/1.1\r\nHost: x\r\n\r\n")
	eventually(t, "the viewer is not there", func() bool { return s.Viewers("main") == 1 })
	shutdown(t, s.Server)
	said, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("the connection ends with %v", err)
	}
	if text := string(said); !strings.Contains(text, `"shutdown"`) || !strings.HasSuffix(text, "\r\n0\r\n\r\n") {
		t.Errorf("the stream ends with %q", text[max(0, len(text)-200):])
	}
	last := byte(0)
	for records := line.read; len(records) > 0; records = records[5+int(records[3])<<8+int(records[4]):] {
		last = records[0]
	}
	const alert = 21
	if last != alert {
		t.Errorf("the last record is of type %d, no alert", last)
	}
}

// recorded keeps what is read from it.
type recorded struct {
	net.Conn
	read []byte
}

func (r *recorded) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.read = append(r.read, b[:n]...)
	return n, err
}

// Of viewers that stop reading for a while, each gets its own records, whole and
// in order.
func TestSlowViewersOverTLS(t *testing.T) {
	m := newMemory("main")
	s := overTLS(t, sse.Config{Reader: m, WindowEntries: 20})
	var slow []net.Conn
	for range 8 { // more than there are writers
		slow = append(slow, s.dial(""))
	}
	eventually(t, "the viewers are not there", func() bool { return s.Viewers("main") == len(slow) })
	quick, _ := s.watch("", "")
	const n = 200
	for i := range n {
		m.publish("message", "", fmt.Sprintf("%d %060000d", i, 0))
		if i%10 == 9 {
			quick.wants(i-9, 10)
		}
	}
	for _, conn := range slow {
		s.read(conn).wants(0, n)
	}
}

// A handshake that comes to nothing holds up no other, and does not outlive the listener.
func TestTLSListener(t *testing.T) {
	inner := must(net.Listen("tcp", "127.0.0.1:0"))
	l := sse.New(sse.Config{Reader: newMemory("main")}).ListenTLS(inner, &tls.Config{Certificates: certificates})
	idle := must(net.Dial("tcp", inner.Addr().String()))
	defer idle.Close()
	go func() {
		conn, err := tls.Dial("tcp", inner.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err == nil {
			fmt.Fprint(conn, "x")
			conn.Close()
		}
	}()
	conn := must(l.Accept())
	if !conn.(*tls.Conn).ConnectionState().HandshakeComplete {
		t.Error("a connection is accepted before its handshake is over")
	}
	conn.Close()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	_ = idle.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := idle.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		t.Errorf("the handshake under way is not ended: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
}

func isTimeout(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) && netErr.Timeout()
}

// Who has another listener for TLS is served as well, with a goroutine for each viewer.
func TestOtherTLSListener(t *testing.T) {
	m := newMemory("main")
	s := sse.New(sse.Config{Reader: m, Drain: time.Millisecond})
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeEvents(w, r, "main")
	}))
	defer server.Close()
	stay, leave := must(server.Client().Get(server.URL)), must(server.Client().Get(server.URL))
	defer stay.Body.Close()
	r := decode(t, stay.Body)
	m.publish("message", "", "0")
	r.wants(0, 1)
	leave.Body.Close()
	eventually(t, "a client that has left stays", func() bool { return s.Viewers("main") == 1 })
	shutdown(t, s)
	if last := r.ended(); last.Type != "wall:bye" {
		t.Errorf("the stream ends with %+v", last)
	}
}

// Who speaks HTTP where TLS is spoken is told so.
func TestPlainRequestToTLS(t *testing.T) {
	s := overTLS(t, sse.Config{Reader: newMemory("main")})
	resp, err := http.Get("http://" + s.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "HTTPS") {
		t.Errorf("the answer is %s: %s", resp.Status, body)
	}
}

// A client may have new keys, and ask us for new ones: OpenSSL's can be told to.
func TestNewKeys(t *testing.T) {
	program, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("openssl is not installed")
	}
	m := newMemory("main")
	s := overTLS(t, sse.Config{Reader: m})
	cmd := exec.CommandContext(t.Context(), program, "s_client", "-tls1_3", "-msg", "-connect", s.http.Listener.Addr().String())
	in, out := must(cmd.StdinPipe()), must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	lines := make(chan string, 1000)
	go func() {
		for scan := bufio.NewScanner(out); scan.Scan(); {
			lines <- scan.Text()
		}
		close(lines)
	}()
	await := func(word string) {
		t.Helper()
		for timeout := time.After(10 * time.Second); ; {
			select {
			case line, ok := <-lines:
				if strings.Contains(line, word) {
					return
				}
				if !ok {
					t.Fatalf("the connection ends before %q", word)
				}
			case <-timeout:
				t.Fatalf("%q does not come", word)
			}
		}
	}
	fmt.Fprint(in, "GET /walls/main/events HTTP/1.1\r\nHost: x\r\n\r\n")
	await("wall:hello")
	for i, command := range []string{"K", "k", "K"} { // K asks for our new keys too
		fmt.Fprintln(in, command)
		if command == "K" {
			await("<<< TLS 1.3, Handshake [length 0005], KeyUpdate")
		}
		m.publish("message", "", fmt.Sprint("event ", i))
		await(fmt.Sprint("data: event ", i))
	}
}
