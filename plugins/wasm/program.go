package wasm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/wallcast/wallcast/plugins"
)

// program is a compiled module, in a runtime of its own.
type program struct {
	host    *Host
	memory  int64 // bytes that an instance begins with
	runtime wazero.Runtime
	module  wazero.CompiledModule
	system  []wazero.CompiledModule // what the module imports from

	closing  sync.Once
	closeErr error
}

// compile makes a program of a module.
func (h *Host) compile(ctx context.Context, m module, cache wazero.CompilationCache) (*program, error) {
	config := wazero.NewRuntimeConfig().
		WithCompilationCache(cache).
		WithCloseOnContextDone(true).
		WithDebugInfoEnabled(false) // it would stay in memory
	p := &program{host: h, memory: m.memory, runtime: wazero.NewRuntimeWithConfig(ctx, config)}
	err := p.offer(ctx)
	if err == nil {
		err = p.build(ctx, m.binary)
	}
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return nil, errors.Join(err, p.free())
	}
	return p, nil
}

// build compiles the module, with one worker: it runs in this goroutine then, where
// what the engine can't cope with does not end the whole process.
func (p *program) build(ctx context.Context, binary []byte) (err error) {
	defer recovered(&err)
	p.module, err = p.runtime.CompileModule(ctx, binary)
	return err
}

// recovered makes an error of a panic.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("the engine can't cope with it: %v", r)
	}
}

// offer makes what modules may import.
func (p *program) offer(ctx context.Context) error {
	wasi := p.runtime.NewHostModuleBuilder(wasi_snapshot_preview1.ModuleName)
	wasi_snapshot_preview1.NewFunctionExporter().ExportFunctions(wasi)
	// A table of descriptors as long as the highest number in it would be memory
	// that no limit covers.
	wasi.NewFunctionBuilder().WithFunc(func(_, _ uint32) uint32 { return notSupported }).Export("fd_renumber")
	own := p.runtime.NewHostModuleBuilder(ownModule)
	own.NewFunctionBuilder().WithFunc(fetch).Export("fetch")
	own.NewFunctionBuilder().WithFunc(answer).Export("answer")
	for _, builder := range []wazero.HostModuleBuilder{wasi, own} {
		compiled, err := builder.Compile(ctx)
		if err != nil {
			return err
		}
		p.system = append(p.system, compiled)
		if _, err := p.runtime.InstantiateModule(ctx, compiled, wazero.NewModuleConfig()); err != nil {
			return err
		}
	}
	return nil
}

// notSupported is the error number ENOTSUP of WASI.
const notSupported = 58

// ownModule is what modules import from to use what is not in WASI.
const ownModule = "wallcast"

func (p *program) check() error {
	offered := map[string]map[string]api.FunctionDefinition{}
	for _, m := range p.system {
		offered[m.Name()] = m.ExportedFunctions()
	}
	return checkFunctions(p.module, offered)
}

// free gives back what the program has. Compiled code is counted in the cache, so
// that closing the runtime alone would leave it there.
func (p *program) free() error {
	ctx := context.Background()
	err := p.runtime.Close(ctx)
	if p.module != nil {
		err = errors.Join(err, p.module.Close(ctx))
	}
	for _, m := range p.system {
		err = errors.Join(err, m.Close(ctx))
	}
	return err
}

// Close implements plugins.Program.
func (p *program) Close() error {
	p.closing.Do(func() {
		p.closeErr = p.free()
		p.host.mu.Lock()
		defer p.host.mu.Unlock()
		p.host.loaded--
	})
	return p.closeErr
}

// Call implements plugins.Program.
func (p *program) Call(ctx context.Context, c plugins.Call) error {
	if ctx.Err() != nil {
		return failed(plugins.Stopped, context.Cause(ctx))
	}
	if p.memory > c.Limits.Memory {
		return failed(plugins.Memory, fmt.Errorf("it needs %d bytes of memory to begin with, and may have %d", p.memory, c.Limits.Memory))
	}
	memory, err := newMemory(c.Limits.Memory)
	if err != nil {
		return failed(plugins.Start, fmt.Errorf("reserving its memory: %w", err))
	}
	defer memory.release()
	r := newRun(ctx, c, p.host.client)
	defer r.end()
	config, err := r.config()
	if err != nil {
		return failed(plugins.Start, err)
	}
	r.watch(ctx)
	return r.result(p.start(memory.in(withRun(r.ctx, r)), config), memory.refused)
}

// start runs an instance of the module to its end.
func (p *program) start(ctx context.Context, config wazero.ModuleConfig) (err error) {
	defer recovered(&err)
	instance, err := p.runtime.InstantiateModule(ctx, p.module, config)
	if instance != nil {
		err = errors.Join(err, instance.Close(context.Background()))
	}
	return err
}

// config is what an instance is given.
func (r *run) config() (wazero.ModuleConfig, error) {
	config := wazero.NewModuleConfig().
		WithName(""). // so that there can be many
		WithArgs(r.call.Name).
		WithStdin(r.stdin).
		WithStdout(&r.stdout).
		WithStderr(&r.stderr).
		WithSysWalltime().
		WithSysNanotime().
		WithNanosleep(r.sleep).
		WithOsyield(runtime.Gosched).
		WithRandSource(whileRunning{r, rand.Reader})
	for name, value := range r.environment() {
		config = config.WithEnv(name, value)
	}
	folders, err := r.mount()
	return config.WithFSConfig(folders), err
}

func failed(reason plugins.Reason, err error) error {
	return &plugins.CallError{Reason: reason, Code: -1, Err: err}
}
