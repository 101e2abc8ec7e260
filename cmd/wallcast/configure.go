package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
	"github.com/wallcast/wallcast/sources"
)

func setupInit(*pflag.FlagSet) func(context.Context, *invocation) error {
	return func(_ context.Context, inv *invocation) error {
		folder := "."
		switch {
		case len(inv.args) > 1:
			return usagef("wallcast init takes one FOLDER")
		case len(inv.args) == 1:
			folder = inv.args[0]
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("making the folder: %w", err)
		}
		statuses, err := demoFiles.ReadFile("demo/statuses.txt")
		if err != nil {
			return err
		}
		files := []struct{ name, content string }{{configFile, config.Starter()}, {"statuses.txt", string(statuses)}}
		for _, f := range files {
			if path := filepath.Join(folder, f.name); exists(path) {
				return keeps(path)
			}
		}
		for _, f := range files {
			if err := writeNew(filepath.Join(folder, f.name), f.content); err != nil {
				return err
			}
			fmt.Fprintln(inv.stdout, "wrote", filepath.Join(folder, f.name))
		}
		next := "wallcast serve"
		if folder != "." {
			next = "cd " + folder + " && " + next
		}
		fmt.Fprintf(inv.stdout, "\nNext: %s\n", next)
		return nil
	}
}

// writeNew writes a file and refuses to replace one.
func writeNew(path, content string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return keeps(path)
	}
	if err != nil {
		return fmt.Errorf("writing a file: %w", err)
	}
	_, err = f.WriteString(content)
	return errors.Join(err, f.Close())
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func keeps(path string) error {
	return fmt.Errorf("%s is there already, and is left as it is; move it away first", path)
}

const checkHelp = `
An error is something that can't work: a wrong setting, jq or address. It is shown
with its line, and the exit code is 1. A warning is something that is not there
now and may be later: a file, or a server that does not answer within 5 seconds.`

// checkTime is how long the sources may look for what they read from.
const checkTime = 5 * time.Second

func setupCheck(flags *pflag.FlagSet) func(context.Context, *invocation) error {
	strict := flags.Bool("strict", false, "take warnings for errors")
	offline := flags.Bool("offline", false, "look at the configuration alone, and at nothing that it names")
	return func(ctx context.Context, inv *invocation) error {
		cfg, err := inv.load()
		if err != nil {
			return err
		}
		var warnings []error
		if !*offline {
			warnings = lookAround(ctx, cfg)
		}
		if *strict && len(warnings) > 0 {
			return errors.Join(warnings...)
		}
		for _, warning := range warnings {
			fmt.Fprintln(inv.stderr, "warning:", warning)
		}
		fmt.Fprintf(inv.stdout, "%s is good: %s, %s, %s\n", inv.configPath(),
			count(len(cfg.Walls), "wall"), count(len(cfg.Sources), "source"), count(len(cfg.Tokens), "token"))
		return nil
	}
}

// lookAround lets all sources look for what they read from, and returns what
// they miss, in their order.
func lookAround(ctx context.Context, cfg *config.Config) []error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	found := make([]error, len(cfg.Sources))
	var looking sync.WaitGroup
	for i, s := range cfg.Sources {
		if checker, ok := s.Run.(sources.Checker); ok {
			looking.Go(func() { found[i] = missing(cfg, s, checker.Check(ctx)) })
		}
	}
	looking.Wait()
	return slices.DeleteFunc(found, func(err error) bool { return err == nil })
}

// missing gives what a source misses its place in the configuration.
func missing(cfg *config.Config, s config.Source, err error) error {
	if err == nil {
		return nil
	}
	path := []string{"sources", s.Name, s.Type}
	var setting *sources.SettingError
	if errors.As(err, &setting) {
		path, err = append(path, strings.Split(setting.Setting, ".")...), setting.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %v", checkTime)
	}
	return cfg.Errorf(path, "has a problem: %s", oneLine(err.Error()))
}

func (inv *invocation) configPath() string {
	if inv.config == "" {
		return configFile
	}
	return inv.config
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func setupSchema(flags *pflag.FlagSet) func(context.Context, *invocation) error {
	reference := flags.Bool("reference", false, "print the settings as Markdown instead")
	return func(_ context.Context, inv *invocation) error {
		if *reference {
			return config.Reference(inv.stdout, sourceTypes)
		}
		return config.Schema(inv.stdout, sourceTypes)
	}
}
