package nats_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	client "github.com/nats-io/nats.go"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nats"
	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/embed"
	"github.com/wallcast/wallcast/stream/jetstream"
)

// system is a NATS server with somebody's connection to it.
type system struct {
	t      *testing.T
	server *embed.Server
	nc     *client.Conn
	js     client.JetStreamContext
}

func newSystem(t *testing.T) *system {
	t.Helper()
	server, err := embed.Start(embed.Config{Folder: t.TempDir(), Unsynced: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	s := &system{t: t, server: server}
	s.nc = s.connect()
	if s.js, err = s.nc.JetStream(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *system) connect() *client.Conn {
	s.t.Helper()
	nc, err := s.server.Connect()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	return nc
}

// stream makes or changes a stream of somebody else's.
func (s *system) stream(name string, max int64, subjects ...string) {
	s.t.Helper()
	cfg := &client.StreamConfig{Name: name, Subjects: subjects, MaxMsgs: max}
	_, err := s.js.AddStream(cfg)
	if err != nil {
		_, err = s.js.UpdateStream(cfg)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *system) publish(subject string, payloads ...string) {
	s.t.Helper()
	for _, p := range payloads {
		if err := s.nc.Publish(subject, []byte(p)); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := s.nc.Flush(); err != nil {
		s.t.Fatal(err)
	}
}

// foreign lists our streams as "name subjects…".
func (s *system) foreign() map[string]string {
	all := map[string]string{}
	for info := range s.js.Streams() {
		if strings.HasPrefix(info.Config.Name, "FOREIGN_") {
			all[info.Config.Name] = strings.Join(info.Config.Subjects, " ")
		}
	}
	return all
}

// program is one start of Wallcast on a system.
type program struct {
	*system
	nc         *client.Conn
	store      *jetstream.Store
	supervisor *sources.Supervisor
	cancel     context.CancelFunc
	ended      chan struct{}
}

const patience = 20 * time.Second

// run starts what follows the rules, and returns when each has its position.
func (s *system) run(rules ...nats.Rule) *program {
	s.t.Helper()
	p := s.begin(rules...)
	for _, r := range rules {
		s.eventually("the position of "+r.String()+" is stored", func() bool {
			mark, err := p.store.LastMark(s.t.Context(), r.Name(), []string{r.Wall})
			return err == nil && mark.Count > 0
		})
	}
	return p
}

func (s *system) begin(rules ...nats.Rule) *program {
	s.t.Helper()
	p := &program{system: s, nc: s.connect(), ended: make(chan struct{})}
	var walls []jetstream.Wall
	for _, name := range []string{"main", "other", "third"} {
		walls = append(walls, jetstream.Wall{Name: name, Events: 10000, Age: time.Hour, Bytes: 64 << 20, History: 100, Payload: 1000})
	}
	var err error
	if p.store, err = jetstream.Open(s.t.Context(), p.nc, jetstream.Config{Walls: walls, Identity: s.server.Identity()}); err != nil {
		s.t.Fatal(err)
	}
	p.supervisor = sources.NewSupervisor(p.store, slog.New(slog.DiscardHandler))
	p.apply(rules...)
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() {
		defer close(p.ended)
		p.supervisor.Run(ctx)
	}()
	s.t.Cleanup(p.stop)
	return p
}

func (p *program) apply(rules ...nats.Rule) {
	p.t.Helper()
	var instances []sources.Instance
	for _, r := range rules {
		if err := r.Check(); err != nil {
			p.t.Fatal(err)
		}
		instances = append(instances, sources.Instance{
			Name: r.Name(), Type: "nats", Version: r.String(), To: stream.Subject{Wall: r.Wall},
			Source: nats.Hurried(nats.New(p.nc, r, 1), 200*time.Millisecond, 400*time.Millisecond),
		})
	}
	if err := p.supervisor.Apply(instances); err != nil {
		p.t.Fatal(err)
	}
}

// stop ends the program in good order.
func (p *program) stop() {
	p.cancel()
	<-p.ended
	p.store.Close()
	p.nc.Close()
}

// crash ends the program such that it can store nothing more, and lets the time
// pass after which others may take its leases.
func (p *program) crash() {
	p.t.Helper()
	p.nc.Close()
	p.stop()
	if err := p.js.PurgeStream("KV_wallcast_leases"); err != nil {
		p.t.Fatal(err)
	}
}

func (s *system) eventually(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: not so after %v", what, patience)
		}
	}
}

func (p *program) events(wall string) []stream.Event {
	p.t.Helper()
	state, err := p.store.State(p.t.Context(), wall)
	if err != nil {
		p.t.Fatal(err)
	}
	var all []stream.Event
	for e, err := range p.store.Range(p.t.Context(), wall, 0, state.Last) {
		if err != nil {
			p.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// shown waits until the wall main shows as many events as want, and compares.
func (p *program) shown(want ...string) {
	p.t.Helper()
	p.shownOn("main", want...)
}

func (p *program) shownOn(wall string, want ...string) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		state, err := p.store.State(p.t.Context(), wall)
		if err != nil {
			p.t.Fatal(err)
		}
		if state.Last >= uint64(len(want)) {
			break
		}
	}
	var got []string
	for _, e := range p.events(wall) {
		subject := strings.TrimPrefix(e.Subject.String(), "wall."+wall+".")
		got = append(got, subject+" "+string(e.Data))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			p.t.Fatalf("on the wall %s, event %d: %q, want %q\nstatus %+v", wall, i+1, got[i], want[i], p.supervisor.Status())
		}
	}
	if len(got) != len(want) {
		p.t.Fatalf("on the wall %s: %d events, want %d\nstatus %+v", wall, len(got), len(want), p.supervisor.Status())
	}
}

func (p *program) status(r nats.Rule) sources.Status {
	for _, s := range p.supervisor.Status() {
		if s.Name == r.Name() {
			return s
		}
	}
	return sources.Status{}
}

// warns waits until the rule's status has a warning with the text.
func (p *program) warns(r nats.Rule, text string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("a warning %q", text), func() bool { return strings.Contains(p.status(r).Warning, text) })
}

func numbered(kind string, from, to int) (payloads, shown []string) {
	for i := from; i <= to; i++ {
		payloads = append(payloads, fmt.Sprint(i))
		shown = append(shown, fmt.Sprintf("%s %d", kind, i))
	}
	return payloads, shown
}
