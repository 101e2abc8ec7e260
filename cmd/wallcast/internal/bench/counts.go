package bench

import (
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// tally is what a share of the viewers got. Several are used, so that viewers on
// different processors do not wait for one memory cell.
type tally struct {
	delivered atomic.Int64
	replayed  atomic.Int64
	bytes     atomic.Int64
	latency   histogram
	_         [64]byte
}

// counts is what happened in a run beside the deliveries. It may be used
// concurrently.
type counts struct {
	acknowledged atomic.Int64
	cut          atomic.Int64 // connections that we ended
	gaps         atomic.Int64
	greeted      atomic.Int64 // viewers that were ever let in
	resumed      atomic.Int64 // streams of viewers that came back

	acks    histogram // from a post to its answer
	behind  histogram // events: behind their time because all publishers waited
	late    histogram // events: behind their time because the generator was
	first   histogram // from dialing to the first wall:hello
	again   histogram // the same of viewers that came back
	tickLag histogram // how late the generator's own timers fire

	mu       sync.Mutex
	byes     map[string]int
	breaks   map[string]int
	refusals map[string]int
	failures map[string]int // of posts
}

// maxReasons bounds how many different ones are kept.
const maxReasons = 20

func (c *counts) enter(where *map[string]int, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if *where == nil {
		*where = map[string]int{}
	}
	if _, known := (*where)[what]; !known && len(*where) >= maxReasons {
		what = "other"
	}
	(*where)[what]++
}

func (c *counts) turn(bye string)     { c.enter(&c.byes, bye) }
func (c *counts) breakOff(why string) { c.enter(&c.breaks, why) }
func (c *counts) refuse(err error)    { c.enter(&c.refusals, plain(err)) }
func (c *counts) fail(err error)      { c.enter(&c.failures, plain(err)) }
func (c *counts) refused() (sum int)  { return c.sum(&c.refusals) }
func (c *counts) sum(where *map[string]int) (sum int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range *where {
		sum += n
	}
	return sum
}

func (c *counts) greet(first bool, took time.Duration) {
	if first {
		c.greeted.Add(1)
		c.first.record(took)
		return
	}
	c.resumed.Add(1)
	c.again.record(took)
}

// plain is an error's text without the addresses, which differ from one
// connection to the next.
func plain(err error) string {
	var op *net.OpError
	var failed *url.Error
	var syscallError *os.SyscallError
	switch {
	case err == nil:
		return "no reason"
	case errors.As(err, &syscallError):
		return syscallError.Err.Error()
	case errors.As(err, &op):
		return op.Op + ": " + op.Err.Error()
	case errors.As(err, &failed):
		return failed.Err.Error()
	}
	return err.Error()
}

// field is a string of an event of the wall's own.
func field(data []byte, name string) string {
	var fields map[string]any
	if json.Unmarshal(data, &fields) != nil {
		return ""
	}
	text, _ := fields[name].(string)
	return text
}

// commonest is why viewers were not let in.
func (c *counts) commonest() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	why, most := "there was no answer", 0
	for _, reasons := range []map[string]int{c.refusals, c.breaks, c.byes} {
		for reason, n := range reasons {
			if n > most {
				why, most = reason, n
			}
		}
	}
	return why
}
