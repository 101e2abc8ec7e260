package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gosse "github.com/tmaxmax/go-sse"
)

// endsBy is how long the program may take to say that it can't start.
const endsBy = 30 * time.Second

// run runs the program to its end and returns its exit code and what it said.
func run(t *testing.T, folder string, args ...string) (code int, said string) {
	t.Helper()
	path, err := buildProgram()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), endsBy)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = folder
	out, _ := cmd.CombinedOutput() // the exit code says how it went
	if ctx.Err() != nil {
		t.Fatalf("%q did not end within %s:\n%s", args, endsBy, out)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// refuses runs "serve" and wants it to end with 1 and one sentence that has all
// of the words.
func refuses(t *testing.T, folder, configuration string, words ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, "wallcast.yaml"), []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	code, said := run(t, folder, "serve")
	sentence := checkRefusal(t, code, said)
	for _, word := range words {
		if !strings.Contains(sentence, word) {
			t.Errorf("the sentence lacks %q: %s", word, sentence)
		}
	}
}

// checkRefusal returns the program's last sentence.
func checkRefusal(t *testing.T, code int, said string) string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(said), "\n")
	sentence := lines[len(lines)-1]
	t.Log(sentence)
	if code != 1 || !strings.HasPrefix(sentence, "wallcast: ") || strings.Contains(said, "goroutine ") || strings.Contains(said, "The wall is at") {
		t.Errorf("the program ended with %d and said:\n%s", code, said)
	}
	for _, line := range lines[:len(lines)-1] { // what remains is the log's
		if !strings.HasPrefix(line, "time=") {
			t.Errorf("this is more than a sentence:\n%s", said)
			break
		}
	}
	return sentence
}

func TestSecondProgramOnTheDataFolder(t *testing.T) {
	folder := t.TempDir()
	p := serveConfig(t, folder, freeAddress(t), "walls: {main: {}}\n")
	id := p.publish("", "first")
	refuses(t, folder, fmt.Sprintf("listen: %q\n", freeAddress(t)), "using this data folder", fmt.Sprint(p.cmd.Process.Pid))
	if got := held(t, p); len(got) != 1 || got[0].ID != id {
		t.Errorf("the first program holds %v after the second has tried", got)
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	t.Run("HTTP", func(t *testing.T) {
		refuses(t, t.TempDir(), fmt.Sprintf("listen: %q\n", taken), taken, "in use", "--listen")
	})
	t.Run("NATS", func(t *testing.T) {
		refuses(t, t.TempDir(), fmt.Sprintf("listen: %q\nnats: {listen: %q}\n", freeAddress(t), taken), taken, "in use")
	})
}

func TestNoDataFolder(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "taken"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	t.Run("a file", func(t *testing.T) {
		refuses(t, folder, fmt.Sprintf("listen: %q\ndata: taken\n", address), "data folder", "taken")
	})
	t.Run("below a file", func(t *testing.T) {
		refuses(t, folder, fmt.Sprintf("listen: %q\ndata: taken/data\n", address), "data folder", "taken")
	})
	t.Run("not writable", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may write everywhere")
		}
		if err := os.Mkdir(filepath.Join(folder, "closed"), 0o500); err != nil {
			t.Fatal(err)
		}
		refuses(t, folder, fmt.Sprintf("listen: %q\ndata: closed/data\n", address), "data folder", "closed")
	})
}

// held is what a poll finds on the wall.
func held(t *testing.T, p *process) []object {
	t.Helper()
	return pollFrom(t, p, "?last=1000", "").Events
}

func pollFrom(t *testing.T, p *process, query, id string) pollAnswer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/walls/main/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Last-Event-ID", id)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer pollAnswer
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("a poll was answered %s, %v", resp.Status, err)
	}
	return answer
}

