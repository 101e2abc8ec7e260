package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStrangeFiles holds what is said of files that are not as they should be,
// and that what runs goes on.
func TestStrangeFiles(t *testing.T) {
	p := serveConfig(t, t.TempDir(), freeAddress(t), "sources: {taken: {webhook: {verify: url, secret: abcdefghijklmnop}}, idle: {plugin: {http: true}}}\n")
	p.drop("hello.sh", shell("one"))
	p.command("trust", "hello")
	p.awaitPlugins("hello.sh", "ready", "no executable and no .wasm file idle.*")
	p.drop("hello.py", "#!/usr/bin/env python3\n")
	p.drop("Wrong.sh", "#!/bin/sh\n")
	p.drop("taken.sh", "#!/bin/sh\n")
	p.drop("broken.wasm", "this is no module")
	p.drop("open.sh", "#!/bin/sh\n")
	p.awaitPlugins("several files, hello.py and hello.sh", "Wrong.sh is no plugin", "taken is a source already", "open.sh is no plugin", "broken.wasm")
	p.await("the broken module is reported", func() bool { return strings.Contains(p.said.String(), "does not run\" plugin=broken") })
	p.fire("hello", "a")
	if all := p.awaitHistory(1); strings.Join(all, "") != `"one a"` {
		t.Fatalf("the wall holds %q", all)
	}
	if n := strings.Count(p.said.String(), "Wrong.sh is no plugin"); n != 1 {
		t.Errorf("it was said %d times that Wrong.sh is no plugin", n)
	}
	if status := p.fire("idle", ""); status != http.StatusAccepted {
		t.Errorf("the hook of a plugin without a file answered %d", status)
	}
	if status := p.fire("nobody", ""); status != http.StatusNotFound {
		t.Errorf("the hook of no plugin answered %d", status)
	}
}

// TestSlowCopy holds that a file that is still being written is not taken for one.
func TestSlowCopy(t *testing.T) {
	p := serveConfig(t, t.TempDir(), freeAddress(t), "walls: {main: {}}\n")
	p.drop("slow.wasm", "")
	f, err := os.OpenFile(filepath.Join(p.cmd.Dir, "plugins", "slow.wasm"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 30 { // more often than the folder is looked at
		if _, err := f.WriteString("no module"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if said := p.said.String(); strings.Contains(said, "does not run") {
		t.Error("it was loaded before it was complete")
	}
	p.await("it is loaded", func() bool { return strings.Contains(p.said.String(), "does not run\" plugin=slow") })
}

// TestPluginReload changes a plugin's settings while it runs.
func TestPluginReload(t *testing.T) {
	folder := t.TempDir()
	configuration := func(greeting string) string {
		return "walls: {main: {}}\nsources: {hello: {plugin: {http: true, config: {body: " + greeting + "}}}}\n"
	}
	p := serveConfig(t, folder, freeAddress(t), configuration("first"))
	p.drop("hello.sh", `#!/bin/sh
read -r trigger
printf '%s\n' "$trigger" | sed -n -E 's/.*"config":\{"body":"([^"]*)".*/{"data":"\1"}/p'
`)
	p.command("trust", "hello")
	p.fire("hello", "")
	p.awaitHistory(1)
	if err := os.WriteFile(filepath.Join(folder, "wallcast.yaml"), []byte(configuration("second")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.await("the configuration is applied", func() bool { return strings.Contains(p.said.String(), "the configuration was applied") })
	p.fire("hello", "")
	if all := p.awaitHistory(2); strings.Join(all, "") != `"first""second"` {
		t.Fatalf("the wall holds %q", all)
	}
}

// TestPluginAccess holds that a plugin is fired by who may write to its wall.
func TestPluginAccess(t *testing.T) {
	secret, entry := token(t, "ci", "publish wall.main.>")
	p := serveConfig(t, t.TempDir(), freeAddress(t), `
tokens: {`+entry+`}
walls:
  main: {}
  open: {post: {allow: anyone, hold: true}}
sources:
  loose: {plugin: {http: true}, to: wall.open.loose}
  held: {plugin: {http: true}, to: wall.open.held, hold: true}
  clock: {plugin: {every: 1h}, to: wall.main.clock}
`)
	p.drop("hello.sh", shell("one"))
	p.drop("held.sh", shell("held"))
	p.command("trust", "hello")
	p.command("trust", "held")
	for _, test := range []struct {
		plugin string
		header []string
		want   int
	}{
		{"hello", nil, http.StatusUnauthorized},
		{"hello", []string{"Authorization", "Bearer " + secret}, http.StatusAccepted},
		{"hello", []string{"Authorization", "Bearer " + secret, "Idempotency-Key", "a"}, http.StatusAccepted},
		{"hello", []string{"Authorization", "Bearer " + secret, "Idempotency-Key", "a"}, http.StatusOK},
		{"loose", nil, http.StatusForbidden},
		{"held", nil, http.StatusAccepted},
		{"held", []string{"Origin", "https://elsewhere.example"}, http.StatusForbidden},
		{"clock", []string{"Authorization", "Bearer " + secret}, http.StatusNotFound},
	} {
		if status := p.fire(test.plugin, "a", test.header...); status != test.want {
			t.Errorf("the hook of %s answered %d to %q, want %d", test.plugin, status, test.header, test.want)
		}
	}
	p.await("the events wait for a moderator", func() bool { return strings.Count(p.command("held"), "held a") == 1 })
	if all := p.awaitHistory(2); strings.Join(all, "") != `"one a""one a"` {
		t.Errorf("the wall holds %q", all)
	}
	resp, err := http.Get(p.url + "/hooks/hello")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != http.MethodPost {
		t.Errorf("GET was answered %s, with Allow: %q", resp.Status, resp.Header.Get("Allow"))
	}
}
