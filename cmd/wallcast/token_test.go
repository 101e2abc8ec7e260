package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// TestTokenLinesPublish publishes with the lines that wallcast token prints.
func TestTokenLinesPublish(t *testing.T) {
	curl := need(t, "curl")
	folder, address := t.TempDir(), freeAddress(t)
	configuration := "listen: \"" + address + "\"\nnats: {listen: \"" + freeAddress(t) + "\"}\n"
	if err := os.WriteFile(filepath.Join(folder, "wallcast.yaml"), []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := buildProgram()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "token", "ci", "--allow", "publish wall.main.push")
	cmd.Dir = folder
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	printed := map[string]string{}
	for line := range strings.Lines(string(said)) {
		line = strings.TrimSpace(line)
		first, _, _ := strings.Cut(line, " ")
		printed[first] = line
	}
	p := serveConfig(t, folder, address, configuration+"tokens:\n  "+printed["ci:"]+"\n")

	if out, err := exec.Command("sh", "-c", strings.Replace(printed["curl"], "curl", curl+" -fsS", 1)).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", printed["curl"], err, out)
	}
	p.awaitHistory(1)
	wanted := 2
	words := strings.Fields(printed["nats"])
	if len(words) != 12 {
		t.Fatalf("the line for the NATS client is %q", printed["nats"])
	}
	// The line's own client is not there everywhere; ours does what it is told by it.
	nc, err := nats.Connect(words[2], nats.UserInfo(words[4], words[6]), nats.CustomInboxPrefix(words[8]))
	if err != nil {
		t.Fatal("connecting a NATS client: ", err)
	}
	defer nc.Close()
	if err := nc.Publish(words[10], []byte(strings.Trim(words[11], "'"))); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("nats"); err == nil {
		p.awaitHistory(2)
		wanted++
		if out, err := exec.Command("sh", "-c", printed["nats"]).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", printed["nats"], err, out)
		}
	}
	if all := p.awaitHistory(wanted); len(all) != wanted || strings.Join(all, "") != strings.Repeat(`"hello"`, wanted) {
		t.Errorf("the wall holds %q", all)
	}
}
