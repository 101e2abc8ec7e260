package bench

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// pace is how a viewer reads.
type pace uint8

const (
	steady pace = iota
	slow        // little at a time
	stuck       // not at all, until the end
)

const (
	slowBytes = 1 << 10
	slowPause = 500 * time.Millisecond

	// lazyBuffer is the receive buffer of viewers that do not keep up, so that
	// the server, and not the kernel, has to deal with them.
	lazyBuffer = 4 << 10
	fullBuffer = 1 << 20

	// silence is after how long without a byte, 15 s being the time between two
	// wall:ping, a connection is taken for dead.
	silence = 45 * time.Second

	leastWait   = 500 * time.Millisecond
	defaultWait = 2 * time.Second
	mostWait    = 30 * time.Second
)

// viewer is one viewer of the wall, over all its connections.
type viewer struct {
	run    *run
	index  int    // among the viewers
	number int    // of its connection, for a source address
	path   string // of its stream
	pace   pace
	track  *track
	part   bool // its track is that of the filtered kind
	tally  *tally

	mu       sync.Mutex // guards what follows
	account  account
	link     link // nil between connections
	response response
	refused  bool   // for good
	cut      bool   // by us
	bye      string // the reason that the server gave
	resume   []byte // the id to go on from
	wait     time.Duration
	dialed   time.Time // when the connection was begun
	begin    int       // of the track, at that time
	greeted  time.Duration
	heard    time.Time
	got      int // events in the piece that is being read
	replayed int
	now      time.Duration
	release  func() // gives the place among those who connect back; nil afterwards
}

// watch holds the viewer's stream open until ctx ends, or the server refuses it
// for good.
func (v *viewer) watch(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		err := v.visit(ctx)
		if ctx.Err() != nil {
			return
		}
		var status *statusError
		if errors.As(err, &status) && status.status < 500 && status.status != http.StatusTooManyRequests {
			v.refuse(err)
			return
		}
		if v.ended() {
			failures = 0
		} else {
			failures++
		}
		pause(ctx, v.pauseBefore(err, failures))
	}
}

// refuse enters that the server does not want the viewer.
func (v *viewer) refuse(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.refused = true
	v.run.counts.refuse(err)
}

// away reports whether the viewer was let in once, and is on its way back.
func (v *viewer) away() bool {
	return v.account.started && !v.refused && (v.link == nil || v.greeted == 0)
}

// pauseBefore enters how a connection ended and says when to come back.
func (v *viewer) pauseBefore(err error, failures int) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.cut:
		if v.greeted != 0 {
			v.run.counts.cut.Add(1)
		}
		return 0
	case v.bye != "":
		v.run.counts.turn(v.bye)
		return v.wait
	}
	if v.pace == steady {
		v.run.counts.breakOff(broken(err))
	} else {
		v.run.counts.breakOff("given up by the server while they did not read")
	}
	wait := min(max(v.wait, leastWait)<<min(failures, 6), mostWait)
	return wait/2 + rand.N(wait/2)
}

// ended reports whether the connection that has ended was a stream.
func (v *viewer) ended() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.greeted != 0
}

// visit connects and reads until the connection ends.
func (v *viewer) visit(ctx context.Context) error {
	if err := v.run.connecting.Acquire(ctx, 1); err != nil {
		return err
	}
	release := sync.OnceFunc(func() { v.run.connecting.Release(1) })
	defer release()
	v.prepare(release)
	tcp, conn, err := v.run.target.dial(ctx, v.number)
	if err != nil {
		return err
	}
	defer conn.Close()
	request := v.open(ctx, tcp)
	if request == nil {
		return ctx.Err()
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	return v.read(ctx, conn)
}

// prepare resets what belongs to one connection.
func (v *viewer) prepare(release func()) {
	begin := v.track.begin()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.response = response{}
	v.cut, v.bye, v.wait, v.greeted = false, "", defaultWait, 0
	v.dialed, v.heard, v.begin, v.release = time.Now(), time.Now(), begin, release
}

// open makes the connection known to those who may cut it, and returns the
// request to send; nil when the run is over.
func (v *viewer) open(ctx context.Context, tcp *net.TCPConn) []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	if ctx.Err() != nil {
		return nil
	}
	v.link = tcpLink{tcp}
	if v.pace != steady && !v.run.catchingUp() {
		_ = tcp.SetReadBuffer(lazyBuffer) // where it can't be set the test is milder
	}
	request := v.run.target.appendHead(nil, http.MethodGet, v.path)
	request = append(request, "Accept: text/event-stream\r\nCache-Control: no-store\r\n"...)
	if len(v.resume) > 0 {
		request = append(request, "Last-Event-ID: "...)
		request = append(request, v.resume...)
		request = append(request, "\r\n"...)
	}
	return append(request, "\r\n"...)
}

// interrupt ends the connection, in the way of a phone that loses its network:
// without a word, and without leaving the port in TIME_WAIT.
func (v *viewer) interrupt() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.link == nil {
		return
	}
	v.cut = true
	v.link.abort()
	v.link = nil
}

// link is a viewer's connection, as seen by those who cut it.
type link interface{ abort() }

type tcpLink struct{ *net.TCPConn }

func (l tcpLink) abort() {
	_ = l.SetLinger(0) // then the end is only a politer one
	_ = l.Close()
}

// read reads the stream at the viewer's pace.
func (v *viewer) read(ctx context.Context, conn net.Conn) error {
	defer func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.link = nil
	}()
	if v.pace == steady {
		if ended, err := v.run.pollers.adopt(v, conn); ended != nil || err != nil {
			if err == nil {
				err = <-ended
			}
			return err
		}
	}
	receive := newReceiver(conn, v.take)
	for {
		limit := readBytes
		if v.pace != steady && !v.run.catchingUp() && v.watching() {
			v.dawdle(ctx)
			limit = slowBytes
			if v.run.catchingUp() {
				v.setBuffer(fullBuffer)
			}
		}
		if err := receive(limit); err != nil {
			return err
		}
	}
}

// setBuffer sets the receive buffer of the connection that is open.
func (v *viewer) setBuffer(bytes int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if tcp, ok := v.link.(tcpLink); ok {
		_ = tcp.SetReadBuffer(bytes) // it is then only slower
	}
}

// watching reports whether the stream has begun.
func (v *viewer) watching() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.greeted != 0
}

// dawdle is what a viewer does that does not keep up.
func (v *viewer) dawdle(ctx context.Context) {
	var soon <-chan time.Time
	if v.pace == slow {
		soon = time.After(slowPause)
	}
	select {
	case <-ctx.Done():
	case <-v.run.catchUp:
	case <-soon:
	}
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// broken is a short name for what ended a connection.
func broken(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the server ended it without a wall:bye"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return plain(err)
}
