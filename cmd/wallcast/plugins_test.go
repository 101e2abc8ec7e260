package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// deployTime is how long what happens in the plugins folder, or to trust, may
// take to count. The race detector and a busy computer are given more.
const deployTime = 20 * time.Second

// drop puts a plugin into the folder of the program, as one step.
func (p *process) drop(file, content string) {
	p.t.Helper()
	folder := filepath.Join(p.cmd.Dir, "plugins")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		p.t.Fatal(err)
	}
	part := filepath.Join(p.t.TempDir(), file)
	if err := os.WriteFile(part, []byte(content), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(part, filepath.Join(folder, file)); err != nil {
		p.t.Fatal(err)
	}
}

// fire posts to a plugin's hook and returns the answer's status.
func (p *process) fire(plugin, body string, header ...string) int {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"/hooks/"+plugin, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode
}

// awaitPlugins waits until what wallcast plugin list prints has all of these.
func (p *process) awaitPlugins(parts ...string) {
	p.t.Helper()
	p.await("the list of plugins has "+strings.Join(parts, ", "), func() bool {
		list := p.command("plugin", "list")
		for _, part := range parts {
			if !strings.Contains(list, part) {
				return false
			}
		}
		return true
	})
}

func (p *process) await(what string, there func() bool) {
	p.t.Helper()
	for end := time.Now().Add(deployTime); !there(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("it did not come about that %s; the plugins are:\n%s", what, p.command("plugin", "list"))
		}
	}
}

// shell is a plugin in shell that says what it is asked, and which version it is.
func shell(version string) string {
	return `#!/bin/sh
read -r trigger
body=$(printf '%s\n' "$trigger" | sed -n -E 's/.*"body":"([^"]*)".*/\1/p')
echo "{\"data\":\"` + version + ` $body\"}"
echo "did $body" >&2
`
}

// seen is one connection to the wall's events.
type seen struct {
	mu    sync.Mutex
	lines []string
	ended error
}

func (p *process) view() *seen {
	p.t.Helper()
	resp, err := http.Get(p.url + "/walls/main/events?last=0")
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { resp.Body.Close() })
	s := new(seen)
	go func() {
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
			s.mu.Lock()
			s.lines = append(s.lines, lines.Text())
			s.mu.Unlock()
		}
		s.mu.Lock()
		s.ended = fmt.Errorf("the stream ended: %w", io.EOF)
		s.mu.Unlock()
	}()
	return s
}

// data are the payloads that came, and whether the connection is as it was.
func (s *seen) data() ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	ours := false // the event is the stream's own
	for _, line := range s.lines {
		if name, ok := strings.CutPrefix(line, "event:"); ok {
			ours = strings.HasPrefix(strings.TrimSpace(name), "wall:")
		} else if data, ok := strings.CutPrefix(line, "data:"); ok && !ours {
			all = append(all, strings.TrimSpace(data))
		} else if line == "" {
			ours = false
		}
	}
	for _, line := range s.lines {
		if strings.Contains(line, "wall:bye") || strings.Contains(line, "wall:gap") {
			return all, fmt.Errorf("it was told %s", line)
		}
	}
	return all, s.ended
}

// TestNewPlugins goes the way that the README shows, in each language.
func TestNewPlugins(t *testing.T) {
	p := serveConfig(t, t.TempDir(), freeAddress(t), "walls: {main: {}}\n")
	for _, lang := range []struct{ name, needs string }{{"sh", "sh"}, {"python", "python3"}, {"go", "go"}, {"wasm", "go"}} {
		t.Run(lang.name, func(t *testing.T) {
			need(t, lang.needs)
			name := "in-" + lang.name
			if out := p.command("new", name, "--lang", lang.name); !strings.Contains(out, "\nNext: ") {
				t.Fatal(out)
			}
			tried := p.command("try", name, "--trigger", `{"trigger": "http", "input": {"body": "tried"}}`)
			for _, part := range []string{"wall.main." + name, `trigger  {"trigger":"http"`, `"tried"}`, "1 event would be stored"} {
				if !strings.Contains(tried, part) {
					t.Errorf("wallcast try prints no %s:\n%s", part, tried)
				}
			}
			if out := p.command("trust", name); !strings.Contains(out, "trust") {
				t.Fatal(out)
			}
			before := len(p.history())
			if status := p.fire(name, "hi, "+lang.name); status != http.StatusAccepted {
				t.Fatalf("the hook answered %d", status)
			}
			all := p.awaitHistory(before + 1)
			if last := all[len(all)-1]; len(all) != before+1 || !strings.Contains(last, `"hi, `+lang.name+`"`) {
				t.Errorf("the wall holds %q", all)
			}
			if out := p.command("new", name); !strings.Contains(out, "is there already") {
				t.Error("a plugin that is there was replaced: ", out)
			}
		})
	}
}

