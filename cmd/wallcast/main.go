// Command wallcast serves live walls. See the README for its use, and
// "wallcast help" for its commands.
//
// The program is put together here and nowhere else: serve.go starts and stops
// its parts in order, site.go turns the configuration into what the parts need
// to know of it, routes.go is what it answers over HTTP. Each other file is a
// command.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once, whatever the first is waiting for.
	context.AfterFunc(ctx, stop)
	os.Exit(exitCode(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr), os.Stderr))
}

// usageError is an error in how the program was called.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitCode reports err as people expect it: one sentence, 2 for a wrong call and
// 1 for anything else.
func exitCode(err error, stderr io.Writer) int {
	if err == nil || errors.Is(err, pflag.ErrHelp) {
		return 0
	}
	fmt.Fprintln(stderr, "wallcast:", err)
	if errors.As(err, &usageError{}) {
		return 2
	}
	return 1
}
