//go:build !linux

package sse

import "net"

// writers exist on Linux only. Elsewhere each viewer has a goroutine.
type writers struct{}

// adopt gives the stream to no writer.
func (s *Server) adopt(c *connection, v *viewer, rep representation, done func()) (*connection, bool) {
	return c, false
}

// tune leaves the connection as the system has it.
func (s *Server) tune(net.Conn) {}
