// Package icecasttest runs Debian's icecast2 on a loopback port, and source
// clients that feed it, for tests.
package icecasttest

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The accounts of the server, and its mounts that are configured. Any other
// mount exists as soon as a source feeds it, with Icecast's default charset.
const (
	AdminUser      = "admin"
	AdminPassword  = "admin-pass"
	SourcePassword = "source-pass"

	UTF8Mount     = "/utf8.mp3"   // its charset is UTF-8
	HiddenMount   = "/hidden.mp3" // not in the public status
	MainMount     = "/main.mp3"   // its listeners hear BackupMount while it is away
	BackupMount   = "/backup.mp3"
	SourceTimeout = 2 * time.Second // a source that sends nothing for so long is dropped
)

// patience is how long the server may take for anything.
const patience = 20 * time.Second

// Server is a running Icecast. Its methods fail the test where they can't do what
// they are for.
type Server struct {
	URL string // http://127.0.0.1:port, without a slash at the end

	t      testing.TB
	config string
	binary string

	mu      sync.Mutex
	process *exec.Cmd // nil: stopped
	exited  chan struct{}
	output  logged
}

// logged is what the server said, which is for a test that fails.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Start runs an Icecast until the test ends. The test is skipped where icecast2 is
// not installed, unless the environment has CI=true.
func Start(t testing.TB) *Server {
	t.Helper()
	binary, err := exec.LookPath("icecast2")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("icecast2 is not installed")
		}
		t.Skip("icecast2 is not installed")
	}
	for attempt := 1; ; attempt++ {
		port := freePort(t)
		s := &Server{
			URL:    fmt.Sprintf("http://127.0.0.1:%d", port),
			t:      t,
			binary: binary,
			config: filepath.Join(t.TempDir(), "icecast.xml"),
		}
		if err := os.WriteFile(s.config, configuration(port), 0o600); err != nil {
			t.Fatal(err)
		}
		switch err := s.start(); {
		case err == nil:
			t.Cleanup(s.Stop)
			return s
		case attempt == 3: // somebody else may have taken the port
			t.Fatalf("starting icecast2: %v\n%s", err, s.output.String())
		}
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// configuration returns the server's file. As root, Icecast wants to be told who
// else to be; it has read the file by then, and it logs to its standard error, so
// that account needs no folder.
func configuration(port int) []byte {
	owner := ""
	if os.Geteuid() == 0 {
		owner = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>"
	}
	return fmt.Appendf(nil, `<icecast>
<location>test</location><admin>test@localhost</admin><hostname>localhost</hostname>
<limits><clients>100</clients><sources>20</sources><queue-size>131072</queue-size><burst-size>4096</burst-size>
<header-timeout>5</header-timeout><client-timeout>10</client-timeout><source-timeout>%d</source-timeout></limits>
<authentication><source-password>%s</source-password><admin-user>%s</admin-user><admin-password>%s</admin-password></authentication>
<listen-socket><port>%d</port><bind-address>127.0.0.1</bind-address></listen-socket>
<mount type="normal"><mount-name>%s</mount-name><charset>UTF-8</charset></mount>
<mount type="normal"><mount-name>%s</mount-name><hidden>1</hidden></mount>
<mount type="normal"><mount-name>%s</mount-name><fallback-mount>%s</fallback-mount><fallback-override>1</fallback-override></mount>
<paths><webroot>/usr/share/icecast2/web</webroot><adminroot>/usr/share/icecast2/admin</adminroot></paths>
<logging><accesslog>-</accesslog><errorlog>-</errorlog><loglevel>2</loglevel></logging>
<security><chroot>0</chroot>%s</security>
</icecast>
`, SourceTimeout/time.Second, SourcePassword, AdminUser, AdminPassword, port,
		UTF8Mount, HiddenMount, MainMount, BackupMount, owner)
}

// start runs the server and waits until it knows its own status, which takes it
// some moments longer than to answer.
func (s *Server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	process := exec.Command(s.binary, "-c", s.config)
	process.Stdout, process.Stderr = &s.output, &s.output
	if err := process.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		process.Wait()
		close(exited)
	}()
	deadline := time.After(patience)
	for {
		if s.answers() {
			select {
			case <-exited: // another server's port
			default:
				s.process, s.exited = process, exited
				return nil
			}
		}
		select {
		case <-exited:
			return fmt.Errorf("it ended: %v", process.ProcessState)
		case <-deadline:
			process.Process.Kill()
			<-exited
			return fmt.Errorf("it does not answer")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (s *Server) answers() bool {
	answer, err := http.Get(s.URL + "/status-json.xsl")
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return err == nil && bytes.Contains(body, []byte(`"server_id"`))
}

// Stop ends the server and what it serves. It may be stopped already.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return
	}
	s.process.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(patience):
		s.process.Process.Kill()
		<-s.exited
	}
	s.process = nil
}

// Restart starts a server that was stopped, on the same port. It has no sources
// and no titles then.
func (s *Server) Restart() {
	s.t.Helper()
	if err := s.start(); err != nil {
		s.t.Fatalf("starting icecast2 again: %v\n%s", err, s.output.String())
	}
}

// Update sends a metadata update, as source clients do when the title changes, and
// returns what Icecast said to it. The values are sent as they are: mount and
// charset, and song, or artist and title.
func (s *Server) Update(values url.Values) string {
	s.t.Helper()
	values.Set("mode", "updinfo")
	request, err := http.NewRequest("GET", s.URL+"/admin/metadata?"+values.Encode(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.SetBasicAuth("source", SourcePassword)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	var reply struct {
		Message string `xml:"message"`
	}
	if answer.StatusCode != http.StatusOK {
		return answer.Status
	}
	if err := xml.NewDecoder(answer.Body).Decode(&reply); err != nil {
		s.t.Fatal(err)
	}
	return reply.Message
}
