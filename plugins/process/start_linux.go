package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/wallcast/wallcast/plugins"
)

const (
	maxFiles    = 256
	maxFileSize = 256 << 20
	niceness    = 10
)

var errNotLimited = errors.New("as root Wallcast runs plugins as other users, and here it may not limit or kill their processes: run it as a user other than root")

// refusesPtrace is set once the system refused to let us trace a child.
var refusesPtrace atomic.Bool

// ourselves changes this process, once, so that it can run plugins.
var ourselves = sync.OnceValue(func() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("becoming the parent of orphans: %w", err)
	}
	// What Go opens is closed in children; what we inherited is not. Kernels
	// before 5.11 can't do this at once, and are left alone.
	_ = unix.CloseRange(3, 1<<31-1, unix.CLOSE_RANGE_CLOEXEC)
	return nil
})

// prepare makes ready to run path, and reports whether that must go through a
// descriptor as the user that plugins run as can't reach it.
func prepare(path string) (throughDescriptor bool, err error) {
	if err := ourselves(); err != nil {
		return false, err
	}
	if os.Geteuid() != 0 {
		return false, nil
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false, cause(err)
	}
	info, err := os.Stat(real)
	if err != nil {
		return false, cause(err)
	}
	if info.Mode()&0o005 != 0o005 {
		return false, errors.New("as root Wallcast runs plugins as other users, who may not read and execute it: chmod a+rx it")
	}
	for folder := filepath.Dir(real); ; folder = filepath.Dir(folder) {
		info, err := os.Stat(folder)
		if err != nil || info.Mode()&0o001 == 0 {
			return true, nil
		}
		if folder == filepath.Dir(folder) {
			return false, nil
		}
	}
}

// startLimited starts a program, the first of its session, with its limits.
func startLimited(path string, args []string, attr *os.ProcAttr, limits plugins.Limits, u user) (*os.Process, error) {
	type started struct {
		process *os.Process
		err     error
	}
	result := make(chan started)
	go func() {
		// Never unlocked: what this thread hands on to its child is not for others,
		// and it ends with this goroutine.
		runtime.LockOSThread()
		process, err := startOnThread(path, args, attr, limits, u)
		result <- started{process, err}
	}()
	s := <-result
	if s.err != nil {
		reapStrays(0) // it may have begun to run without its limits
	}
	return s.process, s.err
}

// startOnThread is startLimited on a thread of its own: the one that starts a
// process is the one that may trace it.
func startOnThread(path string, args []string, attr *os.ProcAttr, limits plugins.Limits, u user) (*os.Process, error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("giving up setuid: %w", err)
	}
	// Where our own priority is already lower, this fails, and is not needed.
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, niceness)

	sessions.starting.RLock()
	defer sessions.starting.RUnlock()
	attr.Sys = &syscall.SysProcAttr{Setsid: true, Ptrace: !refusesPtrace.Load()}
	if u.other {
		attr.Sys.Credential = &syscall.Credential{Uid: uint32(u.id), Gid: nogroup}
	}
	process, err := os.StartProcess(path, args, attr)
	if attr.Sys.Ptrace && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS)) {
		attr.Sys.Ptrace = false
		if process, err = os.StartProcess(path, args, attr); err == nil {
			refusesPtrace.Store(true)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := limitStarted(process.Pid, attr.Sys.Ptrace, limits, u); err != nil {
		_ = unix.Kill(-process.Pid, unix.SIGKILL)
		_, _ = process.Wait()
		return nil, err
	}
	sessions.add(process.Pid, attr.Dir)
	return process, nil
}

// limitStarted limits a process and, if it is traced and so stops before its
// first instruction, lets it run.
func limitStarted(pid int, traced bool, limits plugins.Limits, u user) error {
	if traced {
		var info unix.Siginfo
		if err := waitid(pid, &info, unix.WSTOPPED|unix.WEXITED); err != nil {
			return fmt.Errorf("waiting for its first instruction: %w", err)
		}
	}
	set := func() error { return limit(pid, limits, u) }
	err := set()
	if u.other && traced && errors.Is(err, unix.EPERM) {
		err = u.as(set)
	}
	if u.other && errors.Is(err, unix.EPERM) {
		return errNotLimited
	}
	if traced && err == nil {
		err = unix.PtraceDetach(pid)
	}
	if errors.Is(err, unix.ESRCH) {
		return nil // it has ended already, which is seen when it is waited for
	}
	return err
}

// waitid waits for a child without taking its news away from others.
func waitid(pid int, info *unix.Siginfo, options int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, info, options|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err
		}
	}
}

// limit sets the limits of a process.
func limit(pid int, limits plugins.Limits, u user) error {
	for _, l := range []struct {
		resource int
		most     uint64
	}{
		{unix.RLIMIT_DATA, uint64(limits.Memory)},
		{unix.RLIMIT_NPROC, uint64(u.processes())},
		{unix.RLIMIT_NOFILE, maxFiles},
		{unix.RLIMIT_FSIZE, maxFileSize},
		{unix.RLIMIT_CORE, 0},
	} {
		var now unix.Rlimit
		if err := unix.Prlimit(pid, l.resource, nil, &now); err != nil {
			return fmt.Errorf("reading a limit: %w", err)
		}
		most := min(l.most, now.Max)
		if err := unix.Prlimit(pid, l.resource, &unix.Rlimit{Cur: most, Max: most}, nil); err != nil {
			return fmt.Errorf("setting a limit: %w", err)
		}
	}
	// Not every system allows this, and it is not what holds a plugin back.
	_ = os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte("1000"), 0)
	return nil
}

// reap waits for the end of the first process and kills the rest of its group,
// before the group's number is free for others.
func (r *run) reap() (*os.ProcessState, error) {
	var info unix.Siginfo
	_ = waitid(r.process.Pid, &info, unix.WEXITED) // Wait has the error too
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kill()
	r.reaped = true
	return r.process.Wait()
}
