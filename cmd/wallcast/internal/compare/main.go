//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// The processes of a measurement are this program too, told by its first argument
// what to be.
const (
	beHub       = "hub"
	beGenerator = "generate"
)

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case beHub:
			return serveHub(ctx, args[1:], stdout)
		case beGenerator:
			return generate(args[1:], stdin, stdout)
		}
	}
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	flags.SetOutput(stderr)
	rounds := flags.Int("rounds", 0, "measure each contender `N` times; 0: as often as a figure needs")
	only := flags.String("run", "", "measure only what matches this `EXPRESSION`")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("reading -run: %w", err)
	}
	folder, err := os.MkdirTemp("", "wallcast-compare-")
	if err != nil {
		return fmt.Errorf("making a folder for the data: %w", err)
	}
	defer os.RemoveAll(folder)
	program, err := build(ctx, folder)
	if err != nil {
		return err
	}
	c := &comparison{program: program, folder: folder, size: promised, rounds: *rounds, out: stdout, log: stderr}
	return c.run(ctx, wanted)
}

// build builds the program that is measured.
func build(ctx context.Context, folder string) (string, error) {
	path := filepath.Join(folder, "wallcast")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/wallcast/wallcast/cmd/wallcast").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building wallcast: %w\n%s", err, out)
	}
	return path, nil
}
