//go:build unix

package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/wallcast/wallcast/plugins"
)

// search is the PATH of every run.
const search = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// program is an executable.
type program struct {
	path string
	file *os.File // the same, where it is run through a descriptor, else nil
}

// load implements Host.Load.
func load(file string) (plugins.Program, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", file, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", file, cause(err))
	}
	p := &program{path: path, file: f}
	if err := p.check(); err != nil {
		f.Close()
		return nil, fmt.Errorf("loading %s: %w", file, err)
	}
	through, err := prepare(path)
	if err != nil || !through {
		p.file = nil
		f.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", file, err)
	}
	return p, nil
}

// check says what is wrong with the file, as far as that can be seen from outside.
func (p *program) check() error {
	info, err := p.file.Stat()
	switch {
	case err != nil:
		return cause(err)
	case !info.Mode().IsRegular():
		return errors.New("it is no file")
	case info.Mode()&0o111 == 0:
		return errors.New("it may not be executed: chmod +x it")
	}
	head := make([]byte, 256)
	n, err := io.ReadFull(p.file, head)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return cause(err)
	}
	return checkHead(head[:n])
}

// checkHead looks at the beginning of an executable. A binary format is left to
// the system, which may know more of them than we do.
func checkHead(head []byte) error {
	line, isScript := bytes.CutPrefix(head, []byte("#!"))
	switch {
	case len(head) == 0:
		return errors.New("it is empty")
	case !isScript && isText(head):
		return errors.New("it is text without an interpreter: a script begins with a line such as #!/bin/sh")
	case !isScript:
		return nil
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	if bytes.HasSuffix(line, []byte("\r")) {
		return errors.New("its lines end in CR LF, so that the system can't find its interpreter: save it with Unix line ends")
	}
	words := strings.Fields(string(line))
	if len(words) == 0 {
		return errors.New("its first line names no interpreter: a script begins with a line such as #!/bin/sh")
	}
	if info, err := os.Stat(words[0]); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("its interpreter %s is not there or may not be executed: install it, or change the first line", words[0])
	}
	return nil
}

// isText reports whether head begins a text, which may end within a character.
func isText(head []byte) bool {
	if bytes.IndexByte(head, 0) >= 0 {
		return false
	}
	for range utf8.UTFMax - 1 {
		if utf8.Valid(head) || len(head) == 0 {
			break
		}
		head = head[:len(head)-1]
	}
	return utf8.Valid(head)
}

// Close implements plugins.Program.
func (p *program) Close() error {
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}

// Call implements plugins.Program.
func (p *program) Call(ctx context.Context, c plugins.Call) error {
	if ctx.Err() != nil {
		return &plugins.CallError{Reason: plugins.Stopped, Code: -1, Err: context.Cause(ctx)}
	}
	u, err := takeUser(ctx)
	if err != nil {
		return &plugins.CallError{Reason: plugins.Stopped, Code: -1, Err: err}
	}
	defer u.free()
	folder, err := makeFolder(u)
	if err != nil {
		return startError(fmt.Errorf("making a folder to run in: %w", err))
	}
	defer removeFolder(folder)
	r := &run{call: c}
	if err := r.start(p, folder, u); err != nil {
		return startError(fmt.Errorf("starting %s: %w", filepath.Base(p.path), hint(err)))
	}
	return r.finish(ctx)
}

func makeFolder(u user) (string, error) {
	folder, err := os.MkdirTemp("", "wallcast-plugin-")
	if err != nil {
		return "", err
	}
	if err := u.own(folder); err != nil {
		os.Remove(folder)
		return "", err
	}
	return folder, nil
}

// removeFolder removes a run's folder, also where the run took our rights away
// from its own folders.
func removeFolder(folder string) {
	if os.RemoveAll(folder) == nil {
		return
	}
	_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return err
	})
	// What can't be removed even now is left to who clears the temporary files.
	_ = os.RemoveAll(folder)
}

// environment is what every run gets.
func environment(c plugins.Call, folder string) []string {
	values := map[string]string{"PATH": search, "LANG": "C.UTF-8", "HOME": folder, "TMPDIR": folder, "WALLCAST_PLUGIN": c.Name}
	if zone, ok := os.LookupEnv("TZ"); ok {
		values["TZ"] = zone
	}
	for name, value := range c.Allow.Environment {
		values[name] = value
	}
	env := make([]string, 0, len(values))
	for name, value := range values {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env
}

func startError(err error) error {
	return &plugins.CallError{Reason: plugins.Start, Code: -1, Err: err}
}

// cause leaves out what was done and where, which the caller says better.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// hint adds a remedy to why a program could not be started.
func hint(err error) error {
	err = cause(err)
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		return errors.New("the system doesn't know how to run it: it was perhaps built for another kind of computer")
	case errors.Is(err, syscall.ENOENT):
		return errors.New("the file, its interpreter or its loader is not there: install it, or build the program statically")
	case errors.Is(err, syscall.EACCES):
		return errors.New("no permission to run it: it or its interpreter may not be executed, or lies on a file system mounted noexec")
	case errors.Is(err, syscall.EPERM) && os.Geteuid() == 0:
		return errors.New("as root Wallcast runs plugins as other users, which it may not become here: run it as a user other than root")
	}
	return err
}
