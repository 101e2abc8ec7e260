//go:build !unix

package bench

import "net"

func newReceiver(conn net.Conn, take func([]byte) error) receiver {
	return bufferedReceiver(conn, take)
}
