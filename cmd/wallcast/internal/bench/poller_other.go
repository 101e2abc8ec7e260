//go:build !linux

package bench

import "net"

// pollers read the connections of many viewers where the system has epoll.
// Elsewhere each is read by its own goroutine.
type pollers struct{}

func (pollers) start([]*viewer) error                         { return nil }
func (pollers) stop()                                         {}
func (pollers) adopt(*viewer, net.Conn) (<-chan error, error) { return nil, nil }
