package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wallcast/wallcast/stream"
)

// Wanted is what the configuration says of plugins.
type Wanted struct {
	Folder string            // may be missing
	Files  map[string]string // of each plugin that it names, the file that it gives it, or ""
	Taken  map[string]bool   // names of sources that are no plugins
}

// sight is a file of the folder as it was seen.
type sight struct {
	file string // its name; empty: none
	info fs.FileInfo
}

func (s sight) same(t sight) bool {
	if s.file != t.file || s.file == "" {
		return s.file == t.file
	}
	return s.info.Size() == t.info.Size() && s.info.ModTime().Equal(t.info.ModTime()) &&
		s.info.Mode() == t.info.Mode() && os.SameFile(s.info, t.info)
}

// contents are the files of the folder that can be plugins.
type contents struct {
	files   map[string][]sight // by plugin, sorted
	strange map[string]string  // what is wrong with others, by file or plugin
}

// read looks at the folder.
func (w Wanted) read() (contents, error) {
	c := contents{files: map[string][]sight{}, strange: map[string]string{}}
	entries, err := os.ReadDir(w.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("reading the plugins folder: %w", err)
	}
	given := map[string][]string{} // names of plugins by the file that they are given
	for name, file := range w.Files {
		given[file] = append(given[file], name)
	}
	for _, e := range entries {
		s, ok := w.look(e.Name())
		if !ok {
			continue
		}
		if names := given[s.file]; len(names) > 0 {
			for _, name := range names {
				c.files[name] = append(c.files[name], s)
			}
			continue
		}
		name := nameOf(s.file)
		if err := w.check(name); err != nil {
			c.strange[s.file] = fmt.Sprintf("%s is no plugin: %v", s.file, err)
		} else if w.Files[name] == "" {
			c.files[name] = append(c.files[name], s)
		}
	}
	return c, nil
}

// look looks at one file, and returns whether it can be a plugin.
func (w Wanted) look(file string) (sight, bool) {
	if strings.HasPrefix(file, ".") || strings.HasSuffix(file, "~") || strings.HasSuffix(file, ".card.html") {
		return sight{}, false // what editors and copying leave, and what belongs to a plugin
	}
	info, err := os.Stat(filepath.Join(w.Folder, file))
	if err != nil || !info.Mode().IsRegular() {
		return sight{}, false
	}
	return sight{file, info}, isModule(file) || info.Mode()&0o111 != 0
}

// nameOf is the name of the plugin that a file is.
func nameOf(file string) string {
	name, _, _ := strings.Cut(file, ".")
	return name
}

func isModule(file string) bool { return strings.EqualFold(filepath.Ext(file), ".wasm") }

// check says why a file can't be the plugin of that name.
func (w Wanted) check(name string) error {
	if err := stream.CheckName("plugin", name); err != nil {
		return err
	}
	if _, configured := w.Files[name]; configured {
		return nil
	}
	if err := stream.CheckKind(name); err != nil { // of its events, as nothing says another
		return err
	}
	if w.Taken[name] {
		return fmt.Errorf("%s is a source already, of another type; rename one of them", name)
	}
	return nil
}

// Find returns the path of a plugin's file, for a command. The error says what to
// do where there is none, or which of several it could be.
func (w Wanted) Find(name string) (string, error) {
	c, err := w.read()
	if err != nil {
		return "", err
	}
	switch found := c.files[name]; len(found) {
	case 1:
		return filepath.Join(w.Folder, found[0].file), nil
	case 0:
		return "", w.missing(name)
	default:
		return "", errors.New(several(name, found))
	}
}

// missing says that a plugin has no file.
func (w Wanted) missing(name string) error {
	if err := w.check(name); err != nil {
		return err
	}
	file := name + ".*"
	if given := w.Files[name]; given != "" {
		file = given
	}
	matches, err := filepath.Glob(filepath.Join(w.Folder, file))
	if err == nil {
		if others, _ := filepath.Glob(filepath.Join(w.Folder, name)); w.Files[name] == "" {
			matches = append(matches, others...)
		}
	}
	for _, path := range matches {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return fmt.Errorf("the file of the plugin %s may not be executed: chmod +x %s", name, path)
		}
	}
	return fmt.Errorf("there is no plugin %s: %s has no executable and no .wasm file %s; wallcast new %s --lang sh writes one", name, w.Folder, file, name)
}

// several says that a plugin has more files than one.
func several(name string, files []sight) string {
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.file
	}
	slices.Sort(names)
	return fmt.Sprintf("the plugin %s has several files, %s; remove all but one", name, strings.Join(names, " and "))
}
