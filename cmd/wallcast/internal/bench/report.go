package bench

import (
	"fmt"
	"maps"
	"runtime"
	"strings"
	"time"
)

// Report is how the wall did. Times are in milliseconds unless their name says
// otherwise, memory is in bytes, shares are of all processors that this process may use.
type Report struct {
	Target    string  `json:"target"`
	Own       bool    `json:"own"`        // the wall was started for the test
	Seconds   float64 `json:"seconds"`    // for which events were published
	Stopped   bool    `json:"stopped"`    // before its time
	WatchOnly string  `json:"watch_only"` // why nothing was published; empty: events were

	Viewers struct {
		Asked    int      `json:"asked"`
		LetIn    int      `json:"let_in"`
		Slow     int      `json:"slow"`
		Stuck    int      `json:"stuck"`
		Filtered int      `json:"filtered"`
		As       []string `json:"as"`
	} `json:"viewers"`

	Connect struct {
		PerSecond float64     `json:"per_second"`
		Hello     Percentiles `json:"hello"`       // from dialing to the first wall:hello
		HelloBack Percentiles `json:"hello_again"` // the same of viewers that came back
	} `json:"connect"`

	Publish struct {
		AskedRate    float64        `json:"asked_rate"` // 0: as fast as acknowledged
		Rate         float64        `json:"rate"`
		Acknowledged int            `json:"acknowledged"`
		Payload      int            `json:"payload"`
		Publishers   int            `json:"publishers"`
		Ack          Percentiles    `json:"ack"`
		Behind       Percentiles    `json:"behind"` // behind their time, for want of a free publisher
		Late         Percentiles    `json:"late"`   // behind their time, because of the generator
		Failures     map[string]int `json:"failures"`
	} `json:"publish"`

	Deliveries struct {
		Total     int64   `json:"total"`
		PerSecond float64 `json:"per_second"` // while events were published
		Replayed  int64   `json:"replayed"`
		Bytes     int64   `json:"bytes"`
	} `json:"deliveries"`

	Latency Percentiles `json:"latency"`

	Completeness struct {
		Expected   int `json:"expected"`
		Lost       int `json:"lost"`
		Doubled    int `json:"doubled"`
		OutOfOrder int `json:"out_of_order"`
		Late       int `json:"late"`      // still on their way when the run ended
		Gaps       int `json:"gaps"`      // that were told of
		InGaps     int `json:"in_gaps"`   // events that are missing, and were told of
		Untouched  int `json:"untouched"` // viewers with nothing to complain of
	} `json:"completeness"`

	Reconnects struct {
		Cut      int            `json:"cut"` // by the storms
		Back     int            `json:"back"`
		Byes     map[string]int `json:"byes"`   // ended by the server, by its reason
		Breaks   map[string]int `json:"breaks"` // that broke
		Refusals map[string]int `json:"refusals"`
	} `json:"reconnects"`

	Server *ServerUse `json:"server"` // null where it can't be measured

	Generator struct {
		Share    float64     `json:"share"`
		TimerLag Percentiles `json:"timer_lag"` // how late its own timers fire
		Others   float64     `json:"others"`    // share of other programs of this computer
	} `json:"generator"`

	Limit Limit    `json:"limit"`
	Notes []string `json:"notes"`
}

// ServerUse is what the wall's process used.
type ServerUse struct {
	Share            float64 `json:"share"`
	CPUMicroseconds  float64 `json:"cpu_microseconds_per_delivery"`
	Before           int64   `json:"resident_before"`
	Idle             int64   `json:"resident_idle"`
	Most             int64   `json:"resident_most"`
	IdlePerViewer    int64   `json:"per_idle_viewer"`
	MostPerViewer    int64   `json:"per_viewer_at_most"`
	PrivatePerViewer int64   `json:"private_per_idle_viewer"` // without what is mapped from files
}

// Percentiles are those of a latency, in milliseconds.
type Percentiles struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
}

