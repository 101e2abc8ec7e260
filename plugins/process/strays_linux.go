package process

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// A plugin's process can leave its group, and even its session, but not the
// sessions that began with ours: a process can only begin a new one, never join
// one. As orphans become our children, every child of ours in a session other
// than our own descends from a plugin.

// sessions are those of the runs that go on.
var sessions = registry{folders: map[int]string{}}

type registry struct {
	// starting is held for reading while a session begins that isn't known yet,
	// and for writing by who kills those of sessions that aren't known.
	starting sync.RWMutex

	mu      sync.Mutex
	folders map[int]string // of each run, by its session
}

func (s *registry) add(session int, folder string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.folders[session] = folder
}

func (s *registry) remove(session int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.folders, session)
}

func (s *registry) has(session int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.folders[session]
	return ok
}

// owns reports whether a process in a session of its own says that it belongs to
// a run that goes on, in the environment it inherited.
func (s *registry) owns(pid int) bool {
	environ, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	for pair := range strings.SplitSeq(string(environ), "\x00") {
		if folder, ok := strings.CutPrefix(pair, "TMPDIR="); ok {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, f := range s.folders {
				if f == folder {
					return true
				}
			}
		}
	}
	return false
}

// reapStrays ends a session: it kills and reaps all that remains of it, and of
// sessions that began in it.
func reapStrays(session int) {
	sessions.remove(session)
	if !anyChild() || len(strays()) == 0 {
		return
	}
	sessions.starting.Lock() // so that what is unknown is really one
	defer sessions.starting.Unlock()
	// What is killed is reaped only when nothing lives any more: until then it
	// counts as a process of its user, so that a fork bomb runs out of them.
	killed := map[int]bool{}
	for found := true; found; {
		found = false
		for _, pid := range strays() {
			if _, known := killed[pid]; known || sessions.owns(pid) {
				continue
			}
			// As setuid is off, none of another user's should be among them.
			killed[pid] = unix.Kill(pid, unix.SIGKILL) != unix.EPERM
			found = true
		}
		for pid, dies := range killed {
			if dies {
				var info unix.Siginfo
				_ = waitid(pid, &info, unix.WEXITED|unix.WALL) // then its own children are ours
			}
		}
	}
	for pid, dies := range killed {
		if dies {
			reapChild(pid, 0)
		}
	}
}

// reapDead reaps the orphans that have ended by themselves, so that a long run
// doesn't pile them up.
func reapDead() {
	if len(orphans()) == 0 {
		return
	}
	sessions.starting.Lock() // so that none of them is being started
	defer sessions.starting.Unlock()
	for _, pid := range orphans() {
		reapChild(pid, unix.WNOHANG)
	}
}

func reapChild(pid, options int) {
	for {
		if _, err := unix.Wait4(pid, nil, options|unix.WALL, nil); err != unix.EINTR {
			return
		}
	}
}

func ownSession() int {
	own, _ := unix.Getsid(0) // we have one
	return own
}

// orphans returns our children that a plugin's process left behind.
func orphans() []int {
	own := ownSession()
	return slices.DeleteFunc(children(), func(pid int) bool {
		session, err := unix.Getsid(pid)
		return err != nil || session == own || sessions.has(pid)
	})
}

// strays returns those orphans that are in no run's session.
func strays() []int {
	return slices.DeleteFunc(orphans(), func(pid int) bool {
		session, err := unix.Getsid(pid)
		return err != nil || sessions.has(session)
	})
}

// anyChild reports whether we have a child at all.
func anyChild() bool {
	var info unix.Siginfo
	return unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT|unix.WALL, nil) != unix.ECHILD
}

// children returns our children: of each of our threads those that it started or
// got as orphans.
func children() []int {
	tasks, _ := readNames("/proc/self/task")
	var pids []int
	for _, task := range tasks {
		data, err := os.ReadFile("/proc/self/task/" + task + "/children")
		if err != nil {
			continue // the thread has ended
		}
		for word := range strings.FieldsSeq(string(data)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
