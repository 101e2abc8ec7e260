package main

import (
	"context"
	"fmt"
	"path"
	"runtime/debug"
	"sync"

	"github.com/spf13/pflag"

	"github.com/wallcast/wallcast/views"
)

func setupVersion(*pflag.FlagSet) func(context.Context, *invocation) error {
	return func(_ context.Context, inv *invocation) error {
		fmt.Fprintln(inv.stdout, "wallcast", build())
		return nil
	}
}

// version names what this build was made of: the module's version or commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "dev"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return "dev"
}

// build names this build: its version, and what stands for the page's files, so
// that an open page notices another build.
var build = sync.OnceValue(func() string {
	return version() + "-" + path.Base(path.Dir(views.AssetURL("wall.css")))
})
