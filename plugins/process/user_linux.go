package process

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// Where we are root, each run has a user of its own out of these, which
	// neither distributions nor systemd give to others.
	firstUser = 60706
	lastUser  = 61183
	nogroup   = 65534

	// maxProcesses is how many processes and threads a run may have.
	maxProcesses = 256
)

// user is whom a run runs as.
type user struct {
	id    int
	other bool // than we; then it has the id alone
}

// users are the free ones. Another Wallcast on this computer hands out the same:
// so each begins elsewhere.
var users = sync.OnceValue(func() chan int {
	const number = lastUser - firstUser + 1
	free := make(chan int, number)
	for i := range number {
		free <- firstUser + (os.Getpid()+i)%number
	}
	return free
})

// takeUser returns the user for a run. It waits while all are taken.
func takeUser(ctx context.Context) (user, error) {
	if id := os.Geteuid(); id != 0 {
		return user{id: id}, nil
	}
	select {
	case id := <-users():
		return user{id: id, other: true}, nil
	case <-ctx.Done():
		return user{}, context.Cause(ctx)
	}
}

// free gives the user back once nothing runs as it any more.
func (u user) free() {
	if u.other {
		users() <- u.id
	}
}

// own makes a folder the user's.
func (u user) own(folder string) error {
	if !u.other {
		return nil
	}
	if err := os.Chown(folder, u.id, nogroup); err != nil {
		return fmt.Errorf("giving it to another user, as Wallcast runs as root: %w; run it as a user other than root", cause(err))
	}
	return nil
}

// as calls f with the user as the real user of this thread alone, which must be
// locked to its goroutine. Root in a container may often change users but not
// the limits of a process of another user, which the real user is compared for.
//
// Who has the same real user may kill us: so nothing else may run as it.
func (u user) as(f func() error) error {
	change := func(real, group int) error {
		const same = ^uintptr(0)
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(group), same, same); errno != 0 {
			return errno
		}
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(real), same, same); errno != 0 {
			return errno
		}
		return nil
	}
	real, group := os.Getuid(), os.Getgid()
	err := change(u.id, nogroup)
	if err == nil {
		err = f()
	}
	if back := change(real, group); back != nil {
		panic(fmt.Sprintf("a thread can't be root again: %v", back)) // a plugin could kill us later on
	}
	return err
}

// processes returns the limit of processes and threads. The system counts all of
// a user's; our own user's number may be two seconds old, and further runs may
// begin, so that there is more room.
func (u user) processes() int {
	if u.other {
		return maxProcesses
	}
	threads.Lock()
	defer threads.Unlock()
	if time.Since(threads.counted) > 2*time.Second {
		threads.number, threads.counted = countThreads(u.id), time.Now()
	}
	return threads.number + 2*maxProcesses
}

// threads remembers how many threads our user has.
var threads struct {
	sync.Mutex
	number  int
	counted time.Time
}

// countThreads counts the threads of a user's processes.
func countThreads(id int) int {
	names, _ := readNames("/proc")
	number := 0
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		var info unix.Stat_t
		if unix.Stat(filepath.Join("/proc", name, "task"), &info) == nil && int(info.Uid) == id {
			number += max(1, int(info.Nlink)-2) // a folder for each
		}
	}
	return number
}

// readNames returns the names in a folder. What ends meanwhile is no error.
func readNames(folder string) ([]string, error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}
