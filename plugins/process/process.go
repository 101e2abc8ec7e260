// Package process is the plugins.Host of executables: any file that the system
// can start, as a script with a "#!" line or a compiled program.
//
// # What a run gets
//
// Its standard streams, an empty folder of its own that is removed afterwards
// (working directory, HOME and TMPDIR), and as environment PATH, LANG, TZ and
// WALLCAST_PLUGIN (its name), with what the configuration allows on top:
// nothing else of our environment, and none of our descriptors.
//
// # Limits
//
// A run is a session and a process group of its own, and is killed with all of
// it: when its time is over, when it writes too much, and when its first process
// has ended. On Linux there are these limits, in place before the program's first
// instruction (where the system refuses ptrace, right after it):
//
//   - memory: the data segment and private writable mappings, of each process.
//     Memory shared between processes, and files in memory, are not counted; but
//     where the system runs out of memory, it ends plugins first
//   - processes and threads: 256; where all runs share Wallcast's user, 512 more
//     than this user had when the run began
//   - 256 open files; 256 MiB for each file written; no core files
//   - no rights of another user through setuid files, such as sudo
//   - a low priority: the server's own threads come first
//
// Descendants that leave the group are found and killed too, as Wallcast makes
// itself the parent of orphans. A process that makes itself a daemon therefore
// lasts until its run ends. Other code of the same program must not start
// processes in sessions of their own (syscall.SysProcAttr.Setsid) while plugins
// run, as these would be taken for such descendants.
//
// Where Wallcast itself runs as root, each run has a user of its own, without a
// name, between 60706 and 61183, and the group 65534 (nogroup): root is bound
// neither by file permissions nor by the limit of processes, and runs with a
// common user could kill each other. The plugin's file must then be readable and
// executable for all; the folders above it need not be. A file that other users
// can't reach is run through a descriptor, and knows itself as /proc/self/fd/3.
//
// What a process reads and whom it calls is not limited beyond its user's
// rights: an executable runs only once its operator has trusted it.
//
// On other Unix systems there are the limits of time, output and log only, and
// descendants that leave the group are not found. Windows is not supported yet.
package process

import (
	"context"

	"github.com/wallcast/wallcast/plugins"
)

// Host runs executables. The zero Host is ready.
type Host struct{}

var _ plugins.Host = Host{}

// Load implements plugins.Host. It checks that the file may be executed, and the
// interpreter that a script names. The file must stay as it is until Close.
func (Host) Load(_ context.Context, file string) (plugins.Program, error) { return load(file) }
