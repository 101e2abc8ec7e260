package main

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// ownUser reports whether the process at the other end is run by this user, or
// by root.
func ownUser(c *net.UnixConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var peer *unix.Ucred
	var peerErr error
	err = raw.Control(func(fd uintptr) { peer, peerErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	return err == nil && peerErr == nil && (int(peer.Uid) == os.Getuid() || peer.Uid == 0)
}
