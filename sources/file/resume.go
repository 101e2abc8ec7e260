package file

import (
	"context"
	"os"
	"path/filepath"
	"slices"
)

// strong is the offset from which on a print alone says that a file is the one
// that was read: shorter begins are often alike.
const strong = window

// searches is how often a file is looked for before it counts as gone: a
// folder that is listed while files in it are renamed may not show all.
const searches = 5

// resume goes on where an earlier run stopped: in the same file under whatever
// name, else in a copy of it, else in what came after it.
func (t *tail) resume(ctx context.Context, last *followed) error {
	t.read = last.Time
	if last.Inode == "" && last.Print == "" { // there was no file yet
		return nil
	}
	for range searches {
		if t.sameFile(last) || t.sameText(last) {
			return nil
		}
		if err := pause(ctx, poll); err != nil {
			return err
		}
	}
	t.out.Log().Warn("the file that was followed is gone; if it had more lines they are lost. Going on with what came after it", "file", t.path)
	return nil
}

// sameFile looks for the inode, under any name.
func (t *tail) sameFile(last *followed) bool {
	all := siblings(t.path, func(string) bool { return true })
	if info, err := os.Stat(t.path); err == nil && info.Mode().IsRegular() {
		all = slices.Insert(all, 0, sibling{t.path, info})
	}
	for _, s := range all {
		if last.Inode == "" || inode(s.info) != last.Inode {
			continue
		}
		f, err := s.open()
		if err != nil {
			continue
		}
		if b := born(f); b != last.Born && b != "" && last.Born != "" {
			f.Close() // the number was given out again
			continue
		}
		if t.useIf(f, last) {
			return true
		}
	}
	return false
}

// sameText looks for what was read: in the file where it was copied and moved
// back, and in the copies that rotation makes.
func (t *tail) sameText(last *followed) bool {
	if last.Offset >= strong {
		if f, err := t.open(); err == nil && t.useIf(f, last) {
			return true
		}
	}
	if last.Offset == 0 {
		return false
	}
	for _, s := range slices.Backward(rotated(t.path)) {
		if s.info.ModTime().Before(last.Time) {
			break
		}
		if f, err := s.open(); err == nil && t.useIf(f, last) {
			return true
		}
	}
	return false
}

// useIf goes on in f if the text before the place is the same; else it closes f.
func (t *tail) useIf(f *os.File, last *followed) bool {
	pos, err := positionAt(f, last.Offset)
	if err == nil && pos.print() == last.Print && t.use(f, pos) == nil {
		t.out.Log().Debug("going on", "file", filepath.Base(f.Name()), "byte", last.Offset)
		return true
	}
	f.Close()
	return false
}
