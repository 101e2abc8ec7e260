package deploy

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/wallcast/wallcast/plugins"
)

// plugin is a plugin that is configured or has a file. The Deployer's mu guards it.
type plugin struct {
	name       string
	log        *slog.Logger
	slot       *plugins.Slot
	journal    *plugins.Journal
	configured bool

	seen     sight  // the file as it was seen last
	tried    sight  // the file that was loaded last, or was tried to
	triedPin string // the hash that was trusted then
	triedAt  time.Time
	loading  bool
	absences int // looks that have found no file

	program *tracked // what runs, or ran last
	idle    time.Time
	status  Status
}

func newPlugin(name string, log *slog.Logger) *plugin {
	return &plugin{
		name: name, log: log, slot: plugins.NewSlot(log), journal: new(plugins.Journal),
		status: Status{Name: name, State: Missing, Since: time.Now()},
	}
}

// choose returns the file that counts of those that there are: the one that did
// before, else the first.
func (p *plugin) choose(files []sight) sight {
	for _, f := range files {
		if f.file == p.seen.file {
			return f
		}
	}
	if len(files) > 0 {
		return files[0]
	}
	return sight{}
}

// settle notes the file that was found, and reports whether it is to be loaded.
func (p *plugin) settle(s sight, pinned string) bool {
	p.absences = 0
	p.status.File = s.file
	if !p.seen.same(s) {
		p.seen = s
		if p.program == nil || p.status.State == Retired || p.status.State == Missing {
			p.enter(Loading, "")
		}
		return false
	}
	if p.loading || p.tried.same(s) && p.triedPin == pinned && (p.status.State != Broken || time.Since(p.triedAt) < retryEvery) {
		return false
	}
	p.tried, p.triedPin, p.triedAt = s, pinned, time.Now()
	return true
}

// leave notes that there is no file, and reports whether nothing is left of the
// plugin.
func (p *plugin) leave(w Wanted) bool {
	if p.absences++; p.absences == 1 && p.seen.file != "" {
		return false // it may be about to be replaced
	}
	if p.seen.file != "" {
		p.seen, p.tried, p.status.File, p.status.SHA256 = sight{}, sight{}, "", ""
		p.slot.Swap(nil)
		if !p.configured {
			p.enter(Retired, "")
			p.log.Info("a plugin was retired", "plugin", p.name)
		}
	}
	if p.configured {
		problem := w.missing(p.name).Error()
		if p.status.State != Missing || p.status.Problem != problem {
			p.log.Warn("a plugin has no file", "plugin", p.name, "problem", problem)
		}
		p.enter(Missing, problem)
		return false
	}
	if p.loading || p.program != nil && !p.program.closed.Load() {
		return false // calls go on
	}
	if p.idle.IsZero() {
		p.idle = time.Now()
	}
	return time.Since(p.idle) >= grace
}

// enter notes a state, and what is wrong.
func (p *plugin) enter(state State, problem string) {
	if p.status.State != state {
		p.status.State, p.status.Since = state, time.Now()
	}
	p.status.Problem = problem
	p.idle = time.Time{}
}

// take makes what was loaded what runs.
func (p *plugin) take(r result) {
	before := p.status
	if r.program != nil {
		p.program = &tracked{Program: r.program}
		p.status.SHA256 = r.sum
		p.slot.Swap(&plugins.Loaded{Program: p.program, Memory: r.memory})
		p.enter(Ready, "")
		p.status.Since = time.Now()
		p.log.Info("a plugin was deployed", "plugin", p.name, "file", p.seen.file, "sha256", r.sum)
	}
	switch {
	case r.err == nil:
		p.enter(Ready, "")
	case p.slot.Loaded():
		p.enter(Ready, r.err.Error()+"; the former version goes on")
	default:
		p.enter(r.state, r.err.Error())
	}
	if r.err != nil && p.status.Problem != before.Problem {
		p.log.Warn("a plugin's file does not run", "plugin", p.name, "file", p.seen.file, "problem", p.status.Problem)
	}
}

// tracked is a program that tells when it was closed.
type tracked struct {
	plugins.Program
	closed atomic.Bool
}

// Close implements plugins.Program.
func (t *tracked) Close() error {
	defer t.closed.Store(true)
	return t.Program.Close()
}
