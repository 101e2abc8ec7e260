package main_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const hookSecret = "a-secret-of-github"

// deliver posts to a hook as GitHub does and returns the answer.
func (p *process) deliver(hook, id, body, secret string) (int, string, error) {
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"/hooks/"+hook, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	for name, value := range map[string]string{
		"Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": id,
		"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil)),
	} {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(answer), err
}

// history returns the payloads that the wall holds.
func (p *process) history() []string {
	p.t.Helper()
	var all []string
	for query := "last=100000"; ; {
		req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+"/walls/main/events?"+query, nil)
		if err != nil {
			p.t.Fatal(err)
		}
		req.Header.Set("Accept", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			p.t.Fatal(err)
		}
		var answer struct {
			Events []struct{ Data json.RawMessage }
			Next   string
		}
		err = json.NewDecoder(resp.Body).Decode(&answer)
		resp.Body.Close()
		if err != nil {
			p.t.Fatal(err)
		}
		if len(answer.Events) == 0 {
			return all
		}
		for _, e := range answer.Events {
			all = append(all, string(e.Data))
		}
		query = "lastEventId=" + answer.Next
	}
}

// awaitHistory waits until the wall holds so many events.
func (p *process) awaitHistory(n int) []string {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		all := p.history()
		if len(all) >= n || time.Now().After(end) {
			return all
		}
	}
}

// command runs the program beside the one that serves in folder.
func (p *process) command(args ...string) string {
	p.t.Helper()
	path, err := buildProgram()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = p.cmd.Dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s%v", out, err)
	}
	return string(out)
}

// TestSecretsInQueries posts as radio tools do: badly escaped, with the secret in
// the address.
func TestSecretsInQueries(t *testing.T) {
	p := serveConfig(t, t.TempDir(), freeAddress(t), `
sources:
  studio: {webhook: {verify: url, secret: `+hookSecret+`}}
  office: {webhook: {verify: basic, user: ann, secret: `+hookSecret+`}}
`)
	resp, err := http.Get(p.url + "/hooks/studio?title=100%+Hits&tok%65n=" + hookSecret + "&artist=A")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Errorf("a badly escaped query was answered %s", resp.Status)
	}
	if got := p.awaitHistory(1); len(got) != 1 || !strings.Contains(got[0], "100% Hits") || !strings.Contains(got[0], `"artist":"A"`) || strings.Contains(got[0], hookSecret) {
		t.Errorf("it made %q", got)
	}
	if shown := p.command("hook", "studio", "show", "1"); strings.Contains(shown, hookSecret) || !strings.Contains(shown, "title=100%+Hits&") {
		t.Errorf("it is shown as\n%s", shown)
	}
	if resp, err = http.Post(p.url+"/hooks/office", "text/plain", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if challenge := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(challenge, "Basic") {
		t.Errorf("a hook with a password answers %s and asks for %q", resp.Status, challenge)
	}
}

