package main

import (
	"context"
	"errors"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nats"
	"github.com/wallcast/wallcast/stream"
)

// checkRules says which of the walls' events rules can't work.
func (p *program) checkRules(ctx context.Context, cfg *config.Config) error {
	if err := nats.Check(ctx, p.nc, foreignRules(cfg)); err != nil {
		return placeOf(cfg, err)
	}
	return nil
}

// instances are the configured sources, those that the walls' events rules stand
// for, and the plugins that lie in the folder.
func (p *program) instances(cfg *config.Config) []sources.Instance {
	instances := cfg.Instances()
	few := cfg.FewEvents()
	for _, rule := range foreignRules(cfg) {
		instances = append(instances, sources.Instance{
			Name: rule.Name(), Type: "nats", Source: nats.New(p.nc, rule, replicas), Version: rule.String(),
			To: stream.Subject{Wall: rule.Wall}, CheckpointEach: few[rule.Wall],
		})
	}
	return p.pluginInstances(cfg, instances)
}

// prune removes the streams of rules and the schedules of plugins that are gone.
// It comes last: those of a configuration that is not applied go on.
func (p *program) prune(ctx context.Context, cfg *config.Config) {
	if err := nats.Prune(ctx, p.nc, foreignRules(cfg)); err != nil {
		p.log.Warn("the streams of rules that are gone were not removed", "error", err)
	}
	if err := p.store.PruneSchedules(ctx, schedulesOf(cfg)); err != nil {
		p.log.Warn("the schedules of plugins that are gone were not removed", "error", err)
	}
}

// replicas is how many copies a cluster keeps of each stream.
const replicas = 1

func foreignRules(cfg *config.Config) []nats.Rule {
	var rules []nats.Rule
	for _, w := range cfg.Walls {
		for _, r := range w.Events {
			kind := r.Kind
			if r.Key != "" {
				kind += "." + r.Key
			}
			rules = append(rules, nats.Rule{Wall: w.Name, Subject: r.Filter, Kind: kind})
		}
	}
	return rules
}

// foreignSubjects are the subjects that the walls' events rules name.
func foreignSubjects(cfg *config.Config) []string { return nats.Subjects(foreignRules(cfg)) }

// placeOf gives an error about a rule its place in the configuration.
func placeOf(cfg *config.Config, err error) error {
	var part *nats.PartError
	if !errors.As(err, &part) {
		return err
	}
	return cfg.Errorf([]string{"walls", part.Rule.Wall, "events", part.Rule.Subject}, "%v", err)
}
