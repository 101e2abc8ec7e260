package wasm

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"syscall"
	"time"

	"github.com/tetratelabs/wazero"
	wazerosys "github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/experimental/sysfs"
	"github.com/tetratelabs/wazero/sys"
)

const (
	maxPath    = 4096 // bytes
	maxFiles   = 256
	maxWritten = 256 << 20 // bytes
)

// mount opens the folders that the run may see.
func (r *run) mount() (wazero.FSConfig, error) {
	config := wazero.NewFSConfig()
	for _, f := range r.call.Allow.Folders {
		root, err := os.OpenRoot(f.Path)
		if err != nil {
			return nil, fmt.Errorf("opening the folder %s, which it may see as %s: %w", f.Path, f.Guest, cause(err))
		}
		r.folders = append(r.folders, root)
		config = config.(sysfs.FSConfig).WithSysFSMount(&folder{run: r, root: root, writable: f.Writable}, f.Guest)
	}
	return config, nil
}

// folder is what a module sees of a folder. The engine's own way of sharing one
// follows symbolic links out of it, and hangs at a named pipe.
type folder struct {
	wazerosys.UnimplementedFS
	run      *run
	root     *os.Root
	writable bool
}

// reach says whether the folder may be asked for this path, and for writing.
func (f *folder) reach(writing bool, paths ...string) wazerosys.Errno {
	for _, path := range paths {
		if len(path) > maxPath { // each part of a path is a question to the system
			return wazerosys.ENAMETOOLONG
		}
	}
	switch {
	case f.run.ctx.Err() != nil:
		return wazerosys.EINTR
	case writing && !f.writable:
		return wazerosys.EROFS
	}
	return 0
}

const forWriting = wazerosys.O_RDWR | wazerosys.O_WRONLY | wazerosys.O_CREAT | wazerosys.O_TRUNC | wazerosys.O_APPEND

// OpenFile implements wazerosys.FS.
func (f *folder) OpenFile(path string, flag wazerosys.Oflag, perm fs.FileMode) (wazerosys.File, wazerosys.Errno) {
	if errno := f.reach(flag&forWriting != 0, path); errno != 0 {
		return nil, errno
	}
	if f.run.files >= maxFiles {
		return nil, wazerosys.EAGAIN
	}
	if flag&wazerosys.O_NOFOLLOW != 0 {
		if info, err := f.root.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return nil, wazerosys.ELOOP
		}
	}
	return f.open(path, openFlags(flag), perm.Perm())
}

// openFlags are the flags of package os for those of WASI.
func openFlags(flag wazerosys.Oflag) int {
	flags := os.O_RDONLY
	switch {
	case flag&wazerosys.O_RDWR != 0:
		flags = os.O_RDWR
	case flag&wazerosys.O_WRONLY != 0:
		flags = os.O_WRONLY
	}
	for _, f := range []struct {
		from wazerosys.Oflag
		to   int
	}{
		{wazerosys.O_APPEND, os.O_APPEND}, {wazerosys.O_CREAT, os.O_CREATE}, {wazerosys.O_EXCL, os.O_EXCL},
		{wazerosys.O_TRUNC, os.O_TRUNC}, {wazerosys.O_SYNC | wazerosys.O_DSYNC, os.O_SYNC},
	} {
		if flag&f.from != 0 {
			flags |= f.to
		}
	}
	return flags
}

// Lstat implements wazerosys.FS.
func (f *folder) Lstat(path string) (sys.Stat_t, wazerosys.Errno) { return f.stat(f.root.Lstat, path) }

// Stat implements wazerosys.FS.
func (f *folder) Stat(path string) (sys.Stat_t, wazerosys.Errno) { return f.stat(f.root.Stat, path) }

func (f *folder) stat(stat func(string) (fs.FileInfo, error), path string) (sys.Stat_t, wazerosys.Errno) {
	if errno := f.reach(false, path); errno != 0 {
		return sys.Stat_t{}, errno
	}
	info, err := stat(path)
	if err != nil {
		return sys.Stat_t{}, errno(err)
	}
	return sys.NewStat_t(info), 0
}

// Readlink implements wazerosys.FS.
func (f *folder) Readlink(path string) (string, wazerosys.Errno) {
	if errno := f.reach(false, path); errno != 0 {
		return "", errno
	}
	to, err := f.root.Readlink(path)
	return to, errno(err)
}

// Mkdir implements wazerosys.FS.
func (f *folder) Mkdir(path string, perm fs.FileMode) wazerosys.Errno {
	if errno := f.reach(true, path); errno != 0 {
		return errno
	}
	return errno(f.root.Mkdir(path, perm.Perm()))
}

// Rename implements wazerosys.FS.
func (f *folder) Rename(from, to string) wazerosys.Errno {
	if errno := f.reach(true, from, to); errno != 0 {
		return errno
	}
	return errno(f.root.Rename(from, to))
}

// Rmdir implements wazerosys.FS.
func (f *folder) Rmdir(path string) wazerosys.Errno { return f.remove(path, true) }

// Unlink implements wazerosys.FS.
func (f *folder) Unlink(path string) wazerosys.Errno { return f.remove(path, false) }

func (f *folder) remove(path string, isFolder bool) wazerosys.Errno {
	if errno := f.reach(true, path); errno != 0 {
		return errno
	}
	info, err := f.root.Lstat(path)
	switch {
	case err != nil:
		return errno(err)
	case isFolder && !info.IsDir():
		return wazerosys.ENOTDIR
	case !isFolder && info.IsDir():
		return wazerosys.EISDIR
	}
	return errno(f.root.Remove(path))
}

// Utimens implements wazerosys.FS.
func (f *folder) Utimens(path string, accessed, modified int64) wazerosys.Errno {
	if errno := f.reach(true, path); errno != 0 {
		return errno
	}
	return errno(f.root.Chtimes(path, instant(accessed), instant(modified)))
}

// instant is the time for one of WASI, where math.MinInt64 is to change nothing.
func instant(nanoseconds int64) time.Time {
	if nanoseconds == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds)
}

// errno is the number of an error. One without a number is that of a path that
// leads out of the folder.
func errno(err error) wazerosys.Errno {
	var number syscall.Errno
	switch {
	case err == nil || errors.As(err, &number), errors.Is(err, fs.ErrClosed), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist):
		return wazerosys.UnwrapOSError(err)
	}
	return wazerosys.EPERM
}
