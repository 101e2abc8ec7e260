package sources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/wallcast/wallcast/stream"
)

// Instance is one configured source.
type Instance struct {
	Name   string // in the configuration; its lease, cursor and log go by it
	Type   string // the name of its Type, for the status
	Source Source

	// Version stands for the configuration that Source and Transform were made of.
	// Apply leaves an instance alone when nothing but these differs.
	Version string

	// To is where events go. Its Wall is set; its Kind and Key count for events
	// that say none, and may be empty.
	To stream.Subject

	// Walls are further walls that its events may name.
	Walls []string

	// Transform, when it is set, makes zero or more events of each.
	Transform Transform

	// Rate bounds how fast events are stored; those beyond it wait.
	Rate Rate

	// Hold lets events wait for a moderator instead of publishing them.
	Hold bool

	// CheckpointEach is for walls that keep few events (below a thousand): it
	// saves the cursor after each event, because what others publish could evict
	// the event that carries it within the second that a checkpoint may wait.
	CheckpointEach bool
}

func (i Instance) check() error {
	if err := stream.CheckName("source", i.Name); err != nil {
		return err
	}
	if i.Source == nil {
		return fmt.Errorf("the source %q has nothing to run", i.Name)
	}
	if _, err := stream.NewSubject(i.To.Wall, i.To.Kind, i.To.Key); err != nil {
		return fmt.Errorf("the source %q: %w", i.Name, err)
	}
	return nil
}

func (i Instance) same(j Instance) bool {
	return i.Name == j.Name && i.Type == j.Type && i.Version == j.Version && i.To == j.To &&
		slices.Equal(i.Walls, j.Walls) && i.CheckpointEach == j.CheckpointEach &&
		i.Rate == j.Rate && i.Hold == j.Hold
}

// Subject returns where an event goes. The error says why it can't go anywhere.
func (i Instance) Subject(e Event) (stream.Subject, error) {
	if e.Wall != "" && e.Wall != i.To.Wall && !slices.Contains(i.Walls, e.Wall) {
		return stream.Subject{}, fmt.Errorf("the source may not write to the wall %.100q; permit it in the configuration", e.Wall)
	}
	return stream.NewSubject(first(e.Wall, i.To.Wall), first(e.Kind, i.To.Kind), first(e.Key, i.To.Key))
}

// walls are all walls that the instance may write to.
func (i Instance) walls() []string {
	all := append([]string{i.To.Wall}, i.Walls...)
	slices.Sort(all)
	return slices.Compact(all)
}

// Supervisor runs instances. Its methods may be called concurrently.
type Supervisor struct {
	store Store
	log   *slog.Logger

	mu      sync.Mutex
	ctx     context.Context // Run's; nil before it
	ended   bool
	runners map[string]*runner
	running sync.WaitGroup
}

// NewSupervisor makes a supervisor that stores events in store.
func NewSupervisor(store Store, log *slog.Logger) *Supervisor {
	return &Supervisor{store: store, log: log, runners: map[string]*runner{}}
}

// Apply makes instances the ones that run: it starts those that are new, stops
// those that are not among them, restarts those that differ and leaves the
// others alone. It does not wait: an instance that is restarted begins when its
// former run has ended. Before Run it only says what Run starts with. When it
// returns an error, nothing has changed.
func (s *Supervisor) Apply(instances []Instance) error {
	wanted := map[string]Instance{}
	for _, i := range instances {
		if err := i.check(); err != nil {
			return err
		}
		if _, twice := wanted[i.Name]; twice {
			return fmt.Errorf("there are two sources named %q; rename one", i.Name)
		}
		wanted[i.Name] = i
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return errors.New("the supervisor has ended")
	}
	for name, r := range s.runners {
		if i, ok := wanted[name]; !ok || r.retired || !i.same(r.Instance) {
			s.retire(r)
		} else {
			delete(wanted, name)
		}
	}
	for _, i := range wanted {
		s.add(i)
	}
	return nil
}

// retire stops a runner. It stays listed until it has ended.
func (s *Supervisor) retire(r *runner) {
	r.retired = true
	if r.stop == nil { // never started
		delete(s.runners, r.Name)
		return
	}
	r.stop()
}

// add lists a runner and, once Run is called, starts it.
func (s *Supervisor) add(i Instance) {
	r := newRunner(i, s.store, s.log)
	if former := s.runners[i.Name]; former != nil {
		r.former = former.ended
	}
	s.runners[i.Name] = r
	if s.ctx != nil {
		s.start(r)
	}
}

func (s *Supervisor) start(r *runner) {
	ctx, stop := context.WithCancel(s.ctx)
	r.stop = stop
	s.running.Go(func() {
		defer stop()
		r.run(ctx)
		s.forget(r)
	})
}

// forget takes a runner that was retired from the list.
func (s *Supervisor) forget(r *runner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.retired && s.runners[r.Name] == r {
		delete(s.runners, r.Name)
	}
}

// Run runs what Apply has given and gives, until ctx ends and every instance
// has returned. It is called once.
func (s *Supervisor) Run(ctx context.Context) {
	s.mu.Lock()
	s.ctx = ctx
	for _, r := range s.runners {
		s.start(r)
	}
	s.mu.Unlock()

	<-ctx.Done()
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.running.Wait()
}

// Status returns how every instance is doing, sorted by name.
func (s *Supervisor) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Status, 0, len(s.runners))
	for _, r := range s.runners {
		all = append(all, r.progress.snapshot())
	}
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
