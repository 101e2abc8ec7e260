// Package wasm is the plugins.Host of WebAssembly modules: commands for WASI
// preview 1, as compilers make them for wasm32-wasip1 (Rust), wasm32-wasi (C), or
// GOOS=wasip1 GOARCH=wasm (Go).
//
// # What a run gets
//
// A fresh instance of its module, with the trigger as standard input, the real
// time, a monotonic clock, and random numbers fit for keys. Its environment is
// LANG and WALLCAST_PLUGIN (its name), with what the configuration allows on top;
// its only argument is its name. There are no files but in the folders that the
// configuration allows, and no sockets.
//
// A folder is seen as a root of its own: no path and no symbolic link leads out
// of it, and only files and folders can be opened in it. Symbolic and hard links
// can't be made. A run may have 256 files open, and write 256 MiB to files in all.
//
// # Hosts
//
// A module can ask the hosts that the configuration allows. It imports two
// functions from the module "wallcast", with pointers into its memory:
//
//	fetch(request *u8, length u32) i32
//	answer(to *u8, length u32) i32
//
// fetch takes a request as JSON, waits for its answer, and returns how many bytes
// of JSON that has, which answer then copies: it returns how many it has written,
// and copies nothing where length is less than there is. Both return -1 for a
// pointer outside of the memory.
//
//	{"method": "GET", "url": "https://…", "header": {"accept": "…"}, "body": "…"}
//	{"status": 200, "header": {"content-type": "…"}, "body": "…", "base64": false}
//	{"error": "…"}
//
// Only url is needed. A redirect is an answer like others: following it is up to
// the module. A body that is not UTF-8 comes, and goes, with base64 set to true.
// Whoever only needs an address fetched with each trigger leaves that to the
// plugin's fetch setting.
//
// # Limits
//
// A run is ended when its time is over and when it writes too much, whatever it
// does. Its memory cannot grow beyond the limit. On top of that come its call stack,
// which can reach 100 MB in a run that recurses without end, and its tables, with
// 8 MB at most.
//
// Standard input blocks: while a module that is kept running reads beyond its
// trigger, nothing else happens in it, and the read returns the end when it is to
// stop. poll_oneoff waits for standard input and a time together.
package wasm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"

	"github.com/tetratelabs/wazero"

	"github.com/wallcast/wallcast/plugins"
)

// maxModule is how large a module may be, in bytes.
const maxModule = 64 << 20

// Config is what a Host is made of.
type Config struct {
	// Cache is a folder for compiled modules, which is made if it is not there. What
	// lies in it is run as native code, so nobody else may write to it. Without it
	// each module is compiled again after a restart.
	Cache string

	// Client asks the hosts that a plugin is allowed. Without it there is no asking.
	Client *http.Client
}

// Host runs WebAssembly modules.
type Host struct {
	client *http.Client
	cache  wazero.CompilationCache

	mu     sync.Mutex
	loaded int // programs
}

var _ plugins.Host = (*Host)(nil)

// New makes a Host.
func New(c Config) (*Host, error) {
	h := &Host{cache: wazero.NewCompilationCache()}
	if c.Client != nil {
		client := *c.Client
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		h.client = &client
	}
	if c.Cache == "" {
		return h, nil
	}
	if err := tidy(c.Cache); err != nil {
		return nil, fmt.Errorf("opening the folder for compiled plugins: %w", err)
	}
	cache, err := wazero.NewCompilationCacheWithDir(c.Cache)
	if err != nil {
		return nil, fmt.Errorf("opening the folder for compiled plugins: %w", err)
	}
	h.cache = cache
	return h, nil
}

// Close frees what the programs share. All of them must be closed before.
func (h *Host) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.loaded > 0 {
		return fmt.Errorf("closing the host of WebAssembly modules: %d are still loaded", h.loaded)
	}
	return h.cache.Close(context.Background())
}

// Load implements plugins.Host. It compiles the module, unless the cache has it:
// a Go program takes seconds, and the end of ctx is seen only before and after
// that. The file is not needed any more afterwards.
func (h *Host) Load(ctx context.Context, file string) (plugins.Program, error) {
	p, err := h.load(ctx, file)
	if err == nil && ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), p.free())
	}
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", file, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.loaded++
	return p, nil
}

func (h *Host) load(ctx context.Context, file string) (*program, error) {
	binary, err := read(file)
	if err != nil {
		return nil, err
	}
	m, err := inspect(binary)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	p, err := h.compile(ctx, m, h.cache)
	var wrong *moduleError
	if err == nil || errors.As(err, &wrong) || ctx.Err() != nil {
		return p, err
	}
	// Either the module is invalid, or the cache can't be read or written: its
	// disk is full, or a file in it is damaged. That is no reason not to run.
	return h.compile(ctx, m, wazero.NewCompilationCache())
}

// read reads a module's file.
func read(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, cause(err)
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a file")
	}
	binary, err := io.ReadAll(io.LimitReader(f, maxModule+1))
	switch {
	case err != nil:
		return nil, cause(err)
	case len(binary) > maxModule:
		return nil, fmt.Errorf("it has more than %d MiB: build it without debug information, or with less in it", maxModule>>20)
	}
	return binary, nil
}

// cause leaves out what was done and where, which the caller says better.
func cause(err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
