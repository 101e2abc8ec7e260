//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// viewer is a viewer over plain HTTP. It belongs to one poller.
type viewer struct {
	fd      int
	next    int  // number of the event that is to come
	headed  bool // the answer is known to be a good one
	greeted bool
	done    bool
	wrong   bool
	kept    int // bytes in keep
	keep    [keepSize]byte
}

// keepSize is how much of a piece may belong to a mark that is not complete.
const keepSize = len(marker) + markSize

// take reads the next piece of a viewer's stream, which stands in b behind room
// for what was kept.
func (p *poller) take(v *viewer, b []byte) error {
	b = b[keepSize-v.kept:]
	copy(b, v.keep[:v.kept])
	v.kept = 0
	if !v.headed && !bytes.HasPrefix(b, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("the server answered %.80q", b)
	}
	v.headed = true
	if !v.greeted && bytes.Contains(b, []byte("\ndata: ")) {
		v.greeted = true
		p.generator.hello()
	}
	now := int64(0) // one look at the clock for all that has come at once
	for {
		i := bytes.Index(b, []byte(marker))
		if i < 0 {
			v.keepEnd(b, len(marker)-1)
			return nil
		}
		if len(b) < i+keepSize {
			v.keepEnd(b, len(b)-i)
			return nil
		}
		m := parseMark(b[i+len(marker):])
		if m.stamp != 0 {
			if now == 0 {
				now = time.Now().UnixMicro()
			}
			p.delays = append(p.delays, float64(now-m.stamp)/1000)
		}
		p.count(v, m)
		b = b[min(len(b), i+len("data: ")+payloadSize):]
	}
}

func (v *viewer) keepEnd(b []byte, n int) { v.kept = copy(v.keep[:], b[max(0, len(b)-n):]) }

// count enters that an event has come.
func (p *poller) count(v *viewer, m mark) {
	g := p.generator
	if v.done && g.Events > 0 { // more than it is to count
		return
	}
	if m.number != v.next {
		v.wrong = true
	}
	v.next = m.number + 1
	if m.last || g.Events > 0 && v.next >= g.First+g.Events {
		p.finish(v)
	}
}

// finish enters that a viewer has got all, or gets no more.
func (p *poller) finish(v *viewer) {
	if v.done {
		return
	}
	v.done = true
	if v.wrong {
		p.generator.wrong.Add(1)
	}
	p.generator.done.Done()
}

var errEnded = errors.New("the server ended the stream")

// end enters that a viewer's connection has ended.
func (p *poller) end(v *viewer, err error) {
	if errors.Is(err, io.EOF) {
		err = errEnded
	}
	p.generator.lose(err)
	v.wrong = true
	p.finish(v)
	if !v.greeted {
		v.greeted = true
		p.generator.hello()
	}
}
