package plugins_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wallcast/wallcast/plugins"
	"github.com/wallcast/wallcast/plugins/process"
	"github.com/wallcast/wallcast/stream"
)

// script loads a shell script into the bench's slot.
func (b *bench) script(text string) {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), b.name)
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		b.t.Fatal(err)
	}
	p, err := process.Host{}.Load(b.t.Context(), file)
	if err != nil {
		b.t.Fatal(err)
	}
	b.slot.Swap(&plugins.Loaded{Program: p, Memory: 256 << 20})
	b.t.Cleanup(func() { b.slot.Swap(nil) })
}

// A thousand requests to a shell script are each done once, in their order, though
// the program is stopped three times meanwhile.
func TestAThousandRequestsToAShellScript(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a thousand processes")
	}
	const requests = 1000
	b := newBench(t, store(t), "counter", nil)
	b.script(`read -r trigger
n=${trigger#*\"cursor\":}; n=${n%%,*}
[ "$n" = null ] && n=0
echo "{\"data\": \"$((n + 1))\"}"
echo "{\"cursor\": $((n + 1))}"
`)
	var want []string
	for n := range requests {
		b.fire("x")
		want = append(want, fmt.Sprint(n+1))
	}
	for _, part := range []int{100, 300, 500} {
		stop := b.start(nil)
		b.wait(part)
		stop() // the calls that run are killed, and done again
	}
	b.start(nil)
	b.wait(requests)
	b.idle()
	if got := b.stored(); !slices.Equal(got, want) {
		t.Errorf("stored %d events: %q", len(got), got)
	}
}

func TestHostileScripts(t *testing.T) {
	s := store(t)
	for name, test := range map[string]struct {
		script, about string
		reason        plugins.Reason
	}{
		"sleeper": {`echo '{"data":"before"}'; sleep 60`, "longer than", plugins.Timeout},
		"flood":   {`while :; do echo '{"data":"flood"}'; done`, "more than", plugins.Output},
		"exit":    {`echo '{"data":"before"}'; echo oh no >&2; exit 3`, "exit code 3", plugins.Exit},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, s, name, nil)
			b.script(test.script)
			b.fire("x")
			b.start(func(s *plugins.Settings) { s.HTTP, s.Retries, s.Timeout, s.Output = true, 0, 2*time.Second, 5000 })
			b.idle()
			letters, err := s.DeadLetters(t.Context(), name, 10)
			if err != nil || len(letters) != 1 || letters[0].Reason != test.reason || !strings.Contains(letters[0].Error, test.about) {
				t.Errorf("the dead letters are %+v, %v", letters, err)
			}
			b.equal(b.stored())
		})
	}
	t.Run("noise", func(t *testing.T) {
		b := newBench(t, s, "noise", nil)
		b.script(`echo '{"data":"one"}'
head -c 700000 /dev/zero | tr '\0' x; echo
printf '\377\376\n'
echo '{"data":'
echo '{"wall":"other","data":"<script>alert(1)</script>"}'
printf '{"data":"no final newline"}'
`)
		b.fire("x")
		b.start(nil)
		b.idle()
		b.equal(b.stored(), "one", "no final newline")
		var said []string
		for _, line := range b.logs.Logs() {
			said = append(said, line.Text)
		}
		for i, about := range []string{"line 2 of its output was left out: it is longer than", "line 3 of its output was left out: it is not UTF-8", "line 4 of its output was left out: it is not valid JSON", "may not write to the wall"} {
			if i >= len(said) || !strings.Contains(said[i], about) {
				t.Errorf("the log is %q, want %q at %d", said, about, i)
			}
		}
	})
}

func TestAScriptThatIsKeptRunning(t *testing.T) {
	b := newBench(t, store(t), "tail", nil)
	// A script that root runs has a user of its own, who can't see into t.TempDir.
	folder, err := os.MkdirTemp("", "plugin")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "feed")
	if err := os.WriteFile(file, []byte(`{"data":"one"}`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b.script(`read -r trigger
tail -n +1 -f "$FEED" &
child=$!
read -r end   # ends when it is to stop
kill $child
echo '{"data":"bye"}'
`)
	b.start(func(s *plugins.Settings) {
		s.Stream, s.Allow.Environment = true, map[string]string{"FEED": file}
	})
	b.equal(b.wait(1), "one")
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintln(f, `{"data":"two"}`)
	b.equal(b.wait(2), "one", "two")
	b.slot.Swap(nil)
	b.equal(b.wait(3), "one", "two", "bye")
}

func TestAScriptThatAnswersAWall(t *testing.T) {
	s := store(t)
	b := newBench(t, s, "shout", nil)
	b.script(`sed 's/.*"data":"\([^"]*\)".*/{"data":"\1!"}/'` + "\n")
	b.start(func(s *plugins.Settings) { s.On = "wall.other.message" })
	until(t, "it listens", func() bool {
		mark, err := s.LastMark(t.Context(), "shout", []string{"main"})
		return err == nil && mark.Count > 0
	})
	for _, text := range []string{"hello", "world"} {
		if _, err := s.Publish(t.Context(), stream.Draft{Subject: stream.Subject{Wall: "other", Kind: "message"}, Data: []byte(text)}); err != nil {
			t.Fatal(err)
		}
	}
	b.equal(b.wait(2), "hello!", "world!")
}
