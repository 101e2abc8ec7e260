package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// buildNATS builds the nats-server that this module requires, once.
var buildNATS = sync.OnceValues(func() (string, error) {
	path := filepath.Join(built, "nats-server")
	out, err := exec.Command("go", "build", "-o", path, "github.com/nats-io/nats-server/v2").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building nats-server: %w\n%s", err, out)
	}
	return path, nil
})

// natsServer is a NATS server in a process of its own.
type natsServer struct {
	t       *testing.T
	path    string
	args    []string
	address string
	cmd     *exec.Cmd
}

// startNATS starts the program at path as a NATS server with further lines of
// configuration. The test's end ends it.
func startNATS(t *testing.T, path, address, configuration string) *natsServer {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, "host: %q\nport: %s\n%s\n", host, port, configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &natsServer{t: t, path: path, args: []string{"-c", file}, address: address}
	t.Cleanup(func() { s.stop() })
	s.start()
	return s
}

func (s *natsServer) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.path, s.args...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal("starting nats-server: ", err)
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		nc, err := nats.Connect("nats://" + s.address)
		if err == nil {
			nc.Close()
			return
		}
		if time.Since(began) > 20*time.Second {
			s.t.Fatal("nats-server does not answer: ", err)
		}
	}
}

// stop kills the server.
func (s *natsServer) stop() {
	_ = s.cmd.Process.Kill() // it may have ended already
	_ = s.cmd.Wait()         // it was killed, so it ended badly
}

func synced(t *testing.T) string {
	return fmt.Sprintf("jetstream { store_dir: %q, sync_interval: always }", t.TempDir())
}

// member is one of several programs in front of one NATS server.
type member struct {
	*process
	folder string
}

func (m *member) restart() { m.process = startProgram(m.t, m.folder, m.address, "serve") }

// runsLines reports whether the source runs in this program.
func (m *member) runsLines() bool {
	code, table := run(m.t, m.folder, "sources")
	if code != 0 {
		m.t.Fatalf("asking for the sources' state: %s", table)
	}
	for line := range strings.Lines(table) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "lines" {
			return fields[2] == "running"
		}
	}
	m.t.Fatalf("the source is not listed:\n%s", table)
	return false
}

// holder returns which of the members runs the source, and waits until one does.
func holder(t *testing.T, members []*member) int {
	t.Helper()
	for began := time.Now(); time.Since(began) < 40*time.Second; time.Sleep(200 * time.Millisecond) {
		runs := []int{}
		for i, m := range members {
			if m.runsLines() {
				runs = append(runs, i)
			}
		}
		if len(runs) == 1 {
			return runs[0]
		}
	}
	t.Fatal("the source does not run on exactly one program")
	return 0
}

// TestTwoProgramsOneWall has two programs in front of one NATS server, and
// everybody use both: writers post to either, viewers move between them. The
// program that runs the source is killed, and NATS is.
func TestTwoProgramsOneWall(t *testing.T) {
	path, err := buildNATS()
	if err != nil {
		t.Fatal(err)
	}
	tr := newTrial(t, uint64(time.Now().UnixNano()), 0)
	ctx, cancel := context.WithTimeout(t.Context(), 2*trialTime)
	defer cancel()
	server := startNATS(t, path, quietAddress(t, tr.rng(1)), synced(t))
	lines := filepath.Join(t.TempDir(), "lines.txt")
	var members []*member
	for i := range 2 {
		address, folder := quietAddress(t, tr.rng(uint64(10+i))), t.TempDir()
		p := serveConfig(t, folder, address, fmt.Sprintf(`
nats: {url: "nats://%s", synced: %t}
walls:
  main:
    keep: {events: 100000}
    history: 100000
sources:
  lines:
    file: {path: %q, mode: follow, from: start}
    to: wall.main.%s
`, server.address, i == 1, lines, lineKind))
		members = append(members, &member{p, folder})
		tr.web = append(tr.web, cutOff(t, address, tr.rng(uint64(20+i))))
	}
	checkReadiness(t, members[0].process, "sync_interval: always")
	checkReadiness(t, members[1].process, "")

	tr.addViewers(ctx)
	tr.begun.Wait()
	checkSameIDs(tr, members)
	for i := range 3 {
		tr.addWriter(ctx, fmt.Sprint("script ", i), tr.overHTTP(tr.rng(uint64(30+i)), ""))
	}
	tr.addWriter(ctx, "client", tr.overNATS(server.address))
	tr.appendTo(lines)
	tr.ledger.await(100, ctx.Done())

	first := holder(t, members)
	members[first].kill()
	holder(t, []*member{members[1-first]}) // it takes over
	members[first].restart()
	tr.ledger.await(100, ctx.Done())
	server.stop()
	members[0].awaitStatus("/readyz", http.StatusServiceUnavailable)
	server.start()
	for _, m := range members {
		m.awaitStatus("/readyz", http.StatusOK)
	}
	tr.ledger.await(100, ctx.Done())
	holder(t, members)
	tr.finish(ctx, members[1].process)
	members[0].stop()
	members[1].stop()
}

