package bench

import (
	"os/exec"
	"runtime"
	"syscall"
)

// detach keeps the terminal's Ctrl-C, which is ours, from the process, and ends
// it when we are killed.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// wait starts the process, says so, and waits for its end. The system takes the
// end of the thread that started a process for our death, so this one is kept.
func (p *Process) wait(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.ended)
	if err := p.cmd.Start(); err != nil {
		p.err = err
		started <- err
		return
	}
	started <- nil
	p.err = p.cmd.Wait()
}
