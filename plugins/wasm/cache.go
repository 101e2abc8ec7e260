package wasm

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// maxCache is how much compiled code is kept from one start to the next, in
// bytes.
const maxCache = 1 << 30

// tidy makes the folder for compiled modules, or removes from it what is oldest
// where there is too much.
func tidy(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	type entry struct {
		path string
		size int64
		made time.Time
	}
	var entries []entry
	var total int64
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		entries = append(entries, entry{path, info.Size(), info.ModTime()})
		total += info.Size()
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b entry) int { return a.made.Compare(b.made) })
	for _, e := range entries {
		if total <= maxCache {
			break
		}
		if err := os.Remove(e.path); err != nil {
			return err
		}
		total -= e.size
	}
	return nil
}
