package deploy

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/wallcast/wallcast/plugins"
)

// job is a file to load.
type job struct {
	config  Config
	folder  string
	sight   sight
	pin     Pin // the zero Pin where nothing is trusted
	name    string
	running string // the hash of what runs, or ""
}

// result is what became of it. Without a program and an error what runs is what
// was found.
type result struct {
	program plugins.Program
	memory  int64
	sum     string
	state   State // with an error, where nothing runs
	err     error
}

func (r result) close() error {
	if r.program == nil {
		return nil
	}
	return r.program.Close()
}

func broken(err error) result { return result{state: Broken, err: err} }

// do loads the file.
func (j job) do(ctx context.Context) result {
	path := filepath.Join(j.folder, j.sight.file)
	sum, err := hashOf(path)
	if err != nil {
		return broken(err)
	}
	if isModule(j.sight.file) {
		return j.load(ctx, j.config.Module, path, sum)
	}
	if j.pin.SHA256 == sum {
		return j.trusted(ctx, path)
	}
	untrusted := fmt.Errorf("%s is not trusted; read it, and then run: wallcast trust %s", j.sight.file, j.name)
	if j.pin.SHA256 == "" {
		return result{state: Untrusted, err: untrusted}
	}
	untrusted = fmt.Errorf("%s has changed since it was trusted; read it, and then run: wallcast trust %s", j.sight.file, j.name)
	if j.running != "" {
		return result{state: Untrusted, err: untrusted}
	}
	// After a restart, too, the version that is trusted goes on.
	r := j.trusted(ctx, path)
	if r.err != nil {
		return result{state: Untrusted, err: untrusted}
	}
	r.err = untrusted
	return r
}

// trusted loads the copy of what is trusted.
func (j job) trusted(ctx context.Context, path string) result {
	if j.running == j.pin.SHA256 {
		return result{}
	}
	copied, err := j.config.Trust.verified(j.pin, path)
	if err != nil {
		return broken(err)
	}
	return j.load(ctx, j.config.Executable, copied, j.pin.SHA256)
}

func (j job) load(ctx context.Context, form Form, path, sum string) result {
	if j.running == sum {
		return result{}
	}
	program, err := form.Host.Load(ctx, path)
	if err != nil {
		return broken(err)
	}
	return result{program: program, memory: form.Memory, sum: sum}
}
