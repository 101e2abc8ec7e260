package bench

import (
	"fmt"
	"time"
)

// Limit is who kept a run from being faster.
type Limit struct {
	Who string `json:"who"` // none, server, generator, computer, store
	Why string `json:"why"`
}

const (
	// busy is the share of the processors from which on there is nothing left:
	// the rest is lost between the programs.
	busy = 0.9

	// kept is the share of the asked rate that counts as all of it.
	kept = 0.97

	// tellingViewers is how many viewers it takes for the memory of one to show.
	tellingViewers = 500

	// lateLimit is how late the generator may come to publish an event.
	lateLimit = 100 * time.Millisecond
)

// judge says who was the limit, and what else one has to know of the figures.
// Held is how long publishers waited for viewers.
func (p *Report) judge(held time.Duration) {
	p.Limit = p.limit(held)
	if lag, half := p.Generator.TimerLag.P99, p.Latency.P50/2; p.Latency.Count > 0 && lag > max(2, half) {
		p.note("The generator's own timers were up to %s late (p99): the latencies hold as much of the generator.", shortTime(lag))
	}
	if p.Generator.Others >= 0.1 {
		p.note("Other programs took %s of this computer meanwhile.", percent(p.Generator.Others))
	}
	if p.Server != nil && p.Viewers.LetIn < tellingViewers {
		p.note("With so few viewers the memory of one can't be told from chance; take %s or more.", number(tellingViewers))
	}
	if p.WatchOnly != "" {
		p.note("Nothing was published, so there are no latencies; an event counts as lost when another viewer got it. %s", p.WatchOnly)
	}
	if p.Completeness.Late > 0 {
		p.note("When the run ended, %s deliveries were still on their way: the viewers were too far behind.", number(p.Completeness.Late))
	}
	if p.Stopped {
		p.note("The run was interrupted after %s.", shortTime(1000*p.Seconds))
	}
}

func (p *Report) note(format string, args ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(format, args...))
}

func (p *Report) limit(held time.Duration) Limit {
	server := 0.0
	if p.Server != nil {
		server = p.Server.Share
	}
	paced := p.WatchOnly != "" || p.Publish.AskedRate > 0
	switch {
	case paced && p.keptUp():
		return Limit{"none", "every event was published at its time, and delivered"}
	case p.Generator.Share >= busy:
		return Limit{"generator", fmt.Sprintf("the generator took %s of this computer; run it on another one, or several of them, with --url", percent(p.Generator.Share))}
	case p.Publish.Late.P99 > milliseconds(lateLimit):
		return Limit{"generator", fmt.Sprintf("the generator came %s too late to publish (p99)", shortTime(p.Publish.Late.P99))}
	case p.Server != nil && server >= busy:
		return Limit{"server", fmt.Sprintf("the server took %s of this computer", percent(server))}
	case p.Server != nil && p.Generator.Share+server+p.Generator.Others >= busy:
		return Limit{"computer", fmt.Sprintf("the computer was full: the server took %s of it, the generator %s and other programs %s; "+
			"with the generator on another computer (--url) the server has more", percent(server), percent(p.Generator.Share), percent(p.Generator.Others))}
	}
	return p.serverLimit(held)
}

// keptUp reports whether the events came at the rate that was asked for.
func (p *Report) keptUp() bool {
	if p.Completeness.Late > 0 {
		return false
	}
	asked := p.Publish.AskedRate
	return p.WatchOnly != "" || p.Publish.Rate >= kept*asked || p.Publish.Rate*p.Seconds >= asked*p.Seconds-1
}

// serverLimit is the limit where neither the generator nor the computer was it.
func (p *Report) serverLimit(held time.Duration) Limit {
	waited := per(held.Seconds(), p.Seconds*float64(p.Publish.Publishers))
	if p.Completeness.Late > 0 || p.Publish.AskedRate == 0 && waited >= 0.5 {
		return Limit{"server", "events were stored faster than they reached the viewers, and this computer was not busy: the server, or the network to it"}
	}
	return Limit{"store", fmt.Sprintf("the publishers waited for the store: it acknowledged within %s (p50) to each of %d; more --publishers may help, "+
		"for several events are synced to disk at once", shortTime(p.Publish.Ack.P50), p.Publish.Publishers)}
}
