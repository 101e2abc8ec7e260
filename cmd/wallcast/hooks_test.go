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
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+"/walls/main/events?last=1000", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Events []struct{ Data json.RawMessage }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		p.t.Fatal(err)
	}
	var all []string
	for _, e := range answer.Events {
		all = append(all, string(e.Data))
	}
	return all
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
	if said := p.command("hook", "github", "replay", "r1"); !strings.HasPrefix(said, "replayed as 3: accepted") {
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
	const deliveries = 60
	folder, address := t.TempDir(), freeAddress(t)
	configuration := `
sources:
  github:
    webhook: {verify: github, secret: ` + hookSecret + `}
    map: '{data: {n: .n, part: (1, 2, 3)}}'
    to: wall.main.push
`
	p := serveConfig(t, folder, address, configuration)
	var current sync.Mutex // held while the program is down
	ended := make(chan struct{})
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	go func() {
		defer close(ended)
		for n := range deliveries {
			body, id := fmt.Sprintf(`{"n":%d}`, n), fmt.Sprint("delivery ", n)
			for t.Context().Err() == nil {
				if status, _, err := p.deliver("github", id, body, hookSecret); err == nil && status < 300 {
					break
				}
				current.Lock() // wait for the next start
				current.Unlock()
			}
		}
	}()
	kills := 0
	for running := true; running; {
		select {
		case <-ended:
			running = false
		case <-time.After(time.Duration(random.IntN(150)) * time.Millisecond):
			current.Lock()
			p.kill()
			kills++
			next := launchProgram(t, folder, address, "serve")
			next.awaitReady()
			p.cmd, p.said, p.ended = next.cmd, next.said, next.ended
			current.Unlock()
		}
	}
	var want []string
	for n := range deliveries {
		for part := 1; part <= 3; part++ {
			want = append(want, fmt.Sprintf(`{"n":%d,"part":%d}`, n, part))
		}
	}
	got := p.awaitHistory(len(want))
	if !slices.Equal(got, want) {
		t.Errorf("after %d kills the wall has %d events\n%q\nwant %d", kills, len(got), got, len(want))
	}
	t.Logf("%d kills", kills)
}
