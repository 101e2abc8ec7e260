package main

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/deploy"
	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

// pluginStatus is how a plugin is doing, as commands and pages get it.
type pluginStatus struct {
	deploy.Status
	To     string          `json:"to,omitempty"`     // where its events go
	Card   string          `json:"card,omitempty"`   // what is wrong with its card's template
	Source *sources.Status `json:"source,omitempty"` // nil where another process runs nothing of it either
}

// pluginList is the answer to a question for all plugins.
type pluginList struct {
	Plugins []pluginStatus `json:"plugins"`
	Notes   []string       `json:"notes,omitempty"` // about files that are no plugins
}

// listPlugins answers with how the plugins are doing.
func (p *program) listPlugins(w http.ResponseWriter, r *http.Request) {
	if problem := p.guard.MayAdmin(r); problem != nil {
		problem.Write(w)
		return
	}
	running := map[string]sources.Status{}
	for _, s := range p.sources.Status() {
		running[s.Name] = s
	}
	deployed, notes := p.deployer.Status()
	list := pluginList{Plugins: []pluginStatus{}, Notes: notes}
	for _, d := range deployed {
		status := pluginStatus{Status: d, Card: p.site.cards.Problem(d.Name)}
		if instance, ok := p.pluginNamed(d.Name); ok {
			if subject, err := instance.Subject(sources.Event{}); err == nil {
				status.To = subject.String()
			}
		}
		if s, ok := running[d.Name]; ok {
			status.Source = &s
		}
		list.Plugins = append(list.Plugins, status)
	}
	writeJSON(w, http.StatusOK, list)
}

// pluginLogs answers with what a plugin has logged.
func (p *program) pluginLogs(w http.ResponseWriter, r *http.Request) {
	if problem := p.guard.MayAdmin(r); problem != nil {
		problem.Write(w)
		return
	}
	name := r.PathValue("name")
	journal := p.deployer.Journal(name)
	if journal == nil {
		(&access.Problem{Status: http.StatusNotFound, Detail: fmt.Sprintf("There is no plugin %.80q here; wallcast plugin list shows those that there are.", name)}).Write(w)
		return
	}
	writeJSON(w, http.StatusOK, map[string][]plugins.LogLine{"lines": journal.Logs()})
}

// deadLetter is a dead letter as commands and pages get it.
type deadLetter struct {
	plugins.Dead
	Body []byte `json:"body,omitempty"` // what its trigger came with
}

// listDead answers with a plugin's dead letters, without what came with their
// triggers. A plugin that is gone may have some.
func (p *program) listDead(w http.ResponseWriter, r *http.Request) {
	if problem := p.guard.MayAdmin(r); problem != nil {
		problem.Write(w)
		return
	}
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil || n < 1 || n > maxListed {
		n = 20
	}
	all, err := p.store.DeadLetters(r.Context(), r.PathValue("name"), n)
	if err != nil {
		p.storeProblem(w, "dead letters were not read", err)
		return
	}
	dead := make([]deadLetter, len(all))
	for i, d := range all {
		dead[i].Dead = d
	}
	writeJSON(w, http.StatusOK, map[string][]deadLetter{"dead": dead})
}

// showDead answers with one dead letter.
func (p *program) showDead(w http.ResponseWriter, r *http.Request) {
	number, ok := p.deadNumber(w, r)
	if !ok {
		return
	}
	d, err := p.store.DeadLetter(r.Context(), r.PathValue("name"), number)
	if p.deadProblem(w, r, err) {
		return
	}
	writeJSON(w, http.StatusOK, deadLetter{d, d.Work.Data})
}

// replayDead makes work of a dead letter again.
func (p *program) replayDead(w http.ResponseWriter, r *http.Request) {
	number, ok := p.deadNumber(w, r)
	if !ok {
		return
	}
	if p.deadProblem(w, r, p.store.Replay(r.Context(), r.PathValue("name"), number)) {
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (p *program) deadNumber(w http.ResponseWriter, r *http.Request) (uint64, bool) {
	if problem := p.guard.MayAdmin(r); problem != nil {
		problem.Write(w)
		return 0, false
	}
	number, err := strconv.ParseUint(r.PathValue("number"), 10, 64)
	if err != nil {
		(&access.Problem{Status: http.StatusBadRequest, Detail: "Dead letters are named by their numbers, as in /control/plugins/NAME/dead/12."}).Write(w)
		return 0, false
	}
	return number, true
}

// deadProblem answers an error about a dead letter, if it is one.
func (p *program) deadProblem(w http.ResponseWriter, r *http.Request, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, stream.ErrNotFound):
		(&access.Problem{Status: http.StatusNotFound, Detail: fmt.Sprintf("The plugin %.80s has no dead letter %s; it was replayed, or its time was over.", r.PathValue("name"), r.PathValue("number"))}).Write(w)
	case errors.Is(err, stream.ErrFull):
		(&access.Problem{Status: http.StatusServiceUnavailable, Detail: "As much as may wait for the plugin does so already; replay it later."}).Write(w)
	default:
		p.storeProblem(w, "a dead letter was not read", err)
	}
	return true
}
