package bench

import (
	"context"
	"sync/atomic"
	"time"
)

// usage is what the wall's process, the generator and the whole computer used.
// What can't be read stays zero.
type usage struct {
	server   Observed
	readable bool // the server's process

	before, idle, loaded resident
	most                 atomic.Int64 // resident bytes of the server

	published, settled reading // when publishing began, and when all was over
	window             reading // when publishing ended
}

// resident is a process's memory.
type resident struct{ all, anonymous int64 }

// reading is the processor time that was used up to a moment.
type reading struct {
	at                          time.Time
	server, generator, computer time.Duration
}

func (u *usage) begin(server Observed) {
	u.server = server
	_, err := server.CPU()
	u.readable = server.PID > 0 && err == nil
	u.before = u.resident()
}

func (u *usage) connected() { u.idle = u.resident() }
func (u *usage) load()      { u.published = u.read() }
func (u *usage) unload()    { u.window = u.read() }

func (u *usage) end() {
	u.settled = u.read()
	u.loaded = u.resident()
}

func (u *usage) resident() resident {
	if !u.readable {
		return resident{}
	}
	all, anonymous, err := u.server.Memory()
	if err != nil {
		return resident{}
	}
	for most := u.most.Load(); all > most && !u.most.CompareAndSwap(most, all); most = u.most.Load() {
	}
	return resident{all, anonymous}
}

func (u *usage) read() reading {
	r := reading{at: time.Now(), generator: ownCPU()}
	if u.readable {
		r.server, _ = u.server.CPU() // 0 is shown as not known
	}
	r.computer, _ = computerBusy()
	return r
}

// sampleTime is between two looks at the server's memory.
const sampleTime = 250 * time.Millisecond

// sample follows the server's memory until ctx ends.
func (u *usage) sample(ctx context.Context) {
	for ctx.Err() == nil && u.readable {
		u.resident()
		pause(ctx, sampleTime)
	}
}
