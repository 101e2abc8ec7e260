package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/deploy"
	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
)

// openPlugins begins to deploy what lies in the plugins folder.
func (p *program) openPlugins(cfg *config.Config) error {
	hosts, err := openHosts(cfg.Data, p.network)
	if err != nil {
		return err
	}
	p.deployer = deploy.New(deploy.Config{
		Trust: trustOf(cfg.Data), Executable: executables, Module: hosts.module, Log: p.log,
	})
	p.opened = append(p.opened, func() {
		p.deployer.Close()
		if err := hosts.Close(); err != nil {
			p.log.Error("stopping plugins", "error", err)
		}
	})
	p.deployer.Apply(wantedPlugins(cfg))
	return nil
}

// wantedPlugins is what a configuration says of plugins.
func wantedPlugins(cfg *config.Config) deploy.Wanted {
	w := deploy.Wanted{Folder: cfg.Plugins, Files: map[string]string{}, Taken: map[string]bool{}}
	for _, s := range cfg.Sources {
		if plugin, ok := s.Run.(*plugins.Plugin); ok {
			w.Files[s.Name] = plugin.Settings().File
		} else {
			w.Taken[s.Name] = true
		}
	}
	for _, rule := range foreignRules(cfg) {
		w.Taken[rule.Name()] = true
	}
	return w
}

// pluginInstances gives the plugins among instances what they run with, and adds
// those that the folder adds.
func (p *program) pluginInstances(cfg *config.Config, instances []sources.Instance) []sources.Instance {
	named := map[string]bool{}
	for i := range instances {
		named[instances[i].Name] = true
		p.bindPlugin(cfg, &instances[i])
	}
	for _, name := range p.deployer.Added() {
		if named[name] {
			continue
		}
		instance, err := cfg.DefaultPlugin(name, sources.Env{Network: p.network})
		if err != nil {
			p.log.Error("a plugin was left out", "plugin", name, "error", err)
			continue
		}
		p.bindPlugin(cfg, &instance)
		instances = append(instances, instance)
	}
	return instances
}

// bindPlugin gives a plugin what it runs with.
func (p *program) bindPlugin(cfg *config.Config, instance *sources.Instance) {
	plugin, ok := instance.Source.(*plugins.Plugin)
	if !ok {
		return
	}
	var walls []string
	for _, w := range cfg.Walls {
		walls = append(walls, w.Name)
	}
	slot, journal := p.deployer.Parts(instance.Name)
	instance.Source = plugin.With(plugins.Around{
		Store: p.store, Reader: p.store, Walls: walls, Slot: slot, Logs: journal, Mapped: instance.Transform != nil,
	})
	if plugin.Settings().On != "" { // it listens to other walls where there are others
		instance.Version += " " + strings.Join(walls, " ")
	}
}

// schedulesOf are the plugins that may have a schedule.
func schedulesOf(cfg *config.Config) []string {
	var names []string
	for name := range wantedPlugins(cfg).Files {
		names = append(names, name)
	}
	return names
}

// pluginNamed returns the source of a plugin that is configured or lies in the
// folder.
func (p *program) pluginNamed(name string) (sources.Instance, bool) {
	cfg := p.site.config()
	if instance, ok := cfg.Instance(name); ok {
		_, isPlugin := instance.Source.(*plugins.Plugin)
		return instance, isPlugin
	}
	if !p.deployer.Adds(name) {
		return sources.Instance{}, false
	}
	instance, err := cfg.DefaultPlugin(name, sources.Env{Network: p.network})
	return instance, err == nil
}

// firePlugin answers a request to a plugin's hook. Whether the plugin could be
// loaded doesn't matter: the request waits for it.
func (p *program) firePlugin(w http.ResponseWriter, r *http.Request, instance sources.Instance) {
	problem := p.mayFire(w, r, instance)
	if problem != nil {
		problem.Write(w)
		return
	}
	body, problem := readHook(w, r, sources.Hook{})
	if problem != nil {
		problem.Write(w)
		return
	}
	dedupe := ""
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		dedupe = access.CallerOf(r).Scope() + " " + key
	}
	ctx := context.WithoutCancel(r.Context()) // what was sent is not taken back by hanging up
	number, repeat, err := plugins.Enqueue(ctx, p.store, instance.Name, plugins.RequestOf(r), body, dedupe)
	switch {
	case errors.Is(err, stream.ErrFull):
		(&access.Problem{Status: http.StatusServiceUnavailable, RetryAfter: 30 * time.Second, Detail: fmt.Sprintf("As much as may wait for the plugin %s does so already; send it again later.", instance.Name)}).Write(w)
	case errors.Is(err, stream.ErrTooLarge):
		(&access.Problem{Status: http.StatusRequestEntityTooLarge, Detail: "The request is larger than the NATS server accepts (its max_payload)."}).Write(w)
	case err != nil:
		p.log.Error("a request to a plugin was not kept", "plugin", instance.Name, "error", err)
		(&access.Problem{Status: http.StatusServiceUnavailable, RetryAfter: 5 * time.Second, Detail: "The store did not acknowledge the request; send it again."}).Write(w)
	case repeat:
		writeJSON(w, http.StatusOK, hookAnswer{number, "received before"})
	default:
		writeJSON(w, http.StatusAccepted, hookAnswer{number, "accepted"})
	}
}

// mayFire says why a request may not run a plugin. What it makes is an event on a
// wall, so the wall's rule for writing counts.
func (p *program) mayFire(w http.ResponseWriter, r *http.Request, instance sources.Instance) *access.Problem {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return &access.Problem{Status: http.StatusMethodNotAllowed, Detail: fmt.Sprintf("%.20s is not supported here, only POST.", r.Method)}
	}
	if plugin := instance.Source.(*plugins.Plugin); !plugin.Settings().HTTP {
		return &access.Problem{Status: http.StatusNotFound, Detail: fmt.Sprintf("The plugin %s takes no requests; sources.%s.plugin.http in the configuration permits them.", instance.Name, instance.Name)}
	}
	subject, err := instance.Subject(sources.Event{})
	if err != nil {
		return &access.Problem{Status: http.StatusNotFound, Detail: err.Error()}
	}
	if problem := p.guard.MayPublish(r, subject); problem != nil {
		return problem
	}
	if !instance.Hold && p.holds(r, subject) {
		return &access.Problem{Status: http.StatusForbidden, Detail: fmt.Sprintf(
			"Posts without a token wait for a moderator on the wall %s, and the events of the plugin %s do not; set sources.%s.hold in the configuration, or send a token.", subject.Wall, instance.Name, instance.Name)}
	}
	return nil
}
