package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
	"github.com/wallcast/wallcast/stream"
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

func setupCheck(*pflag.FlagSet) func(context.Context, *invocation) error {
	return func(_ context.Context, inv *invocation) error {
		cfg, err := inv.load()
		if err != nil {
			return err
		}
		fmt.Fprintf(inv.stdout, "%s is good: %s, %s, %s\n", inv.configPath(),
			count(len(cfg.Walls), "wall"), count(len(cfg.Sources), "source"), count(len(cfg.Tokens), "token"))
		return nil
	}
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

const tokenHelp = `
It prints the secret, once, and the entry for wallcast.yaml, which holds only
the secret's hash. A right is one of
  publish SUBJECT   such as "publish wall.main.push" or "publish wall.main.>"
  read WALL         of a private wall; * for every wall
  retract WALL
  admin             everything

  wallcast token ci --allow "publish wall.main.push"`

func setupToken(flags *pflag.FlagSet) func(context.Context, *invocation) error {
	allow := flags.StringArray("allow", nil, "a `RIGHT`; may be given several times")
	return func(_ context.Context, inv *invocation) error {
		if len(inv.args) != 1 {
			return usagef("wallcast token takes the NAME of who gets it")
		}
		name := inv.args[0]
		if err := stream.CheckName("token", name); err != nil {
			return usagef("%v", err)
		}
		if len(*allow) == 0 {
			return usagef(`say what the token allows, as in --allow "publish wall.main.push"`)
		}
		var rights []string
		for _, text := range *allow {
			right, err := access.ParseRight(text)
			if err != nil {
				return usagef("--allow: %v", err)
			}
			rights = append(rights, fmt.Sprintf("%q", right))
		}
		secret := access.NewSecret()
		fmt.Fprintf(inv.stdout, "The secret, shown this once:\n\n  %s\n\nPut this below tokens: in wallcast.yaml:\n\n  %s: {hash: %q, allow: [%s]}\n",
			secret, name, access.HashSecret(secret), strings.Join(rights, ", "))
		return nil
	}
}
