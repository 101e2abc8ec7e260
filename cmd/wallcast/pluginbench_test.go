package main_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// quiet is the pause between two requests. Viewers of a wall are woken every 5 ms at
// most, so without it that would be measured.
const quiet = 10 * time.Millisecond

// BenchmarkHookToViewer measures the way from a request to a plugin's hook to a
// viewer of the wall, through the program in a process of its own, with its store
// on disk. Run it without the race detector.
func BenchmarkHookToViewer(b *testing.B) {
	const echo = "../../plugins/wasm/testdata/echo"
	for _, form := range []struct {
		name, file string
		build      []string
	}{
		{"C module", "echo.wasm", []string{"clang", "--target=wasm32-wasi", "-O2", "-o", "FILE", echo + ".c"}},
		{"Go process", "echo", []string{"go", "build", "-o", "FILE", "SOURCE"}},
	} {
		b.Run(form.name, func(b *testing.B) {
			folder := b.TempDir()
			file := filepath.Join(folder, "plugins", form.file)
			if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
				b.Fatal(err)
			}
			build := slices.Clone(form.build)
			build[slices.Index(build, "FILE")] = file
			if n := slices.Index(build, "SOURCE"); n >= 0 {
				text, err := os.ReadFile(echo + "/main.go") // which is for modules, and would do as well here
				if err != nil {
					b.Fatal(err)
				}
				build[n] = filepath.Join(b.TempDir(), "main.go")
				if err := os.WriteFile(build[n], []byte(strings.Replace(string(text), "//go:build wasip1\n", "", 1)), 0o600); err != nil {
					b.Fatal(err)
				}
			}
			if out, err := exec.Command(build[0], build[1:]...).CombinedOutput(); err != nil {
				b.Skipf("building the plugin: %v\n%s", err, out)
			}
			base := serveBench(b, folder)
			lines := viewBench(b, base)
			var took []time.Duration
			for b.Loop() {
				b.StopTimer()
				time.Sleep(quiet)
				b.StartTimer()
				began := time.Now()
				resp, err := http.Post(base+"/hooks/echo", "text/plain", strings.NewReader("hi"))
				if err != nil {
					b.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusAccepted {
					b.Fatal("the hook answered ", resp.Status)
				}
				for !strings.HasPrefix(<-lines, `data: {"text":"hello"`) {
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
		})
	}
}

// serveBench serves folder, whose plugin echo is trusted, and returns the address.
func serveBench(b *testing.B, folder string) string {
	b.Helper()
	path, err := buildProgram()
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "wallcast.yaml"), []byte("walls: {main: {}}\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	trust := exec.Command(path, "trust", "echo")
	trust.Dir = folder
	if out, err := trust.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	serve := exec.Command(path, "serve", "--listen", "127.0.0.1:0")
	serve.Dir = folder
	out, err := serve.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	serve.Stderr = serve.Stdout
	if err := serve.Start(); err != nil {
		b.Fatal(err)
	}
	said := bufio.NewScanner(out)
	b.Cleanup(func() {
		serve.Process.Kill()
		serve.Wait()
	})
	base := ""
	for said.Scan() {
		if _, at, ok := strings.Cut(said.Text(), "The wall is at   "); ok {
			base = strings.TrimSuffix(at, "/walls/main")
		}
		if base != "" && strings.Contains(said.Text(), "was deployed") {
			break
		}
	}
	if base == "" {
		b.Fatal("the program did not say where it serves")
	}
	go func() {
		for said.Scan() {
		}
	}()
	return base
}

// viewBench opens the wall's event stream and returns its lines.
func viewBench(b *testing.B, base string) <-chan string {
	b.Helper()
	resp, err := http.Get(fmt.Sprint(base, "/walls/main/events"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { resp.Body.Close() })
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for all := bufio.NewScanner(resp.Body); all.Scan(); {
			lines <- all.Text()
		}
	}()
	return lines
}
