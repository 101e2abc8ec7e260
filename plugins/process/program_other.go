//go:build !unix

package process

import (
	"fmt"
	"runtime"

	"github.com/wallcast/wallcast/plugins"
)

func load(file string) (plugins.Program, error) {
	return nil, fmt.Errorf("loading %s: executables as plugins are not supported on %s yet; a WebAssembly module is", file, runtime.GOOS)
}
