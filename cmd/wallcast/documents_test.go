package main_test

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the reference into the README instead of comparing it")

// The README's reference is what the program prints.
func TestREADMEReference(t *testing.T) {
	program, err := buildProgram()
	if err != nil {
		t.Fatal(err)
	}
	reference, err := exec.Command(program, "schema", "--reference").Output()
	if err != nil {
		t.Fatal(err)
	}
	const path = "../../README.md"
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	between := regexp.MustCompile(`(?s)(<!-- wallcast schema --reference -->\n).*(<!-- end -->)`)
	want := between.ReplaceAllString(string(readme), "${1}"+strings.ReplaceAll(string(reference), "$", "$$")+"${2}")
	if string(readme) == want {
		return
	}
	if !*update {
		t.Fatal("the reference in the README is not what wallcast schema --reference prints; run go test ./cmd/wallcast -run README -update")
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The source that CONTRIBUTING shows compiles where it says to put it.
func TestCONTRIBUTINGSource(t *testing.T) {
	text, err := os.ReadFile("../../.github/CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("(?s)```go\n(.*?)```").FindSubmatch(text)
	if code == nil {
		t.Fatal("there is no Go code in CONTRIBUTING.md")
	}
	folder := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	source, overlay := filepath.Join(folder, "load.go"), filepath.Join(folder, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "sources", "load", "load.go"): source}})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{source: code[1], overlay: replace} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-overlay", overlay, "./sources/load")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
