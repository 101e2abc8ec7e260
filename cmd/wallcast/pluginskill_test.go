package main_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPluginKilled kills the program twice while triggers wait: each is done, and
// its event is stored once.
func TestPluginKilled(t *testing.T) {
	const triggers = 300
	folder, address := t.TempDir(), freeAddress(t)
	p := serveConfig(t, folder, address, "walls: {main: {}}\nsources: {hello: {plugin: {http: true, concurrency: 4}}}\n")
	p.drop("hello.sh", shell("done"))
	for n := range triggers {
		if status := p.fire("hello", fmt.Sprint(n)); status != http.StatusAccepted {
			t.Fatalf("the hook answered %d", status)
		}
	}
	p.command("trust", "hello")
	for _, enough := range []int{50, 150} {
		p.awaitHistory(enough)
		p.kill()
		p = startProgram(t, folder, address, "serve")
	}
	p.awaitHistory(triggers)
	time.Sleep(time.Second) // for one that would come twice
	all := p.history()
	slices.Sort(all)
	if got := len(slices.Compact(slices.Clone(all))); len(all) != triggers || got != triggers {
		t.Errorf("the wall holds %d events of %d triggers, for %d that were queued", len(all), got, triggers)
	}
	p.stop()
}

// TestDeadLetters lets a plugin fail, and replays what it failed on.
func TestDeadLetters(t *testing.T) {
	p := serveConfig(t, t.TempDir(), freeAddress(t), "walls: {main: {}}\nsources: {hello: {plugin: {http: true, retries: 0}}}\n")
	p.drop("hello.sh", "#!/bin/sh\necho 'I can not' >&2\nexit 3\n")
	p.command("trust", "hello")
	p.fire("hello", "one")
	p.fire("hello", "two")
	p.await("both are dead letters", func() bool { return strings.Count(p.command("plugin", "dead", "hello"), "ended with exit code 3") == 2 })
	if shown := p.command("plugin", "dead", "hello", "1"); !strings.Contains(shown, "I can not") || !strings.Contains(shown, "one") {
		t.Error(shown)
	}
	p.drop("hello.sh", shell("mended"))
	p.command("trust", "hello")
	p.await("the second version is deployed", func() bool { return strings.Count(p.said.String(), "was deployed\" plugin=hello") == 2 })
	if out := p.command("plugin", "replay", "hello", "1"); out != "replayed 1\n" {
		t.Error(out)
	}
	if all := p.awaitHistory(1); strings.Join(all, "") != `"mended one"` {
		t.Errorf("the wall holds %q", all)
	}
	if out := p.command("plugin", "replay", "hello", "all"); out != "replayed 2\n" {
		t.Error(out)
	}
	if all := p.awaitHistory(2); strings.Join(all, "") != `"mended one""mended two"` {
		t.Errorf("the wall holds %q", all)
	}
}
