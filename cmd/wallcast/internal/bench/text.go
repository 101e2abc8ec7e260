package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// WriteText writes the report for people.
func (p *Report) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%s of %s for %s\n\n", p.audience(), p.Target, shortTime(1000*p.Seconds))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(table, "  %s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("connect", "%s/s; first wall:hello after %s (p50), %s (p99)", number(int(p.Connect.PerSecond)), shortTime(p.Connect.Hello.P50), shortTime(p.Connect.Hello.P99))
	if p.WatchOnly == "" {
		row("publish", "%s", p.published())
	}
	row("deliver", "%s/s, %s in all%s", number(int(p.Deliveries.PerSecond)), number(int(p.Deliveries.Total)), some(", %s of them replayed", int(p.Deliveries.Replayed)))
	if l := p.Latency; l.Count > 0 {
		row("latency", "p50 %s  p90 %s  p99 %s  p99.9 %s  max %s", shortTime(l.P50), shortTime(l.P90), shortTime(l.P99), shortTime(l.P999), shortTime(l.Max))
	}
	row("complete", "%s", p.complete())
	row("reconnect", "%s", p.reconnects())
	if s := p.Server; s != nil {
		row("server", "%.2f µs of CPU a delivery, %s of the computer; memory %s a viewer idle; resident %s before, %s idle, %s at most",
			s.CPUMicroseconds, percent(s.Share), size(s.IdlePerViewer), size(s.Before), size(s.Idle), size(s.Most))
	}
	row("generator", "%s of the computer; its own timers fired %s late (p99)", percent(p.Generator.Share), shortTime(p.Generator.TimerLag.P99))
	row("limit", "%s: %s", p.Limit.Who, p.Limit.Why)
	if err := table.Flush(); err != nil {
		return err
	}
	for i, note := range p.Notes {
		if i == 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "  %s\n", note)
	}
	return nil
}

// audience is who watched.
func (p *Report) audience() string {
	v := p.Viewers
	text := number(v.LetIn) + " viewers"
	if v.LetIn < v.Asked {
		text = fmt.Sprintf("%s of %s viewers", number(v.LetIn), number(v.Asked))
	}
	var sorts []string
	for _, sort := range []struct {
		n    int
		name string
	}{{v.Slow, "slow"}, {v.Stuck, "stuck"}, {v.Filtered, "filtered"}} {
		if sort.n > 0 {
			sorts = append(sorts, number(sort.n)+" "+sort.name)
		}
	}
	if len(v.As) > 1 || len(v.As) == 1 && v.As[0] != "raw" {
		sorts = append(sorts, "as "+strings.Join(v.As, ", "))
	}
	if len(sorts) > 0 {
		text += " (" + strings.Join(sorts, ", ") + ")"
	}
	return text
}

func (p *Report) published() string {
	q := p.Publish
	text := fmt.Sprintf("%s events of %s bytes, %s/s", number(q.Acknowledged), number(q.Payload), decimal(q.Rate))
	if q.AskedRate > 0 {
		text += fmt.Sprintf(" of %s asked for", decimal(q.AskedRate))
	}
	text += fmt.Sprintf("; acknowledged after %s (p50), %s (p99)", shortTime(q.Ack.P50), shortTime(q.Ack.P99))
	return text + reasons("; posts that failed: ", q.Failures)
}

func (p *Report) complete() string {
	c := p.Completeness
	text := "nothing lost, doubled or out of order"
	if c.Lost+c.Doubled+c.OutOfOrder > 0 {
		text = fmt.Sprintf("%s LOST, %s DOUBLED, %s OUT OF ORDER of %s", number(c.Lost), number(c.Doubled), number(c.OutOfOrder), number(c.Expected))
	}
	return text + some("; %s gaps told of", c.Gaps) + some(", %s events in them", c.InGaps) + some("; %s still on their way", c.Late)
}

func (p *Report) reconnects() string {
	r := p.Reconnects
	total := r.Cut + r.Back + len(r.Byes) + len(r.Breaks) + len(r.Refusals)
	if total == 0 {
		return "none"
	}
	text := fmt.Sprintf("%s cut, %s came back", number(r.Cut), number(r.Back))
	if h := p.Connect.HelloBack; h.Count > 0 {
		text += fmt.Sprintf("; wall:hello after %s (p50), %s (p99)", shortTime(h.P50), shortTime(h.P99))
	}
	return text + reasons("; ended by the server: ", r.Byes) + reasons("; broken: ", r.Breaks) + reasons("; refused: ", r.Refusals)
}

// reasons lists how often each of them was given.
func reasons(before string, counts map[string]int) string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s × %s", number(counts[reason]), reason))
	}
	if len(parts) == 0 {
		return ""
	}
	return before + strings.Join(parts, ", ")
}

// some is a text about a number, unless that is 0.
func some(format string, n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(format, number(n))
}

// number is a number with its thousands apart.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func decimal(f float64) string {
	if f >= 100 || f == float64(int(f)) {
		return number(int(f + 0.5))
	}
	return strconv.FormatFloat(f, 'f', 1, 64)
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// shortTime is a time in milliseconds, with the digits that matter.
func shortTime(ms float64) string {
	switch {
	case ms >= 1000:
		return decimal(ms/1000) + " s"
	case ms >= 10:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f ms", ms)
}

func size(bytes int64) string {
	switch {
	case bytes >= 1e6 || bytes <= -1e6:
		return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
}