// checkSameIDs posts to each member and reads from the other.
func checkSameIDs(tr *trial, members []*member) {
	for i, m := range members {
		e := written{kind: "friend", text: fmt.Sprint("posted to ", i)}
		tr.ledger.try(e)
		id := m.publish(e.kind, e.text)
		tr.ledger.acknowledge(tr.ledger.seq(id), e)
		got := pollFrom(tr.t, members[1-i].process, "?last=1", "").Events
		if len(got) != 1 || got[0].ID != id {
			tr.t.Errorf("what one program has stored as %s, another serves as %v", id, got)
		}
	}
}

// checkReadiness wants /readyz to be ready and to say what is to be done; an
// empty note is nothing.
func checkReadiness(t *testing.T, p *process, note string) {
	t.Helper()
	resp, err := http.Get(p.url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Ready bool
		Notes []string
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	about := ""
	for _, n := range answer.Notes {
		if strings.Contains(n, "sync") {
			about = n
		}
	}
	if !answer.Ready || !strings.Contains(about, note) || (note == "") != (about == "") {
		t.Errorf("/readyz says %+v; it should note %q", answer, note)
	}
}

func (p *process) awaitStatus(path string, status int) {
	p.t.Helper()
	for began := time.Now(); time.Since(began) < 30*time.Second; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(p.url + path)
		if err != nil {
			p.t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == status {
			return
		}
	}
	p.t.Fatalf("%s is never answered %d", path, status)
}

func externalConfig(t *testing.T, address string) string {
	return fmt.Sprintf("listen: %q\nnats: {url: \"nats://%s\"}\n", freeAddress(t), address)
}

func TestNATSThatCannotBeUsed(t *testing.T) {
	if _, err := buildProgram(); err != nil { // before the time is taken
		t.Fatal(err)
	}
	t.Run("none", func(t *testing.T) {
		address, began := freeAddress(t), time.Now()
		refuses(t, t.TempDir(), externalConfig(t, address), address, "start the server")
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %s to say so", took)
		}
	})
	t.Run("no NATS", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { // something else that answers
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
				c.Close()
			}
		}()
		defer l.Close()
		refuses(t, t.TempDir(), externalConfig(t, l.Addr().String()), l.Addr().String())
	})
	t.Run("without JetStream", func(t *testing.T) {
		path, err := buildNATS()
		if err != nil {
			t.Fatal(err)
		}
		server, began := startNATS(t, path, freeAddress(t), ""), time.Now()
		refuses(t, t.TempDir(), externalConfig(t, server.address), "JetStream is not enabled")
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %s to say so", took)
		}
	})
	t.Run("wrong password", func(t *testing.T) {
		path, err := buildNATS()
		if err != nil {
			t.Fatal(err)
		}
		server := startNATS(t, path, freeAddress(t), synced(t))
		server.stop()
		withUser := append([]string{"--user", "somebody", "--pass", "hidden-secret"}, server.args...)
		server.cmd = exec.Command(server.path, withUser...)
		if err := server.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		awaitListener(t, server.address)
		refuses(t, t.TempDir(), fmt.Sprintf("listen: %q\nnats: {url: \"nats://somebody:guessed-secret@%s\"}\n", freeAddress(t), server.address), server.address, "correct the user")
	})
	t.Run("too old", func(t *testing.T) {
		path := need(t, "nats-server")
		version, err := exec.Command(path, "--version").Output()
		if err != nil || !strings.Contains(string(version), "v2.9.") {
			missing(t, "nats-server %s is not Debian's 2.9", strings.TrimSpace(string(version)))
		}
		server := startNATS(t, path, freeAddress(t), fmt.Sprintf("jetstream { store_dir: %q }", t.TempDir()))
		refuses(t, t.TempDir(), externalConfig(t, server.address), server.address, "2.9", "2.12 or newer")
	})
}