func TestHooks(t *testing.T) {
	folder := t.TempDir()
	p := serveConfig(t, folder, freeAddress(t), `
sources:
  github: {webhook: {verify: github, secret: `+hookSecret+`}, to: wall.main.push}
`)
	deliver := func(id, body, secret string, want int) string {
		t.Helper()
		status, answer, err := p.deliver("github", id, body, secret)
		if err != nil || status != want {
			t.Errorf("the delivery %s was answered %d %s (%v), want %d", id, status, answer, err, want)
		}
		return answer
	}
	first := deliver("one", `{"text":"first"}`, hookSecret, http.StatusAccepted)
	again := deliver("one", `{"text":"first"}`, hookSecret, http.StatusOK)
	if !strings.HasPrefix(again, strings.TrimSuffix(first, `,"outcome":"accepted: 1 event"}`+"\n")) {
		t.Errorf("a redelivery was answered %s, the first %s", again, first)
	}
	refused := deliver("two", `{"text":"forged"}`, "another secret", http.StatusUnauthorized)
	if strings.Contains(refused, hookSecret) || strings.Contains(refused, "sha256=") {
		t.Errorf("a forger learns %s", refused)
	}
	deliver("three", `{"text":"mine \u001b[31m `+hookSecret+`"}`, hookSecret, http.StatusAccepted)
	large := deliver("four", `{"text":"`+strings.Repeat("x", 70_000)+`"}`, hookSecret, http.StatusUnprocessableEntity)
	if !strings.Contains(large, "the wall main accepts 65536") {
		t.Errorf("a delivery that is too large for the wall is answered %s", large)
	}
	if status, answer, _ := p.deliver("none", "x", "{}", hookSecret); status != http.StatusNotFound {
		t.Errorf("no such hook: %d %s", status, answer)
	}

	if got := p.awaitHistory(2); len(got) != 2 || got[0] != `{"text":"first"}` {
		t.Errorf("the wall has %q", got)
	}
	list := p.command("hook", "github")
	if n := strings.Count(list, "accepted: 1 event"); n != 2 || !strings.Contains(list, "r1  ") {
		t.Errorf("the log of deliveries is\n%s", list)
	}
	for _, id := range []string{"1", "2", "r1"} {
		if shown := p.command("hook", "github", "show", id); strings.Contains(shown, hookSecret) || strings.Contains(shown, "sha256=") || strings.Contains(shown, "\x1b") || !strings.Contains(shown, "X-Github-Event: push") {
			t.Errorf("the delivery %s is shown as\n%s", id, shown)
		}
	}
	if said := p.command("hook", "github", "replay", "r1"); !strings.HasPrefix(said, "replayed as 3: accepted: 1 event; who sent it is not proved") {
		t.Errorf("the replay says %s", said)
	}
	if got := p.awaitHistory(3); len(got) != 3 || got[2] != `{"text":"forged"}` {
		t.Errorf("after the replay of what was refused the wall has %q", got)
	}
	for args, want := range map[string]string{
		"hook":               "takes the NAME",
		"hook none":          "no hook \"none\" here; there is github",
		"hook github show 9": "has no delivery 9",
		"hook github show x": "is no delivery",
	} {
		if said := p.command(strings.Fields(args)...); !strings.Contains(said, want) {
			t.Errorf("wallcast %s says %s", args, said)
		}
	}
	p.stop()
	mustNotHold(t, filepath.Join(folder, "data"), hookSecret)
}

// mustNotHold fails when a file below folder holds text.
func mustNotHold(t *testing.T, folder, text string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(text)) {
			t.Errorf("%s holds %q", path, text)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("looking at %s: %d files, %v", folder, files, err)
	}
}

// TestDeliveriesThroughCrashes kills the program in the midst of deliveries. The
// sender tries again until it is told that a delivery was taken, as senders do.
func TestDeliveriesThroughCrashes(t *testing.T) {
	const kills, atOnce = 6, 4
	folder, address := t.TempDir(), freeAddress(t)
	p := serveConfig(t, folder, address, `
sources:
  github:
    webhook: {verify: github, secret: `+hookSecret+`}
    map: '{data: {n: .n, part: (1, 2, 3)}}'
    to: wall.main.push
`)
	var up sync.RWMutex // held for writing while the program is down
	enough := make(chan struct{})
	var senders sync.WaitGroup
	var sent [atOnce]int
	for sender := range atOnce {
		senders.Go(func() {
			for {
				select {
				case <-enough:
					return
				default:
				}
				body := fmt.Sprintf(`{"n":"%d.%d"}`, sender, sent[sender])
				for {
					up.RLock()
					status, answer, err := p.deliver("github", body, body, hookSecret)
					up.RUnlock()
					if err == nil && status < 300 {
						break
					}
					if err == nil && status < 500 || t.Context().Err() != nil {
						t.Errorf("the delivery %s was answered %d %s", body, status, answer)
						return
					}
				}
				sent[sender]++
			}
		})
	}
	for range kills {
		time.Sleep(time.Duration(50+rand.IntN(150)) * time.Millisecond) // any moment will do
		p.kill()                                                        // in the midst of requests
		up.Lock()
		next := launchProgram(t, folder, address, "serve")
		next.awaitReady()
		p.cmd, p.said, p.ended = next.cmd, next.said, next.ended
		up.Unlock()
	}
	close(enough)
	senders.Wait()
	var want []string
	for sender, n := range sent {
		for i := range n {
			for part := 1; part <= 3; part++ {
				want = append(want, fmt.Sprintf(`{"n":"%d.%d","part":%d}`, sender, i, part))
			}
		}
	}
	got := p.awaitHistory(len(want))
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("of %d deliveries with three events each the wall has %d events", len(want)/3, len(got))
	}
	t.Logf("%d deliveries, %d kills", len(want)/3, kills)
}
