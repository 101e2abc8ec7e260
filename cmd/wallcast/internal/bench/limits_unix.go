//go:build unix

package bench

import (
	"syscall"
	"time"
)

// descriptors is how many files this process may have open. Go has raised the
// soft limit to the hard one already; 0 means not known.
func descriptors() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	if limit.Cur > 1<<30 {
		return 1 << 30
	}
	return int(limit.Cur)
}

// ownCPU is the time that this process has run.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
