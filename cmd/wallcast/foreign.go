package main

import (
	"context"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
	"github.com/wallcast/wallcast/sources"
)

// instances are the configured sources.
func (p *program) instances(_ context.Context, cfg *config.Config) ([]sources.Instance, error) {
	return cfg.Instances(), nil
}

// foreignSubjects are the subjects that the walls' events rules name.
func foreignSubjects(cfg *config.Config) []string {
	var subjects []string
	for _, w := range cfg.Walls {
		for _, rule := range w.Events {
			subjects = append(subjects, rule.Filter)
		}
	}
	return subjects
}
