//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// syncRate is how often a second a file in folder can be appended to and synced
// to disk, one after the other: what acknowledging only what is on disk comes up
// against.
func syncRate(folder string, during time.Duration) (float64, error) {
	f, err := os.Create(filepath.Join(folder, "sync"))
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	record := message(0, time.Time{}, false)
	n := 0
	began := time.Now()
	for time.Since(began) < during {
		if _, err := f.Write(record); err != nil {
			return 0, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, fmt.Errorf("syncing to disk: %w", err)
		}
		n++
	}
	return float64(n) / time.Since(began).Seconds(), nil
}
