package plugincard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/wallcast/wallcast/stream"
)

// Suffix is what the name of a plugin's template ends with.
const Suffix = ".card.html"

// lookEvery is how often the folder is looked at. A file is taken when two looks
// have found it the same.
const lookEvery = 500 * time.Millisecond

// Folder keeps the cards that lie in the plugins folder. Its methods may be called
// concurrently.
type Folder struct {
	log *slog.Logger

	mu    sync.RWMutex
	path  string
	cards map[string]*entry // by plugin
}

// entry is a template's file.
type entry struct {
	seen    fs.FileInfo
	taken   fs.FileInfo // the one that was compiled; nil: none yet
	card    *Card       // nil: it is faulty
	problem string      // what is wrong with the template, or was with the last card
}

// NewFolder returns a Folder without cards. Problems go to log, once each.
func NewFolder(log *slog.Logger) *Folder { return &Folder{log: log, cards: map[string]*entry{}} }

// Open takes what lies in the folder at path, which may be missing, at once.
func (f *Folder) Open(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if path != f.path {
		f.path, f.cards = path, map[string]*entry{}
	}
	f.look()
	f.look() // what is there at the start is not about to be written
}

// Run follows the folder until ctx ends.
func (f *Folder) Run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			f.mu.Lock()
			f.look()
			f.mu.Unlock()
		}
	}
}

// look looks at the folder; the caller holds mu.
func (f *Folder) look() {
	entries, err := os.ReadDir(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return // the plugins themselves report it; what is known goes on
	}
	found := map[string]bool{}
	for _, file := range entries {
		name, ok := strings.CutSuffix(file.Name(), Suffix)
		if !ok || stream.CheckName("plugin", name) != nil {
			continue
		}
		info, err := os.Stat(filepath.Join(f.path, file.Name()))
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		found[name] = true
		f.settle(name, info)
	}
	maps.DeleteFunc(f.cards, func(name string, _ *entry) bool { return !found[name] })
}

// settle notes a template as it was found, and compiles it when it was the same
// before.
func (f *Folder) settle(name string, info fs.FileInfo) {
	e := f.cards[name]
	if e == nil {
		e = &entry{}
		f.cards[name] = e
	}
	before := e.seen
	e.seen = info
	if before == nil || !same(before, info) || e.taken != nil && same(e.taken, info) {
		return
	}
	e.taken, e.problem = info, ""
	var err error
	if e.card, err = f.compile(name); err != nil {
		e.card = nil
		f.note(name, e, fmt.Sprintf("%s%s is faulty, and the standard card is shown: %v", name, Suffix, err))
	}
}

func same(a, b fs.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

func (f *Folder) compile(name string) (*Card, error) {
	path := filepath.Join(f.path, name+Suffix)
	if info, err := os.Stat(path); err == nil && info.Size() > maxTemplate {
		return nil, fmt.Errorf("it has %d bytes; %d are allowed", info.Size(), maxTemplate)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Compile(name+Suffix, string(text))
}

// note keeps a problem, and logs it if it is new; the caller holds mu.
func (f *Folder) note(name string, e *entry, problem string) {
	if e.problem != problem {
		f.log.Warn("a plugin's card is not shown", "plugin", name, "problem", problem)
	}
	e.problem = problem
}

// Body makes the body of an event's card, if the plugin that it is from has brought
// a template that can.
func (f *Folder) Body(event stream.Event, image func(src string) string) (string, bool) {
	f.mu.RLock()
	e := f.cards[event.Source]
	var card *Card
	if e != nil {
		card = e.card
	}
	f.mu.RUnlock()
	if card == nil {
		return "", false
	}
	body, err := card.Body(event, image)
	if err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.note(event.Source, e, fmt.Sprintf("%s%s failed, and standard cards are shown where it does: %v", event.Source, Suffix, err))
		return "", false
	}
	return body, strings.TrimSpace(body) != ""
}

// Problem is what is wrong with a plugin's template, "" if nothing is.
func (f *Folder) Problem(name string) string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if e := f.cards[name]; e != nil {
		return e.problem
	}
	return ""
}
