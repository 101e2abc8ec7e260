package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/wallcast/wallcast/stream"
)

const trustHelp = `
An executable in the plugins folder runs once you trust it. What runs is a copy of
what it is now: after a change the trusted version goes on until you trust the new
one. A wallcast that is running takes it within two seconds. WebAssembly modules
need no trust; they reach only what the configuration allows.

A trusted executable may do whatever the user may who runs wallcast: read it first.`

func setupTrust(*pflag.FlagSet) func(context.Context, *invocation) error {
	return func(_ context.Context, inv *invocation) error {
		if len(inv.args) != 1 {
			return usagef("wallcast trust takes the NAME of a plugin")
		}
		name := inv.args[0]
		if err := stream.CheckName("plugin", name); err != nil {
			return usagef("%v", err)
		}
		cfg, err := inv.loadOrDemo()
		if err != nil {
			return err
		}
		file, err := wantedPlugins(cfg).Find(name)
		if err != nil {
			return err
		}
		if isModule(file) {
			fmt.Fprintf(inv.stdout, "%s is a WebAssembly module, which needs no trust\n", file)
			return nil
		}
		pin, err := trustOf(cfg.Data).Add(name, file)
		if err != nil {
			return err
		}
		fmt.Fprintf(inv.stdout, "%s is trusted as the plugin %s\nsha256 %s\n", file, name, pin.SHA256)
		return nil
	}
}
