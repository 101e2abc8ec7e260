//go:build unix

package process

import (
	"io"

	"github.com/wallcast/wallcast/plugins"
)

// copyLines reads a stream to its end, or what may be read of it.
func copyLines(lines *plugins.Lines, from io.Reader) error {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if _, lineErr := lines.Write(buffer[:n]); lineErr != nil {
			return lineErr
		}
		if err != nil {
			return lines.End()
		}
	}
}
