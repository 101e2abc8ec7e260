//go:build unix && !linux

package process

import (
	"context"
	"errors"
	"os"
	"syscall"

	"github.com/wallcast/wallcast/plugins"
)

// prepare refuses to run plugins as root, as there are no limits then.
func prepare(string) (throughDescriptor bool, err error) {
	if os.Geteuid() == 0 {
		return false, errors.New("on this system plugins don't run as root, which nothing would limit: run Wallcast as another user")
	}
	return false, nil
}

// user is whom a run runs as: ourselves.
type user struct{}

func takeUser(context.Context) (user, error) { return user{}, nil }

func (user) free()            {}
func (user) own(string) error { return nil }

func startLimited(path string, args []string, attr *os.ProcAttr, _ plugins.Limits, _ user) (*os.Process, error) {
	attr.Sys = &syscall.SysProcAttr{Setsid: true}
	return os.StartProcess(path, args, attr)
}

// reap waits for the end of the first process and kills the rest of its group.
func (r *run) reap() (*os.ProcessState, error) {
	state, err := r.process.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kill()
	r.reaped = true
	return state, err
}

// reapStrays and reapDead are for systems that can make us the parent of orphans.
func reapStrays(int) {}
func reapDead()      {}
