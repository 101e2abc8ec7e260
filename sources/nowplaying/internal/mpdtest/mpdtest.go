// Package mpdtest runs Debian's mpd, for tests.
package mpdtest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long the server may take for anything.
const patience = 20 * time.Second

// Daemon is Debian's mpd. Its methods fail the test where they can't do what they
// are for.
type Daemon struct {
	t       *testing.T
	folder  string
	process *exec.Cmd
}

// New makes a server with further lines of configuration. Without the program the
// test is skipped, unless the environment has CI=true.
func New(t *testing.T, more string) *Daemon {
	t.Helper()
	if _, err := exec.LookPath("mpd"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("mpd is not installed; it is part of what CI tests")
		}
		t.Skip("mpd is not installed")
	}
	// A socket's path is short, so t.TempDir() won't do everywhere.
	folder, err := os.MkdirTemp("", "mpd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	for _, sub := range []string{"music", "playlists"} {
		if err := os.Mkdir(filepath.Join(folder, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	d := &Daemon{t: t, folder: folder}
	config := strings.ReplaceAll(`
music_directory "DIR/music"
playlist_directory "DIR/playlists"
db_file "DIR/db"
state_file "DIR/state"
restore_paused "no"
bind_to_address "DIR/socket"
zeroconf_enabled "no"
audio_output {
  type "null"
  name "null"
}
`, "DIR", folder) + more
	if err := os.WriteFile(d.path("mpd.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Stop)
	return d
}

// Read makes the server read its files, and waits until it has.
func (d *Daemon) Read() {
	d.t.Helper()
	d.Do("update")
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(d.path("db")); err == nil {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatal("mpd does not read its files")
		}
	}
}

func (d *Daemon) path(name string) string { return filepath.Join(d.folder, name) }

// Socket is the path of the server's socket.
func (d *Daemon) Socket() string { return d.path("socket") }

// Start starts the server and waits until it listens.
func (d *Daemon) Start() {
	d.t.Helper()
	d.process = exec.Command("mpd", "--no-daemon", "--stderr", d.path("mpd.conf"))
	if err := d.process.Start(); err != nil {
		d.t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("unix", d.path("socket")); err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatal("mpd does not listen")
		}
	}
}

// Stop stops the server, if it runs.
func (d *Daemon) Stop() {
	if d.process == nil {
		return
	}
	_ = d.process.Process.Signal(os.Interrupt) // or it has ended
	_ = d.process.Wait()
	d.process = nil
}

// Do gives commands to the server, as somebody at the desk would.
func (d *Daemon) Do(commands ...string) {
	d.t.Helper()
	c, err := net.Dial("unix", d.path("socket"))
	if err != nil {
		d.t.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewScanner(c)
	in.Scan()
	for _, command := range commands {
		fmt.Fprintln(c, command)
		for in.Scan() {
			if line := in.Text(); line == "OK" {
				break
			} else if strings.HasPrefix(line, "ACK") {
				d.t.Fatalf("%s: %s", command, line)
			}
		}
	}
}

// Song writes a file of silence with tags, as WAV with ID3 tags.
func (d *Daemon) Song(name, artist, title string, picture []byte) {
	d.t.Helper()
	text := func(id, s string) []byte {
		return frame(id, append([]byte{3}, s...)) // UTF-8
	}
	tag := append(text("TPE1", artist), text("TIT2", title)...)
	if picture != nil {
		tag = append(tag, frame("APIC", append([]byte("\x00image/png\x00\x03\x00"), picture...))...)
	}
	size := len(tag)
	head := []byte{'I', 'D', '3', 4, 0, 0, byte(size >> 21 & 127), byte(size >> 14 & 127), byte(size >> 7 & 127), byte(size & 127)}
	tag = append(head, tag...)
	if len(tag)%2 == 1 {
		tag = append(tag, 0)
	}
	const rate, seconds = 8000, 60
	sound := make([]byte, rate*seconds)
	for i := range sound {
		sound[i] = 128
	}
	var file []byte
	put := func(v ...any) {
		for _, one := range v {
			switch one := one.(type) {
			case string:
				file = append(file, one...)
			case []byte:
				file = append(file, one...)
			case int:
				file = binary.LittleEndian.AppendUint32(file, uint32(one))
			case uint16:
				file = binary.LittleEndian.AppendUint16(file, one)
			}
		}
	}
	put("RIFF", 4+24+8+len(sound)+8+len(tag), "WAVE", "fmt ", 16, uint16(1), uint16(1), rate, rate, uint16(1), uint16(8))
	put("data", len(sound), sound, "id3 ", len(tag), tag)
	if err := os.WriteFile(d.path("music/"+name), file, 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// frame is a frame of an ID3v2.4 tag.
func frame(id string, body []byte) []byte {
	n := len(body)
	return append([]byte{id[0], id[1], id[2], id[3], byte(n >> 21 & 127), byte(n >> 14 & 127), byte(n >> 7 & 127), byte(n & 127), 0, 0}, body...)
}