// TestOlderCopy puts a backup in the data folder's place: its ids stand for
// other events from then on, so they have to be others.
func TestOlderCopy(t *testing.T) {
	folder, backup, address := t.TempDir(), t.TempDir(), freeAddress(t)
	p := serveConfig(t, folder, address, "walls: {main: {}}\n")
	p.publish("", "one")
	p.stop()
	copyFolder(t, filepath.Join(folder, "data"), filepath.Join(backup, "data"))

	p = startProgram(t, folder, address, "serve")
	p.publish("", "two")
	lost := p.publish("", "three")
	p.stop()

	data := filepath.Join(folder, "data")
	if err := os.Rename(data, data+".new"); err != nil {
		t.Fatal(err)
	}
	copyFolder(t, filepath.Join(backup, "data"), data)
	p = startProgram(t, folder, address, "serve")
	p.publish("", "another two")
	other := p.publish("", "another three")
	if other == lost {
		t.Fatalf("%s was given to two events", lost)
	}
	answer := pollFrom(t, p, "", lost)
	var gap struct{ From, First, Reason string }
	if err := json.Unmarshal(answer.Gap, &gap); err != nil || gap.From != lost || gap.Reason != "recreated" || len(answer.Events) != 3 {
		t.Errorf("a viewer of %s gets the gap %s and %d events", lost, answer.Gap, len(answer.Events))
	}
	stream := openStream(t, p, lost)
	if first, second := stream.next(), stream.next(); first.Type != "wall:hello" || second.Type != "wall:gap" || !strings.Contains(second.Data, "recreated") {
		t.Errorf("a stream after %s begins with %v and %v", lost, first, second)
	}
	p.stop()
	p = startProgram(t, folder, address, "serve") // and from then on they stay
	if again := held(t, p); len(again) != 3 || again[2].ID != other {
		t.Errorf("after another start the wall holds %v, not %s", again, other)
	}
}

// openedStream is an open event stream.
type openedStream struct {
	t      *testing.T
	events chan gosse.Event // closed at its end
}

func openStream(t *testing.T, p *process, id string) *openedStream {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/walls/main/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Last-Event-ID", id)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	s := &openedStream{t, make(chan gosse.Event, 1000)}
	go func() {
		defer close(s.events)
		defer resp.Body.Close()
		for e, err := range gosse.Read(resp.Body, nil) {
			if err != nil {
				return
			}
			s.events <- e
		}
	}()
	t.Cleanup(func() {
		resp.Body.Close()
		for range s.events { // until the reader has ended
		}
	})
	return s
}

// next returns the next event; the zero Event at the stream's end.
func (s *openedStream) next() gosse.Event {
	s.t.Helper()
	select {
	case e := <-s.events:
		return e
	case <-time.After(10 * time.Second):
		s.t.Fatal("no event arrives")
	}
	return gosse.Event{}
}

// TestStop ends a program that has viewers.
func TestStop(t *testing.T) {
	p := serveConfig(t, t.TempDir(), freeAddress(t), "walls: {main: {}}\n")
	id := p.publish("", "something")
	var streams []*openedStream
	for range 20 {
		s := openStream(t, p, id)
		s.next()
		streams = append(streams, s)
	}
	polled := make(chan string, 1)
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/walls/main/events?wait=30s&lastEventId="+id, nil)
		if err == nil {
			req.Header.Set("Accept", "application/json")
			var resp *http.Response
			if resp, err = http.DefaultClient.Do(req); err == nil {
				body, readErr := io.ReadAll(resp.Body)
				resp.Body.Close()
				polled <- fmt.Sprint(resp.StatusCode, " ", string(body), readErr)
				return
			}
		}
		polled <- err.Error()
	}()
	began := time.Now()
	p.stop()
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	for _, s := range streams {
		var last gosse.Event
		for e := range s.events {
			last = e
		}
		var bye struct {
			Reason string
			Retry  int
		}
		if err := json.Unmarshal([]byte(last.Data), &bye); err != nil || last.Type != "wall:bye" || bye.Reason != "shutdown" || bye.Retry <= 0 || last.LastEventID != id {
			t.Errorf("a stream ended with %+v", last)
		}
	}
	if answer := <-polled; !strings.HasPrefix(answer, "200 ") && !strings.HasPrefix(answer, "503 ") {
		t.Errorf("a waiting poll was answered %s", answer)
	}
}
