//go:build !linux

package bench

import "os/exec"

func detach(*exec.Cmd) {}

// wait starts the process, says so, and waits for its end.
func (s *ownServer) wait(started chan<- error) {
	defer close(s.ended)
	if err := s.cmd.Start(); err != nil {
		s.err = err
		started <- err
		return
	}
	started <- nil
	s.err = s.cmd.Wait()
}
