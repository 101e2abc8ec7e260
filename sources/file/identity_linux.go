package file

import (
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// inode is a file's number in its file system, which outlives a rename. The
// number of a file that is gone is given out again.
func inode(info os.FileInfo) string {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return strconv.FormatUint(s.Ino, 10)
	}
	return ""
}

// born tells two files apart that had the same number one after the other. It is
// empty where the file system does not know.
func born(f *os.File) string {
	var s unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &s)
	if err != nil || s.Mask&unix.STATX_BTIME == 0 {
		return ""
	}
	return strconv.FormatInt(s.Btime.Sec, 10) + "." + strconv.FormatUint(uint64(s.Btime.Nsec), 10)
}
