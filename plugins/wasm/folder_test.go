//go:build unix

package wasm_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wallcast/wallcast/plugins"
)

// tree makes a folder to share and a secret beside it.
func tree(t *testing.T) (folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "shared")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(folder, "sub"), 0o700))
	must(os.WriteFile(filepath.Join(folder, "..", "secret"), []byte("the secret"), 0o600))
	must(os.WriteFile(filepath.Join(folder, "sub", "note"), []byte("a note"), 0o600))
	must(os.Symlink("sub/note", filepath.Join(folder, "inside")))
	must(os.Symlink("../secret", filepath.Join(folder, "outside")))
	must(os.Symlink("/", filepath.Join(folder, "root")))
	must(os.Symlink("..", filepath.Join(folder, "sub", "up")))
	must(syscall.Mkfifo(filepath.Join(folder, "pipe"), 0o600))
	return folder
}

// within lets the guest do something with a folder.
func within(t *testing.T, folder string, writable bool, what string) outcome {
	t.Helper()
	return call(t, t.Context(), guest(t), plugins.Call{
		Input:  []byte(what),
		Allow:  plugins.Allow{Folders: []plugins.Folder{{Path: folder, Guest: "/data", Writable: writable}}},
		Limits: plugins.Limits{Time: 20 * time.Second},
	})
}

func (o outcome) wantNo(t *testing.T, what string) {
	t.Helper()
	if plugins.ReasonOf(o.err) != plugins.Exit || len(o.lines) != 1 || !strings.HasPrefix(o.lines[0], "error: ") {
		t.Errorf("%s: %v %q %q", what, o.err, o.lines, o.log)
	}
}

func TestWithoutFoldersThereAreNoFiles(t *testing.T) {
	for _, what := range []string{"read /etc/passwd", "list /", "list .", "write /tmp/x", "read ../../../../etc/passwd"} {
		act(t, what).wantNo(t, what)
	}
}

func TestAFolderIsSeen(t *testing.T) {
	folder := tree(t)
	for _, path := range []string{"/data/sub/note", "/data/inside", "/data/sub/up/sub/note", "/data/./sub/../inside"} {
		within(t, folder, false, "read "+path).wantLines(t, "a note")
	}
	o := within(t, folder, false, "list /data")
	var found []string
	for _, line := range o.lines {
		if strings.Contains(line, "/sub") || strings.Contains(line, "/inside") {
			found = append(found, strings.Join(strings.Fields(line)[:2], " "))
		}
	}
	want := []string{"/data/inside L---------", "/data/sub d---------", "/data/sub/note ----------", "/data/sub/up L---------"}
	if o.err != nil || !slices.Equal(found, want) {
		t.Errorf("%v %q, want %q", o.err, o.lines, want)
	}
}

func TestNoWayLeadsOutOfAFolder(t *testing.T) {
	folder := tree(t)
	for _, writable := range []bool{false, true} {
		for _, what := range []string{
			"read /data/../secret", "read /data/outside", "read /data/root/etc/passwd", "list /data/root/",
			"read /data/sub/up/../secret", "write /data/root/tmp/wallcast-escaped", "write /data/../escaped",
			"remove /data/../secret", "link /data/link", "read /etc/passwd",
		} {
			within(t, folder, writable, what).wantNo(t, what)
		}
	}
	if data, err := os.ReadFile(filepath.Join(folder, "..", "secret")); err != nil || string(data) != "the secret" {
		t.Error(err, data)
	}
}

func TestANamedPipeDoesNotBlock(t *testing.T) {
	folder := tree(t)
	within(t, folder, true, "read /data/pipe").wantNo(t, "reading a pipe")
}

func TestWriting(t *testing.T) {
	folder := tree(t)
	for _, what := range []string{"write /data/new/file", "write /data/sub/note", "remove /data/sub/note", "fill /data/sub/note"} {
		within(t, folder, false, what).wantNo(t, what)
	}
	if data, err := os.ReadFile(filepath.Join(folder, "sub", "note")); err != nil || string(data) != "a note" {
		t.Fatal(err, string(data))
	}
	within(t, folder, true, "write /data/new/file").wantLines(t)
	within(t, folder, true, "write /data/sub/note").wantLines(t)
	for path, text := range map[string]string{"new/file.new": "written", "sub/note.new": "a notewritten"} {
		data, err := os.ReadFile(filepath.Join(folder, path))
		info, statErr := os.Stat(filepath.Join(folder, path))
		if err != nil || statErr != nil || string(data) != text || !info.ModTime().Equal(time.Unix(2, 0)) {
			t.Error(err, statErr, string(data), info)
		}
	}
	within(t, folder, true, "remove /data/new/file.new").wantLines(t)
	within(t, folder, true, "remove /data/new").wantLines(t)
	within(t, folder, true, "remove /data/sub").wantNo(t, "removing a folder that is not empty")
	if _, err := os.Stat(filepath.Join(folder, "new")); !os.IsNotExist(err) {
		t.Error(err)
	}
}

func TestFilesHaveLimits(t *testing.T) {
	folder := tree(t)
	within(t, folder, true, "fill /data/large").wantNo(t, "filling the disk")
	if info, err := os.Stat(filepath.Join(folder, "large")); err != nil || info.Size() != 256<<20 {
		t.Error(err, info.Size())
	}
	o := within(t, folder, true, "hoard /data/sub/note")
	if o.err != nil || len(o.lines) != 1 || !strings.HasPrefix(o.lines[0], "25") {
		t.Error(o.err, o.lines)
	}
}

func TestAFolderThatIsNotThere(t *testing.T) {
	within(t, filepath.Join(t.TempDir(), "none"), false, "say x").want(t, plugins.Start, -1, "which it may see as /data: no such file or directory")
}
