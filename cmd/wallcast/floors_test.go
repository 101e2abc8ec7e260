package main_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/wallcast/wallcast"

// floors are the packages' places: a package imports packages of lower floors
// and nothing of its own, so that each can be read, tested and replaced alone.
var floors = []struct {
	pattern string
	floor   int
}{
	{"stream", 0},
	{"sources", 1}, {"plugins", 1},
	{"sources/*", 2}, {"plugins/*", 2}, {"stream/*", 2}, {"views", 2},
}

// floorOf is where a package lies. What is internal to a package is part of it.
func floorOf(pkg string) int {
	pkg = part(pkg)
	for _, f := range floors {
		if ok, _ := path.Match(f.pattern, pkg); ok {
			return f.floor
		}
	}
	return 3
}

// part is the package that pkg is internal to, or pkg itself.
func part(pkg string) string {
	whole, _, _ := strings.Cut(pkg, "/internal/")
	return whole
}

// allowed are imports beside the rule, each with its reason.
var allowed = map[[2]string]string{
	{"sources/sourcetest", "sources"}: "a conformance suite stands on what it tests",
}

func TestFloors(t *testing.T) {
	for _, p := range listPackages(t) {
		pkg := strings.TrimPrefix(p.ImportPath, module+"/")
		floor := floorOf(pkg)
		for _, imported := range p.Imports {
			if floor == 0 && strings.Contains(imported, ".") {
				t.Errorf("%s imports %s: the ground floor has the standard library alone, so that a source made elsewhere compiles nothing else", pkg, imported)
			}
			if strings.HasPrefix(imported, "github.com/nats-io/nats-server/") && pkg != "stream/embed" {
				t.Errorf("%s imports %s: stream/embed alone does, so that nobody else compiles a NATS server", pkg, imported)
			}
			below, ours := strings.CutPrefix(imported, module+"/")
			if !ours || floor == 3 || part(pkg) == part(below) || allowed[[2]string{pkg, below}] != "" {
				continue
			}
			if floorOf(below) >= floor && !(pkg == "plugins" && below == "sources") {
				t.Errorf("%s (floor %d) imports %s (floor %d): dependencies point downwards; have it injected by cmd/wallcast", pkg, floor, below, floorOf(below))
			}
			if below == "stream/embed" && floor < 3 {
				t.Errorf("%s imports stream/embed, which is cmd/wallcast's alone", pkg)
			}
		}
	}
}

func TestTopLevelFolders(t *testing.T) {
	entries, err := os.ReadDir("../..")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"cmd", "sources", "stream", "views", "plugins"}
	files := []string{"go.mod", "go.sum", "README.md", "Makefile", "LICENSE"}
	tracked, err := exec.Command("git", "-C", "../..", "ls-files").Output()
	if err != nil {
		t.Skip("no git checkout to look at")
	}
	for _, e := range entries {
		name := e.Name()
		isTracked := strings.Contains("\n"+string(tracked), "\n"+name+"/") || strings.Contains("\n"+string(tracked), "\n"+name+"\n")
		if strings.HasPrefix(name, ".") || !isTracked {
			continue
		}
		if e.IsDir() && !slices.Contains(want, name) || !e.IsDir() && !slices.Contains(files, name) {
			t.Errorf("%s is at the top level; only %v and %v may be seen there", name, want, files)
		}
	}
}

type listed struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = "../.."
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []listed
	for dec := json.NewDecoder(out); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d packages were listed", len(all))
	}
	return all
}