func percentiles(h *histogram) Percentiles {
	at := func(q float64) float64 { return milliseconds(h.quantile(q)) }
	return Percentiles{h.count(), at(.5), at(.9), at(.99), at(.999), milliseconds(time.Duration(h.most.Load()))}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Problem is what the wall did wrong, in one sentence; empty when nothing.
func (r *Report) Problem() string {
	var wrong []string
	c := &r.Completeness
	if c.Lost+c.Doubled+c.OutOfOrder > 0 {
		wrong = append(wrong, fmt.Sprintf("of %s deliveries %s were lost, %s doubled and %s out of order",
			number(c.Expected), number(c.Lost), number(c.Doubled), number(c.OutOfOrder)))
	}
	if out := r.Viewers.Asked - r.Viewers.LetIn; out > 0 {
		wrong = append(wrong, fmt.Sprintf("%s of %s viewers were not let in", number(out), number(r.Viewers.Asked)))
	}
	return strings.Join(wrong, "; ")
}

// report sums up.
func (r *run) report() *Report {
	o := &r.opts
	p := &Report{
		Target: r.target.String(), Own: o.Own != nil, Seconds: r.window.length().Seconds(),
		Stopped: r.stopped, WatchOnly: r.why, Notes: []string{},
	}
	r.reportViewers(p)
	c := &r.counts
	p.Publish.AskedRate, p.Publish.Acknowledged = o.Rate, int(c.acknowledged.Load())
	p.Publish.Payload, p.Publish.Publishers = o.Payload, o.Publishers
	p.Publish.Rate = per(float64(p.Publish.Acknowledged), p.Seconds)
	p.Publish.Ack, p.Publish.Behind, p.Publish.Late = percentiles(&c.acks), percentiles(&c.behind), percentiles(&c.late)

	var latency histogram
	p.Deliveries.Total = r.delivered()
	p.Deliveries.PerSecond = per(float64(r.window.delivered), p.Seconds)
	for _, t := range append(r.tallies, r.lazy) {
		latency.add(&t.latency)
		p.Deliveries.Replayed += t.replayed.Load()
		p.Deliveries.Bytes += t.bytes.Load()
	}
	p.Latency = percentiles(&latency)
	r.reportCompleteness(p)

	p.Reconnects.Cut, p.Reconnects.Back = int(c.cut.Load()), int(c.resumed.Load())
	c.mu.Lock()
	p.Publish.Failures = maps.Clone(c.failures)
	p.Reconnects.Byes, p.Reconnects.Breaks, p.Reconnects.Refusals = maps.Clone(c.byes), maps.Clone(c.breaks), maps.Clone(c.refusals)
	c.mu.Unlock()

	r.reportUsage(p)
	p.judge(time.Duration(r.held.Load()))
	return p
}

func (r *run) reportViewers(p *Report) {
	p.Viewers.Asked, p.Viewers.LetIn, p.Viewers.As = r.opts.Viewers, int(r.counts.greeted.Load()), r.opts.As
	for _, v := range r.viewers {
		switch v.pace {
		case slow:
			p.Viewers.Slow++
		case stuck:
			p.Viewers.Stuck++
		}
		if v.part {
			p.Viewers.Filtered++
		}
	}
	p.Connect.PerSecond = per(float64(p.Viewers.LetIn), r.connected.Seconds())
	p.Connect.Hello, p.Connect.HelloBack = percentiles(&r.counts.first), percentiles(&r.counts.again)
}

func (r *run) reportCompleteness(p *Report) {
	c := &p.Completeness
	c.Gaps = int(r.counts.gaps.Load())
	for _, v := range r.viewers {
		v.mu.Lock()
		a, m := &v.account, v.account.missing(v.track)
		v.mu.Unlock()
		c.Expected += a.received + m.all()
		c.Doubled += a.doubled
		c.OutOfOrder += a.disordered
		c.InGaps += m.told
		c.Lost += m.lost
		if r.late {
			c.Late += m.tail
		} else {
			c.Lost += m.tail
		}
		if a.started && a.doubled+a.disordered+m.all() == 0 {
			c.Untouched++
		}
	}
}

func (r *run) reportUsage(p *Report) {
	u := &r.usage
	processors := float64(runtime.GOMAXPROCS(0))
	seconds := u.window.at.Sub(u.published.at).Seconds()
	share := func(from, to time.Duration) float64 { return per((to - from).Seconds(), seconds*processors) }
	p.Generator.Share = share(u.published.generator, u.window.generator)
	p.Generator.TimerLag = percentiles(&r.counts.tickLag)
	if u.readable {
		s := &ServerUse{Share: share(u.published.server, u.window.server), Before: u.before.all, Idle: u.idle.all, Most: u.most.Load()}
		s.CPUMicroseconds = per(float64((u.settled.server - u.published.server).Microseconds()), float64(p.Deliveries.Total))
		if n := int64(p.Viewers.LetIn); n > 0 {
			s.IdlePerViewer = (u.idle.all - u.before.all) / n
			s.MostPerViewer = (s.Most - u.before.all) / n
			s.PrivatePerViewer = (u.idle.anonymous - u.before.anonymous) / n
		}
		p.Server = s
	}
	// In a container /proc/stat is about a computer that is larger than ours.
	if u.window.computer > 0 && runtime.GOMAXPROCS(0) == runtime.NumCPU() {
		p.Generator.Others = share(u.published.computer, u.window.computer) - p.Generator.Share
		if p.Server != nil {
			p.Generator.Others -= p.Server.Share
		}
		p.Generator.Others = max(0, p.Generator.Others)
	}
}

// per is a quotient, and 0 where there is nothing to divide by.
func per(n, d float64) float64 {
	if d <= 0 {
		return 0
	}
	return n / d
}
