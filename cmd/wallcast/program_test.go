package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// built is the folder that the program is built into for all tests.
var built string

func TestMain(m *testing.M) {
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	folder, err := os.MkdirTemp("", "wallcast-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	built = folder
	return m.Run()
}

// buildProgram builds the program, once, and with the race detector where the
// tests have it. It returns the program's path.
var buildProgram = sync.OnceValues(func() (string, error) {
	path := filepath.Join(built, "wallcast")
	args := []string{"build", "-o", path}
	if raceDetector() {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return path, nil
})

func raceDetector() bool {
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}

// need fails the test in CI, and skips it elsewhere, for want of a program that
// is not ours.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, "%s is not installed", program)
	}
	return path
}

func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format+", and CI needs it", args...)
	}
	t.Skipf(format, args...)
}

// freeAddress is a loopback address that nobody listened on a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// output collects what a process says; it may be read meanwhile.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// process is the program, running on its own.
type process struct {
	t       *testing.T
	address string // host:port
	url     string // http://host:port
	cmd     *exec.Cmd
	said    *output
	ended   chan struct{}
}

// startProgram starts the program in folder, on address, with further
// arguments, and waits until it is ready. The test's end ends it.
func startProgram(t *testing.T, folder, address string, args ...string) *process {
	t.Helper()
	p := launchProgram(t, folder, address, args...)
	p.awaitReady()
	return p
}

// launchProgram is startProgram without the waiting.
func launchProgram(t *testing.T, folder, address string, args ...string) *process {
	t.Helper()
	path, err := buildProgram()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, address: address, url: "http://" + address, said: new(output), ended: make(chan struct{})}
	p.cmd = exec.Command(path, append(args, "--listen", address)...)
	p.cmd.Dir = folder
	p.cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+folder, "HOME="+folder)
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	if err := p.cmd.Start(); err != nil {
		t.Fatal("starting the program: ", err)
	}
	go func() {
		defer close(p.ended)
		p.cmd.Wait() // how it ended is in ProcessState
	}()
	t.Cleanup(func() {
		p.kill()
		if said := p.said.String(); strings.Contains(said, "DATA RACE") || strings.Contains(said, "panic:") || t.Failed() {
			t.Errorf("the program said:\n%s", tail(said, 8000))
		}
	})
	return p
}

// serveConfig writes a configuration into folder and starts "wallcast serve".
func serveConfig(t *testing.T, folder, address, configuration string) *process {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, "wallcast.yaml"), []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	return startProgram(t, folder, address, "serve")
}

func tail(s string, most int) string {
	if len(s) > most {
		return "… " + s[len(s)-most:]
	}
	return s
}

func (p *process) awaitReady() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/readyz", nil)
		if err != nil {
			p.t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK && strings.Contains(p.said.String(), "/walls/") { // its first words
				return
			}
		}
		select {
		case <-p.ended:
			p.t.Fatalf("the program ended at once, %v", p.cmd.ProcessState)
		case <-ctx.Done():
			p.t.Fatal("the program was not ready within a minute")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// stop ends the program as an operator does, and wants it to end well.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal("stopping the program: ", err)
	}
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		p.t.Fatal("the program did not stop within 30 s of SIGTERM")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("after SIGTERM the program ended with %d", code)
	}
}

// kill ends the program as a power failure does.
func (p *process) kill() {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error("killing the program: ", err)
	}
	<-p.ended
}

// token makes a token with the program's own command. It returns the secret and
// the entry for the configuration.
func token(t *testing.T, name string, rights ...string) (secret, entry string) {
	t.Helper()
	path, err := buildProgram()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"token", name}
	for _, right := range rights {
		args = append(args, "--allow", right)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("making a token: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "wc_"):
			secret = line
		case strings.HasPrefix(line, name+":"):
			entry = line
		}
	}
	if secret == "" || entry == "" {
		t.Fatalf("the command printed no secret or no entry:\n%s", out)
	}
	return secret, entry
}

// request does what a script of a website would and returns the answer's status
// and body. Where may be "message" or "song/jazz", below the wall's events.
func (p *process) request(method, where, contentType, body string, header ...string) (int, string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url+"/walls/main/events"+strings.TrimSuffix("/"+where, "/"), strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// publish stores an event and returns its id.
func (p *process) publish(where, body string, header ...string) string {
	p.t.Helper()
	status, answer := p.request(http.MethodPost, where, "text/plain; charset=utf-8", body, header...)
	var receipt struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &receipt); status != http.StatusCreated || err != nil {
		p.t.Fatalf("publishing %.200q was answered %d %s", body, status, answer)
	}
	return receipt.ID
}

// retract takes an event off the wall.
func (p *process) retract(id string) {
	p.t.Helper()
	if status, answer := p.request(http.MethodDelete, id, "", ""); status != http.StatusNoContent {
		p.t.Fatalf("retracting %s was answered %d %s", id, status, answer)
	}
}
