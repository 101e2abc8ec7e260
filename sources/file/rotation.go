package file

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sibling is a regular file in the folder of the one that is followed.
type sibling struct {
	path string
	info os.FileInfo
}

// open opens a sibling unless another file has its name by now.
func (s sibling) open() (*os.File, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil || !os.SameFile(info, s.info) {
		f.Close()
		return nil, fmt.Errorf("%s was replaced", s.path)
	}
	return f, nil
}

// siblings returns the regular files beside path and, where that is a link,
// beside what it points to, whose names are wanted.
func siblings(path string, wanted func(name string) bool) []sibling {
	folders := []string{filepath.Dir(path)}
	if real, err := filepath.EvalSymlinks(path); err == nil && filepath.Dir(real) != folders[0] {
		folders = append(folders, filepath.Dir(real))
	}
	var all []sibling
	for _, folder := range folders {
		// A folder that can't be listed has no siblings to offer; the file's own
		// trouble is reported where it is opened.
		entries, _ := os.ReadDir(folder)
		for _, entry := range entries {
			if !entry.Type().IsRegular() || !wanted(entry.Name()) {
				continue
			}
			if info, err := entry.Info(); err == nil {
				all = append(all, sibling{filepath.Join(folder, entry.Name()), info})
			}
		}
	}
	return all
}

// rotatedSuffix is what rotation adds to a name: a number or a date.
var rotatedSuffix = regexp.MustCompile(`^[.-]?[0-9][0-9TZ._:+-]*$`)

// isRotated reports whether name is one that rotation gives to base.
func isRotated(base, name string) bool {
	if added, ok := strings.CutPrefix(name, base); ok {
		return added != "" && strings.ContainsAny(added[:1], ".-") && rotatedSuffix.MatchString(added)
	}
	ext := filepath.Ext(base)
	stem := strings.TrimSuffix(base, ext)
	added, ok := strings.CutPrefix(name, stem)
	if !ok || ext == "" || stem == "" {
		return false
	}
	added, ok = strings.CutSuffix(added, ext)
	return ok && added != "" && strings.ContainsAny(added[:1], ".-") && rotatedSuffix.MatchString(added)
}

// rotated returns the rotated files of path that hold anything, the oldest first.
func rotated(path string) []sibling {
	base := filepath.Base(path)
	all := siblings(path, func(name string) bool { return isRotated(base, name) })
	all = slices.DeleteFunc(all, func(s sibling) bool { return s.info.Size() == 0 })
	slices.SortFunc(all, older)
	return all
}

// surroundings are the files that a rotation shifts.
type surroundings struct {
	rotated []sibling
	current os.FileInfo // what has the configured name; nil for none that can be read
}

// lookAround lists the surroundings. A list that is made while files are being
// renamed can miss one, and with it all its lines, so it counts only when a
// second look shows the same.
func lookAround(path string) (s surroundings, ok bool) {
	look := func() surroundings {
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			info = nil
		}
		return surroundings{rotated(path), info}
	}
	s, again := look(), look()
	ok = slices.EqualFunc(s.rotated, again.rotated, func(a, b sibling) bool {
		return a.path == b.path && os.SameFile(a.info, b.info)
	})
	if s.current == nil || again.current == nil {
		return s, ok && s.current == nil && again.current == nil
	}
	return s, ok && os.SameFile(s.current, again.current)
}

// older orders rotated files by when they were written to. Where a coarse clock
// gives two the same time, of two numbers the higher is older, as logrotate
// counts, and of two dates the lower.
func older(a, b sibling) int {
	if c := a.info.ModTime().Compare(b.info.ModTime()); c != 0 {
		return c
	}
	x, errX := number(a.path)
	y, errY := number(b.path)
	if errX == nil && errY == nil {
		return cmp.Compare(y, x)
	}
	return cmp.Compare(a.path, b.path)
}

// number is the number that a name ends in.
func number(path string) (int, error) {
	return strconv.Atoi(strings.TrimPrefix(filepath.Ext(path), "."))
}

// after returns the rotated files that follow one: those behind it in the list,
// or where it isn't listed, those changed since the time it was read at.
func after(list []sibling, mine fs.FileInfo, read time.Time) []sibling {
	if mine != nil {
		for i, s := range list {
			if os.SameFile(s.info, mine) {
				return list[i+1:]
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(list), func(s sibling) bool { return !s.info.ModTime().After(read) })
}