// forAll is a folder that every user gets into: where root runs the tests, plugins
// are run as others.
func forAll(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "wallcast-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestDeployWithViewer drops, changes and removes a plugin; a viewer notices
// nothing but its events, and another plugin nothing at all.
func TestDeployWithViewer(t *testing.T) {
	p := serveConfig(t, t.TempDir(), freeAddress(t), `
sources:
  other: {plugin: {stream: true}, to: wall.main.message}
  waits: {plugin: {http: true, timeout: 1m}, to: wall.main.message}
`)
	p.drop("other.sh", "#!/bin/sh\necho '{\"data\":\"other began\"}'\ncat >/dev/null\n")
	p.drop("hello.sh", shell("one"))
	gate := filepath.Join(forAll(t), "gate")
	p.drop("waits.sh", `#!/bin/sh
echo began >&2
while [ ! -e `+gate+` ]; do sleep 0.1; done
echo '{"data":"finished on the old one"}'
`)
	viewer := p.view()
	want := func(payloads ...string) {
		t.Helper()
		var have []string
		p.await(fmt.Sprintf("the viewer gets %q", payloads), func() bool {
			var err error
			if have, err = viewer.data(); err != nil {
				t.Fatal(err)
			}
			return len(have) >= len(payloads)
		})
		if strings.Join(have, "\n") != strings.Join(payloads, "\n") {
			t.Fatalf("the viewer got %q, want %q", have, payloads)
		}
	}
	p.awaitPlugins("hello.sh  untrusted")
	p.command("trust", "other")
	want("other began")
	p.command("trust", "hello")
	p.fire("hello", "a")
	want("other began", "one a")

	p.command("trust", "waits")
	p.fire("waits", "")
	p.await("its call has begun", func() bool { return strings.Contains(p.command("plugin", "logs", "waits"), "began") })
	p.drop("waits.sh", "#!/bin/sh\necho '{\"data\":\"the new one\"}'\n")
	p.command("trust", "waits")
	p.drop("hello.sh", shell("two"))
	p.command("trust", "hello")
	p.await("the second version is deployed", func() bool { return strings.Count(p.said.String(), "was deployed\" plugin=hello") == 2 })
	p.fire("hello", "b")
	want("other began", "one a", "two b")
	p.await("waits's second version is deployed", func() bool { return strings.Count(p.said.String(), "was deployed\" plugin=waits") == 2 })
	if err := os.WriteFile(gate, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	want("other began", "one a", "two b", "finished on the old one")
	p.fire("waits", "")
	want("other began", "one a", "two b", "finished on the old one", "the new one")

	if err := os.Remove(filepath.Join(p.cmd.Dir, "plugins", "hello.sh")); err != nil {
		t.Fatal(err)
	}
	p.await("the plugin is retired", func() bool { return strings.Contains(p.said.String(), "was retired\" plugin=hello") })
	if status := p.fire("hello", "c"); status != http.StatusNotFound {
		t.Errorf("the hook of a plugin that was retired answered %d", status)
	}
	p.await("the plugin is gone", func() bool { return !strings.Contains(p.command("plugin", "list"), "hello") })
	p.publish("", "end")
	want("other began", "one a", "two b", "finished on the old one", "the new one", "end")
	if strings.Contains(p.said.String(), "level=ERROR") {
		t.Error("there were errors")
	}
	p.stop()
}

// TestTrust holds that nothing runs but what was trusted.
func TestTrust(t *testing.T) {
	folder, address := t.TempDir(), freeAddress(t)
	p := serveConfig(t, folder, address, "walls: {main: {}}\n")
	p.drop("hello.sh", shell("one"))
	p.awaitPlugins("hello.sh", "untrusted", "wallcast trust hello")
	if status := p.fire("hello", "a"); status != http.StatusAccepted {
		t.Fatalf("the hook of a plugin that waits for trust answered %d", status)
	}
	time.Sleep(2 * time.Second) // nothing is to happen
	if all := p.history(); len(all) != 0 {
		t.Fatalf("an executable ran that nobody trusted: %q", all)
	}
	if out := p.command("trust", "hello"); !strings.Contains(out, "sha256 ") {
		t.Fatal(out)
	}
	if all := p.awaitHistory(1); strings.Join(all, "") != `"one a"` {
		t.Fatalf("the wall holds %q", all)
	}
	info, err := os.Stat(filepath.Join(folder, "data", "plugins", "trust.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}

	// A change does not run, the former version does, also after a restart.
	p.drop("hello.sh", shell("two"))
	p.awaitPlugins("ready", "has changed since it was trusted", "the former version goes on")
	p.fire("hello", "b")
	p.awaitHistory(2)
	p.stop()
	p = startProgram(t, folder, address, "serve")
	p.fire("hello", "c")
	if all := p.awaitHistory(3); strings.Join(all, "") != `"one a""one b""one c"` {
		t.Fatalf("the wall holds %q", all)
	}

	// Trust without a program that runs counts at its next start.
	p.stop()
	if out := p.command("trust", "hello"); !strings.Contains(out, "sha256 ") {
		t.Fatal(out)
	}
	p = startProgram(t, folder, address, "serve")
	p.fire("hello", "d")
	if all := p.awaitHistory(4); len(all) != 4 || all[3] != `"two d"` {
		t.Fatalf("the wall holds %q", all)
	}
	if logs := p.command("plugin", "logs", "hello"); !strings.Contains(logs, "did d") {
		t.Error(logs)
	}
}
