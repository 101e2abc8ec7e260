package main

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
	"github.com/wallcast/wallcast/stream/sse"
)

// limitViewers applies the configured limits. Viewers who are there stay.
func (p *program) limitViewers(cfg *config.Config) {
	perAddress, _ := cfg.Viewers.PerAddress()
	p.streams.SetLimits(cfg.Viewers.Most, perAddress)
	if fit := roomFor(descriptorLimit()); fit > 0 && cfg.Viewers.Most > fit {
		p.log.Warn("viewers.most is more than fit into the files that the process may have open; raise that limit (LimitNOFILE= for systemd, ulimit -Hn in a shell)",
			"viewers.most", cfg.Viewers.Most, "fit", fit)
	}
}

// viewerAddress is what counts as one client where viewers are limited; "" for
// one who is not, as whoever comes over the administration socket.
func (p *program) viewerAddress(r *http.Request) string {
	caller := access.CallerOf(r)
	_, loopback := p.site.config().Viewers.PerAddress()
	if !caller.Address.IsValid() || !loopback && caller.Address.IsLoopback() {
		return ""
	}
	return caller.LimitKey()
}

// pass is the right with which a request reads a private wall.
func (p *program) pass(r *http.Request, wall string) *sse.Pass {
	reading := p.guard.ReadingOf(r, wall)
	if reading == nil {
		return nil
	}
	return &sse.Pass{Until: reading.Until, Holds: reading.Holds}
}

// files knows how many files, connections among them, the process may have open
// and has. Go raises the limit as far as it may at start.
type files struct {
	mu      sync.Mutex
	tidied  time.Time
	counter descriptorCounter
}

// roomFor is how many files of a limit may be open when a viewer comes. The rest
// is left to what is no viewer: the store, posts, pages, and connections whose
// request is still to come, which have to be accepted so that they can be told
// that the server is full.
func roomFor(limit int) int { return max(0, limit-min(1000, max(64, limit/8))) }

// tidyEvery is the shortest time between two times that idle connections are closed.
const tidyEvery = time.Second

// room returns why there is none for another viewer, or nil. Then it closes the
// connections that browsers keep for later, so that there is soon.
func (f *files) room(http *http.Server) error {
	limit := descriptorLimit() // it can be raised from outside
	if limit == 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	open := f.counter.count()
	if open < roomFor(limit) {
		return nil
	}
	if now := time.Now(); now.Sub(f.tidied) >= tidyEvery {
		f.tidied = now
		http.SetKeepAlivesEnabled(false)
		http.SetKeepAlivesEnabled(true)
	}
	return fmt.Errorf("the process has %d files open, and may have %d; raise the limit (LimitNOFILE= for systemd, ulimit -Hn in a shell)", open, limit)
}
