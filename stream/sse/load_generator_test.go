package sse_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// job is what the generator is to do.
type job struct {
	Address string
	Query   string
	Over    string // "" for plain HTTP/1.1, "TLS", or "HTTP/2" with a connection each
	Viewers int
	Events  int // that each viewer gets before it is done; 0 to only stay
}

// tally is what the generator has seen.
type tally struct {
	P50, P99 float64 // ms from publish to receipt
	Took     float64 // ms until all viewers had got all
	Wrong    int64   // viewers that missed an event or got one twice
}

// generate runs in the generator's process. It says "open" when all viewers
// have their hello, prints a tally when they have got all, and ends with its
// standard input.
func generate(encoded string) error {
	var j job
	if err := json.Unmarshal([]byte(encoded), &j); err != nil {
		return err
	}
	debug.SetGCPercent(400)
	var opened, done sync.WaitGroup
	var wrong atomic.Int64
	var mu sync.Mutex
	var delays []float64
	var conns []io.Reader // one that is collected as garbage is closed
	began := time.Now()
	opening := make(chan struct{}, 64)
	for range j.Viewers {
		opened.Add(1)
		opening <- struct{}{}
		done.Go(func() {
			conn, err := j.open()
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			mine, ok := follow(conn, j.Events, func() { opened.Done(); <-opening })
			if !ok {
				wrong.Add(1)
			}
			mu.Lock()
			conns = append(conns, conn)
			delays = append(delays, mine...)
			mu.Unlock()
		})
	}
	opened.Wait()
	fmt.Println("open")
	if j.Events > 0 {
		done.Wait()
		took := time.Since(began)
		slices.Sort(delays)
		t := tally{Wrong: wrong.Load(), Took: float64(took.Microseconds()) / 1000}
		if n := len(delays); n > 0 {
			t.P50, t.P99 = delays[n/2], delays[n*99/100]
		}
		if err := json.NewEncoder(os.Stdout).Encode(t); err != nil {
			return err
		}
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(conns)
	return err
}

// open opens one stream.
func (j job) open() (io.Reader, error) {
	var conn net.Conn
	var err error
	trusting := &tls.Config{InsecureSkipVerify: true} // the server is this test's
	switch j.Over {
	case "":
		conn, err = net.Dial("tcp", j.Address)
	case "TLS":
		conn, err = tls.Dial("tcp", j.Address, trusting)
	case "HTTP/2":
		client := http.Client{Transport: &http.Transport{TLSClientConfig: trusting, ForceAttemptHTTP2: true}}
		resp, err := client.Get("https://" + j.Address + "/events" + j.Query)
		if err != nil {
			return nil, err
		}
		if resp.ProtoMajor != 2 {
			return nil, fmt.Errorf("the server speaks %s", resp.Proto)
		}
		return resp.Body, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "GET /events%s HTTP/1.1\r\nHost: x\r\n\r\n", j.Query)
	return conn, err
}

// marker begins the data of an event of the load: a number and, where it is
// not 0, the time of its publication in microseconds.
const marker = "data: x"

// follow reads a stream until n events have come.
func follow(conn io.Reader, n int, hello func()) (delays []float64, ok bool) {
	buf := make([]byte, 2<<10)
	if n > 1000 {
		buf = make([]byte, 16<<10)
	}
	kept, next, greeted := 0, 0, false
	ok = true
	for next < n || !greeted {
		read, err := conn.Read(buf[kept:])
		if err != nil {
			if !greeted {
				hello()
			}
			return delays, false
		}
		have := buf[:kept+read]
		if !greeted && bytes.Contains(have, []byte("\n\n")) {
			greeted = true
			hello()
		}
		for {
			i := bytes.Index(have, []byte(marker))
			if i < 0 || len(have) < i+len(marker)+26 {
				break
			}
			field := have[i+len(marker):]
			number, _ := strconv.Atoi(string(bytes.TrimLeft(field[:9], "0")))
			if number != next {
				ok = false
			}
			next = number + 1
			if at, _ := strconv.ParseInt(string(field[10:26]), 10, 64); at > 0 {
				delays = append(delays, float64(time.Now().UnixMicro()-at)/1000)
			}
			have = have[i+len(marker):]
		}
		have = have[max(0, len(have)-40):] // of a marker that is not complete
		if i := bytes.Index(have, []byte(marker)); i > 0 {
			have = have[i:]
		}
		kept = copy(buf, have)
	}
	return delays, ok
}

// message is the payload of an event of the load, 200 bytes.
func message(number int, at time.Time) string {
	stamp := int64(0)
	if !at.IsZero() {
		stamp = at.UnixMicro()
	}
	return fmt.Sprintf("x%09d %016d %s", number, stamp, strings.Repeat("y", 172))
}
