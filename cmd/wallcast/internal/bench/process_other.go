//go:build !linux

package bench

import "os/exec"

func detach(*exec.Cmd) {}

// wait starts the process, says so, and waits for its end.
func (p *Process) wait(started chan<- error) {
	defer close(p.ended)
	if err := p.cmd.Start(); err != nil {
		p.err = err
		started <- err
		return
	}
	started <- nil
	p.err = p.cmd.Wait()
}
