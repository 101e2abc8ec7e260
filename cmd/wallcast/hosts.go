package main

import (
	"path/filepath"
	"strings"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/deploy"
	"github.com/wallcast/wallcast/plugins/process"
	"github.com/wallcast/wallcast/plugins/wasm"
	"github.com/wallcast/wallcast/sources"
)

const (
	// executableMemory and moduleMemory are what a run may have by default, in bytes.
	executableMemory = 256 << 20
	moduleMemory     = 64 << 20
)

// trustOf is where the program that has this data folder keeps which executables
// are trusted.
func trustOf(data string) deploy.Trust { return deploy.Trust{Folder: filepath.Join(data, "plugins")} }

// executables is the form of plugins that are processes.
var executables = deploy.Form{Host: process.Host{}, Memory: executableMemory}

// pluginHosts run the other plugins.
type pluginHosts struct {
	module deploy.Form
	wasm   *wasm.Host
}

// openHosts opens the hosts of the program that has this data folder.
func openHosts(data string, network sources.Network) (*pluginHosts, error) {
	host, err := wasm.New(wasm.Config{Cache: filepath.Join(trustOf(data).Folder, "compiled"), Client: network.Client})
	if err != nil {
		return nil, err
	}
	return &pluginHosts{
		module: deploy.Form{Host: host, Memory: moduleMemory},
		wasm:   host,
	}, nil
}

// Close frees what the hosts have. All programs must be closed.
func (h *pluginHosts) Close() error { return h.wasm.Close() }

func isModule(file string) bool { return strings.EqualFold(filepath.Ext(file), ".wasm") }
