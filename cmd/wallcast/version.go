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

// build names this build: the module's version or commit, and what stands for
// the page's files, so that an open page notices another build.
var build = sync.OnceValue(func() string {
	assets := path.Base(path.Dir(views.AssetURL("wall.css")))
	version := "dev"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version + "-" + assets
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		version = v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && version == "dev" {
			version = s.Value[:min(12, len(s.Value))]
		}
	}
	return version + "-" + assets
})
