package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/pictures"
)

// demoFiles is what the demo serves: its configuration, and the files that its
// sources read.
//
//go:embed demo
var demoFiles embed.FS

func setupDemo(flags *pflag.FlagSet) func(context.Context, *invocation) error {
	verbose := flags.BoolP("verbose", "v", false, "log more")
	return func(ctx context.Context, inv *invocation) error {
		inv.gallery = pictures.New()
		cfg, err := inv.demoConfig()
		if err != nil {
			return err
		}
		p := inv.newProgram(newLog(inv.stderr, *verbose, slog.LevelWarn))
		return p.serve(ctx, cfg, func(base string) {
			announce(inv.stdout, cfg, base)
			fmt.Fprintf(inv.stdout, "  This is the demo; its data lies in %s.\n", cfg.Data)
			fmt.Fprintf(inv.stdout, "  Next: wallcast init writes a wallcast.yaml for a wall of your own. Ctrl-C ends this one.\n\n")
		})
	}
}

// demoFolder is where the demo's files lie: in the user's cache folder or, with
// --data, in a folder of their own there, where they replace nobody's wallcast.yaml.
func (inv *invocation) demoFolder() string {
	if inv.data != "" {
		return filepath.Join(inv.data, "demo")
	}
	cache, err := os.UserCacheDir()
	if err != nil { // no home, as in some containers
		return filepath.Join(os.TempDir(), fmt.Sprintf("wallcast-demo-%d", os.Getuid()))
	}
	return filepath.Join(cache, "wallcast", "demo")
}

// readDemo reads the demo's configuration, without writing anything.
func (inv *invocation) readDemo() (*config.Config, error) {
	content, err := demoFiles.ReadFile("demo/" + configFile)
	if err != nil {
		return nil, err
	}
	cfg, err := config.Parse(filepath.Join(inv.demoFolder(), configFile), content, sourceTypes, inv.around(), os.LookupEnv)
	if err != nil {
		return nil, err
	}
	return cfg, inv.override(cfg)
}

// demoConfig writes the demo's files to its folder and reads its configuration
// from there.
func (inv *invocation) demoConfig() (*config.Config, error) {
	folder := inv.demoFolder()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the demo's folder: %w", err)
	}
	files, err := demoFiles.ReadDir("demo")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		content, err := demoFiles.ReadFile("demo/" + f.Name())
		if err != nil {
			return nil, err
		}
		if err := replaceFile(filepath.Join(folder, f.Name()), content); err != nil {
			return nil, fmt.Errorf("writing the demo's files: %w", err)
		}
	}
	return inv.readDemo()
}

// replaceFile writes a file if its content differs, in one step: a demo that is
// running reads it.
func replaceFile(path string, content []byte) error {
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, content) {
		return nil
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
