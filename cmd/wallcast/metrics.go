package main

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/VictoriaMetrics/metrics"

	"github.com/wallcast/wallcast/sources"
)

// metrics answers in the text format of Prometheus. The names of walls and
// sources are nobody else's business, so it needs the right to administrate:
// Prometheus sends a token as its "authorization" setting says.
func (p *program) metrics(w http.ResponseWriter, r *http.Request) {
	if problem := p.guard.MayAdmin(r); problem != nil {
		problem.Write(w)
		return
	}
	var b bytes.Buffer
	metrics.WriteGaugeUint64(&b, fmt.Sprintf("wallcast_build_info{build=%q}", build()), 1)
	for _, wall := range p.site.config().Walls {
		metrics.WriteGaugeUint64(&b, fmt.Sprintf("wallcast_viewers{wall=%q}", wall.Name), uint64(p.streams.Viewers(wall.Name)))
	}
	metrics.WriteCounterUint64(&b, "wallcast_viewers_refused_total", p.streams.Refused())
	for _, s := range p.sources.Status() {
		writeSourceMetrics(&b, s)
	}
	p.posted.WritePrometheus(&b)
	metrics.WriteProcessMetrics(&b)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	// An error means that the caller has gone.
	_, _ = b.WriteTo(w)
}

func writeSourceMetrics(b *bytes.Buffer, s sources.Status) {
	labels := fmt.Sprintf("{source=%q,type=%q}", s.Name, s.Type)
	running, troubled := uint64(0), uint64(0)
	if s.State == sources.Running {
		running = 1
	}
	if s.Warning != "" || s.State == sources.BackingOff {
		troubled = 1
	}
	metrics.WriteGaugeUint64(b, "wallcast_source_running"+labels, running)
	metrics.WriteGaugeUint64(b, "wallcast_source_troubled"+labels, troubled)
	metrics.WriteCounterUint64(b, "wallcast_source_events_total"+labels, s.Events)
	metrics.WriteCounterUint64(b, "wallcast_source_dropped_total"+labels, s.Dropped)
	metrics.WriteCounterUint64(b, "wallcast_source_failed_maps_total"+labels, s.Unmade)
	metrics.WriteCounterUint64(b, "wallcast_source_restarts_total"+labels, s.Restarts)
	if !s.LastEvent.IsZero() {
		metrics.WriteGaugeUint64(b, "wallcast_source_last_event_timestamp_seconds"+labels, uint64(s.LastEvent.Unix()))
	}
}

// countPosts counts what next answers, by status.
func (p *program) countPosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		counted := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(counted, r)
		p.posted.GetOrCreateCounter(fmt.Sprintf("wallcast_posts_total{status=\"%d\"}", counted.status)).Inc()
	})
}

// statusRecorder remembers the status of an answer.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (s *statusRecorder) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach what it controls.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// wallStatus is a wall for those who may administrate.
type wallStatus struct {
	Wall    string `json:"wall"`
	Viewers int    `json:"viewers"` // of this process
}

func (p *program) wallStatus(w http.ResponseWriter, r *http.Request) {
	if problem := p.guard.MayAdmin(r); problem != nil {
		problem.Write(w)
		return
	}
	var walls []wallStatus
	for _, wall := range p.site.config().Walls {
		walls = append(walls, wallStatus{wall.Name, p.streams.Viewers(wall.Name)})
	}
	writeJSON(w, http.StatusOK, map[string][]wallStatus{"walls": walls})
}
