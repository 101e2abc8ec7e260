package wasm

import (
	"io/fs"
	"os"
	"syscall"

	wazerosys "github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/experimental/sysfs"
)

// opening is how a file of a folder is opened, at first and to read a folder
// again from its beginning.
type opening struct {
	*folder
	flags  int
	perm   fs.FileMode
	opened *handle // the newest
}

// Open implements fs.FS.
func (o *opening) Open(path string) (fs.File, error) {
	// Without O_NONBLOCK, opening a named pipe would wait for its other end.
	f, err := o.root.OpenFile(path, o.flags|syscall.O_NONBLOCK, o.perm)
	if errno(err) == wazerosys.EPERM {
		return nil, syscall.EPERM // the engine knows numbers only
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		err = syscall.EPERM
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	o.opened = &handle{File: f, run: o.run}
	return o.opened, nil
}

// handle is an open file of the system, for as long as the run may use it.
type handle struct {
	*os.File
	run *run
}

func (h *handle) allow(bytes int) error {
	switch {
	case h.run.ctx.Err() != nil:
		return syscall.EINTR
	case h.run.written+int64(bytes) > maxWritten:
		return syscall.EFBIG
	}
	h.run.written += int64(bytes)
	return nil
}

// Read implements io.Reader.
func (h *handle) Read(b []byte) (int, error) {
	if err := h.allow(0); err != nil {
		return 0, err
	}
	return h.File.Read(b)
}

// ReadAt implements io.ReaderAt.
func (h *handle) ReadAt(b []byte, at int64) (int, error) {
	if err := h.allow(0); err != nil {
		return 0, err
	}
	return h.File.ReadAt(b, at)
}

// Write implements io.Writer.
func (h *handle) Write(b []byte) (int, error) {
	if err := h.allow(len(b)); err != nil {
		return 0, err
	}
	return h.File.Write(b)
}

// WriteAt implements io.WriterAt.
func (h *handle) WriteAt(b []byte, at int64) (int, error) {
	if err := h.allow(len(b)); err != nil {
		return 0, err
	}
	return h.File.WriteAt(b, at)
}

// file is a file or a folder that a module has opened: what the engine makes of
// any fs.File, and what that lacks.
type file struct {
	wazerosys.File
	opening *opening
	closed  bool
}

// open opens a file for a module.
func (f *folder) open(path string, flags int, perm fs.FileMode) (wazerosys.File, wazerosys.Errno) {
	o := &opening{folder: f, flags: flags, perm: perm}
	opened, number := (&sysfs.AdaptFS{FS: o}).OpenFile(path, wazerosys.O_RDONLY, 0)
	if number != 0 {
		return nil, number
	}
	f.run.files++
	return &file{File: opened, opening: o}, 0
}

// IsAppend implements wazerosys.File.
func (f *file) IsAppend() bool { return f.opening.flags&os.O_APPEND != 0 }

// Truncate implements wazerosys.File.
func (f *file) Truncate(size int64) wazerosys.Errno {
	if size < 0 || size > maxWritten {
		return wazerosys.EINVAL
	}
	return errno(f.opening.opened.Truncate(size))
}

// Sync implements wazerosys.File.
func (f *file) Sync() wazerosys.Errno { return errno(f.opening.opened.Sync()) }

// Datasync implements wazerosys.File.
func (f *file) Datasync() wazerosys.Errno { return f.Sync() }

// Close implements wazerosys.File.
func (f *file) Close() wazerosys.Errno {
	if !f.closed {
		f.closed = true
		f.opening.run.files--
	}
	return f.File.Close()
}
