package main_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDamagedStore damages each file of a store in several ways. The program
// then either starts and works, or says in one sentence why not.
func TestDamagedStore(t *testing.T) {
	original := t.TempDir()
	p := serveConfig(t, original, freeAddress(t), "walls: {main: {}}\n")
	last := ""
	for i := range 20 {
		p.publish("message", fmt.Sprint("message ", i))
		last = p.publish("song/jazz", fmt.Sprint("song ", i))
	}
	p.stop()

	damages := map[string]func(path string, content []byte) error{
		"truncated": func(path string, content []byte) error { return os.Truncate(path, int64(len(content)/2)) },
		"emptied":   func(path string, _ []byte) error { return os.Truncate(path, 0) },
		"removed":   func(path string, _ []byte) error { return os.Remove(path) },
		"garbage": func(path string, content []byte) error {
			rng := rand.New(rand.NewPCG(1, uint64(len(content))))
			for i := range content {
				content[i] ^= byte(rng.IntN(256))
			}
			return os.WriteFile(path, content, 0o600)
		},
		"a folder": func(path string, _ []byte) error {
			return os.Rename(path, path+".moved") // made a folder below
		},
	}
	streams := filepath.Join("data", "nats", "jetstream", "WALLCAST", "streams")
	for _, file := range []string{
		"WALL_main/msgs/1.blk", "WALL_main/msgs/index.db", "WALL_main/meta.inf", "WALL_main/meta.sum",
		"CARDS/msgs/1.blk", "CARDS/meta.inf", "KV_wallcast_state/msgs/1.blk", "KV_wallcast_state/meta.inf",
		"../../../identity",
	} {
		for how, damage := range damages {
			if raceDetector() && how != "garbage" {
				continue // a slow start, and there are many
			}
			t.Run(strings.ReplaceAll(strings.TrimPrefix(file, "../../../"), "/", " ")+" "+how, func(t *testing.T) {
				folder := t.TempDir()
				copyFolder(t, original, folder)
				path := filepath.Join(folder, streams, file)
				content, err := os.ReadFile(path)
				if err == nil {
					err = damage(path, content)
				}
				if err == nil && how == "a folder" {
					err = os.Mkdir(path, 0o700)
				}
				if err != nil {
					t.Fatal(err)
				}
				startsOrSaysWhyNot(t, folder, last)
			})
		}
	}
}

// startsOrSaysWhyNot starts the program on a store that may be broken. Last is
// the newest id that a viewer may have; where it comes back with that it must not
// be left in the belief that nothing is missing.
func startsOrSaysWhyNot(t *testing.T, folder, last string) {
	t.Helper()
	p := launchProgram(t, folder, freeAddress(t), "serve")
	deadline := time.After(endsBy)
	for {
		resp, err := http.Get(p.url + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				break
			}
		}
		select {
		case <-p.ended:
			checkRefusal(t, p.cmd.ProcessState.ExitCode(), p.said.String())
			return
		case <-deadline:
			t.Fatalf("the program neither starts nor ends:\n%s", p.said)
		case <-time.After(10 * time.Millisecond):
		}
	}
	id := p.publish("song/jazz", "after the damage")
	events := held(t, p)
	if len(events) == 0 || events[len(events)-1].ID != id {
		t.Errorf("it works, but does not hold the event %s", id)
	}
	t.Logf("it works, with %d of 41 events", len(events))
	answer := pollFrom(t, p, "", last)
	if answer.Gap == nil && (len(answer.Events) != 1 || answer.Events[0].ID != id || id == last) {
		t.Errorf("a viewer of %s gets %v and no gap; the new event is %s", last, answer.Events, id)
	}
	p.stop()
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o700)
		case !d.Type().IsRegular(): // the socket of the program
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}
