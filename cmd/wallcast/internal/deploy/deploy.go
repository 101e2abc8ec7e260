package deploy

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/wallcast/wallcast/plugins"
)

const (
	// lookEvery is how often the folder is looked at: notifications are not to be
	// had on network folders. A file is taken when two looks have found it the same.
	lookEvery = 500 * time.Millisecond

	// retryEvery is how often a file that could not be loaded is tried again, for
	// a reason that may lie elsewhere, as a disk that was full.
	retryEvery = time.Minute

	// grace is how long a retired plugin's last call has to store its events.
	grace = 2 * time.Second
)

// Form is a form that plugins have.
type Form struct {
	Host   plugins.Host
	Memory int64 // that a run may have where the settings say nothing, in bytes
}

// Config is what a Deployer is made of.
type Config struct {
	Trust      Trust
	Executable Form
	Module     Form // of WebAssembly
	Log        *slog.Logger
}

// State is how it stands with a plugin's file.
type State string

// The states.
const (
	Missing   State = "missing"   // it is configured, and has no file
	Loading   State = "loading"   // its file was found
	Untrusted State = "untrusted" // its file is an executable that nobody has trusted
	Broken    State = "broken"    // its file can't be loaded
	Ready     State = "ready"     // it runs when it is called
	Retired   State = "retired"   // its file was removed
)

// Status is how a plugin is doing.
type Status struct {
	Name    string    `json:"name"`
	File    string    `json:"file,omitempty"` // in the folder, at present
	State   State     `json:"state"`
	Since   time.Time `json:"since"`
	SHA256  string    `json:"sha256,omitempty"`  // of what it runs
	Problem string    `json:"problem,omitempty"` // why what it runs is not what lies in the folder
}

// Deployer keeps what plugins run as it lies in the folder. Its methods may be
// called concurrently.
type Deployer struct {
	config  Config
	changed chan struct{}
	loads   sync.WaitGroup
	turns   chan struct{} // holds a token for each load that is under way

	mu      sync.Mutex
	wanted  Wanted
	plugins map[string]*plugin
	strange map[string]string // what was said of files that are no plugins
}

// New makes a Deployer, which does nothing until [Deployer.Apply].
func New(c Config) *Deployer {
	if err := c.Trust.tidy(); err != nil {
		c.Log.Warn("copies of plugins that are not trusted any more were not removed", "error", err)
	}
	return &Deployer{
		config: c, changed: make(chan struct{}, 1), turns: make(chan struct{}, 2),
		plugins: map[string]*plugin{}, strange: map[string]string{},
	}
}

// Changed receives when the set of plugins that the folder adds to the
// configuration has changed.
func (d *Deployer) Changed() <-chan struct{} { return d.changed }

// Apply takes another configuration, and looks at the folder.
func (d *Deployer) Apply(w Wanted) {
	d.mu.Lock()
	d.wanted = w
	for name := range w.Files {
		d.plugin(name).configured = true
	}
	for name, p := range d.plugins {
		_, p.configured = w.Files[name]
	}
	d.mu.Unlock()
	d.look(context.Background(), false)
}

// Run follows the folder until ctx ends.
func (d *Deployer) Run(ctx context.Context) {
	defer d.loads.Wait()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			d.look(ctx, true)
		}
	}
}

// Close frees all programs. Run and all calls must have ended.
func (d *Deployer) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.plugins {
		p.slot.Swap(nil)
	}
}

// Parts are what a plugin runs from and where its log goes. They stay the same
// while the plugin is configured or has a file.
func (d *Deployer) Parts(name string) (*plugins.Slot, *plugins.Journal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.plugin(name)
	return p.slot, p.journal
}

// Added are the names of the plugins that the folder adds to the configuration,
// sorted; those too whose file was removed while they ran.
func (d *Deployer) Added() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for name, p := range d.plugins {
		if !p.configured && !d.wanted.Taken[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Adds reports whether the folder adds a plugin of that name at this moment.
func (d *Deployer) Adds(name string) bool {
	d.mu.Lock()
	p, wanted := d.plugins[name], d.wanted
	known := p != nil && !p.configured && p.seen.file != ""
	d.mu.Unlock()
	if known {
		return true
	}
	if _, configured := wanted.Files[name]; configured || wanted.check(name) != nil {
		return false
	}
	c, err := wanted.read()
	return err == nil && len(c.files[name]) > 0
}

// Wanted returns what Apply was given last.
func (d *Deployer) Wanted() Wanted {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.wanted
}

// Status returns how each plugin is doing, sorted by name, and what is wrong with
// files that are none.
func (d *Deployer) Status() (all []Status, strange []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.plugins {
		all = append(all, p.status)
	}
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
	return all, slices.Sorted(maps.Values(d.strange))
}

// Journal returns a plugin's log, or nil where there is no such plugin.
func (d *Deployer) Journal(name string) *plugins.Journal {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.plugins[name]; p != nil {
		return p.journal
	}
	return nil
}

// plugin returns the plugin of that name; the caller holds mu.
func (d *Deployer) plugin(name string) *plugin {
	p := d.plugins[name]
	if p == nil {
		p = newPlugin(name, d.config.Log)
		d.plugins[name] = p
	}
	return p
}

// look compares the folder with what was seen of it before.
func (d *Deployer) look(ctx context.Context, load bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	found, err := d.wanted.read()
	if err != nil { // what runs goes on
		d.say(map[string]string{"": err.Error()})
		return
	}
	pins, err := d.config.Trust.Pins()
	if err != nil {
		found.strange["trust"] = err.Error()
	}
	before := d.added()
	for name := range found.files {
		d.plugin(name)
	}
	for name, p := range d.plugins {
		files := found.files[name]
		s := p.choose(files)
		if len(files) > 1 {
			found.strange[name] = several(name, files) + ", of which " + s.file + " counts until then"
		}
		switch {
		case s.file == "" && p.leave(d.wanted):
			delete(d.plugins, name)
		case s.file != "" && p.settle(s, pins[name].SHA256) && load:
			d.load(ctx, p, pins[name])
		}
	}
	d.say(found.strange)
	if !maps.Equal(before, d.added()) {
		select {
		case d.changed <- struct{}{}:
		default: // one is waiting to be seen already
		}
	}
}

// added are the plugins that no setting names; the caller holds mu.
func (d *Deployer) added() map[string]bool {
	names := map[string]bool{}
	for name, p := range d.plugins {
		if !p.configured {
			names[name] = true
		}
	}
	return names
}

// say logs what is strange, once.
func (d *Deployer) say(strange map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(strange)) {
		if d.strange[key] != strange[key] {
			d.config.Log.Warn("something in the plugins folder is not as it should be", "problem", strange[key])
		}
	}
	d.strange = strange
}

// load begins to load a plugin's file.
func (d *Deployer) load(ctx context.Context, p *plugin, pin Pin) {
	p.loading = true
	j := job{config: d.config, folder: d.wanted.Folder, sight: p.seen, pin: pin, name: p.name, running: p.status.SHA256}
	d.loads.Go(func() {
		d.turns <- struct{}{}
		r := j.do(ctx)
		<-d.turns
		d.mu.Lock()
		defer d.mu.Unlock()
		p.loading = false
		if ctx.Err() != nil || d.plugins[p.name] != p || p.seen.file == "" {
			if err := r.close(); err != nil {
				d.config.Log.Warn("a plugin's program was not closed", "plugin", p.name, "error", err)
			}
			if errors.Is(r.err, context.Canceled) {
				return
			}
			p.tried = sight{}
			return
		}
		p.take(r)
	})
}