func awaitListener(t *testing.T, address string) {
	t.Helper()
	for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
	}
	t.Fatal("nobody listens at ", address)
}

// The data folder holds the administration socket also when the events lie
// elsewhere: a second program would take it from the first.
func TestSecondProgramOnTheDataFolderWithNATSElsewhere(t *testing.T) {
	path, err := buildNATS()
	if err != nil {
		t.Fatal(err)
	}
	server := startNATS(t, path, freeAddress(t), synced(t))
	folder := t.TempDir()
	serveConfig(t, folder, freeAddress(t), fmt.Sprintf("nats: {url: \"nats://%s\"}\n", server.address))
	refuses(t, folder, externalConfig(t, server.address), "using this data folder", "--data")
	if code, said := run(t, folder, "publish", "hello"); code != 0 {
		t.Error("the first program is not reached any more: ", said)
	}
}

// The users of a NATS server may be changed in more than one step. Who is refused
// meanwhile comes back.
func TestNATSThatRefusesForAWhile(t *testing.T) {
	path, err := buildNATS()
	if err != nil {
		t.Fatal(err)
	}
	server := startNATS(t, path, freeAddress(t), synced(t))
	p := serveConfig(t, t.TempDir(), freeAddress(t), fmt.Sprintf("nats: {url: \"nats://ada:secret@%s\"}\n", server.address))
	server.stop()
	closed := append([]string{"--user", "ada", "--pass", "changed"}, server.args...)
	server.cmd = exec.Command(server.path, closed...)
	if err := server.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); strings.Count(p.said.String(), "has a problem") < 3; time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatal("the program does not say that it is refused: ", p.said)
		}
	}
	server.stop()
	server.start()
	p.awaitStatus("/readyz", http.StatusOK)
	p.publish("", "after the change")
}

// A configuration that can't be applied leaves the running one whole: what it
// does without is still there.
func TestReloadThatIsRefused(t *testing.T) {
	path, err := buildNATS()
	if err != nil {
		t.Fatal(err)
	}
	server := startNATS(t, path, freeAddress(t), synced(t))
	nc, err := nats.Connect("nats://" + server.address)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "LEGACY", Subjects: []string{"wall.side.>"}}); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	elsewhere := fmt.Sprintf("nats: {url: \"nats://%s\"}\n", server.address)
	p := serveConfig(t, folder, freeAddress(t), elsewhere+"walls: {main: {events: {\"orders.*\": order}}}\n")
	awaitOrder := func() {
		t.Helper()
		for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
			if err := nc.Publish("orders.one", []byte("paid")); err != nil {
				t.Fatal(err)
			}
			if events := held(t, p); len(events) > 0 && events[len(events)-1].Kind == "order" {
				return
			}
			if time.Since(began) > 20*time.Second {
				t.Fatal("no order comes to the wall: ", p.said)
			}
		}
	}
	awaitOrder()

	if err := os.WriteFile(filepath.Join(folder, "wallcast.yaml"), []byte(elsewhere+"walls: {main: {}, side: {}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hangUp(t, p, "was not applied")
	p.publish("", "after the refusal")
	awaitOrder()
}
