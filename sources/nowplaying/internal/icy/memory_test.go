package icy

import (
	"io"
	"runtime"
	"testing"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// zeros are audio, and now and then a block without a title.
type zeros struct{ left int }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), z.left)
	clear(p[:n])
	z.left -= n
	return n, nil
}

// Audio is thrown away: a day of it costs no more memory than a second.
func TestMemory(t *testing.T) {
	allocated := func(bytes int) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		reports := 0
		(&stream{}).read(&zeros{bytes}, 16000, upstream.Report{}, func(upstream.Report) { reports++ })
		runtime.ReadMemStats(&after)
		if reports != bytes/16001 {
			t.Errorf("%d reports of %d bytes", reports, bytes)
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	if n := allocated(256 << 20); n > 256<<10 {
		t.Errorf("256 MiB of audio took %d KiB of memory", n>>10)
	}
}
