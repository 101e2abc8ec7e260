package bench

import (
	"net"
	"sync"
)

// readBytes is read at once, so that a viewer that lags is read in few steps.
const readBytes = 64 << 10

// readBuffers are lent to viewers that are being sent something.
var readBuffers = sync.Pool{New: func() any { return new([readBytes]byte) }}

// receiver reads at most limit bytes from a connection, when some have come,
// and hands them on.
type receiver func(limit int) error

// bufferedReceiver keeps a buffer for the connection. It serves where waiting
// without one is not possible: TLS, and systems that are no Unix.
func bufferedReceiver(conn net.Conn, take func([]byte) error) receiver {
	buf := make([]byte, 8<<10)
	return func(limit int) error {
		n, err := conn.Read(buf[:min(limit, len(buf))])
		if n > 0 {
			if err := take(buf[:n]); err != nil {
				return err
			}
		}
		return err
	}
}
