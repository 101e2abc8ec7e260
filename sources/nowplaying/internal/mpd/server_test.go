package mpd_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/mpd"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// patience is how long the real server may take for anything.
const patience = 20 * time.Second

// daemon is Debian's mpd.
type daemon struct {
	t       *testing.T
	folder  string
	process *exec.Cmd
}

func newDaemon(t *testing.T, more string) *daemon {
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
	d := &daemon{t: t, folder: folder}
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
	t.Cleanup(d.stop)
	return d
}

func (d *daemon) path(name string) string { return filepath.Join(d.folder, name) }

func (d *daemon) config() mpd.Config {
	return mpd.Config{Network: "unix", Address: d.path("socket"), Pictures: true, Dial: new(net.Dialer).DialContext}
}

func (d *daemon) start() {
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

func (d *daemon) stop() {
	if d.process == nil {
		return
	}
	_ = d.process.Process.Signal(os.Interrupt) // or it has ended
	_ = d.process.Wait()
	d.process = nil
}

// do gives commands to the server, as somebody at the desk would.
func (d *daemon) do(commands ...string) {
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

// song writes a file of silence with tags, as WAV with ID3 tags.
func (d *daemon) song(name, artist, title string, picture []byte) {
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

// watching is what is reported while a test goes on.
type watching struct {
	t       *testing.T
	reports chan upstream.Report
	ended   chan error
}

func (d *daemon) watch(c mpd.Config) *watching {
	w := &watching{d.t, make(chan upstream.Report, 100), make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { w.ended <- c.Watch(ctx, func(r upstream.Report) { w.reports <- r }) }()
	d.t.Cleanup(func() {
		cancel()
		<-w.ended
	})
	return w
}

// until waits for a report.
func (w *watching) until(what string, ok func(upstream.Report) bool) upstream.Report {
	w.t.Helper()
	var seen []string
	for deadline := time.After(patience); ; {
		select {
		case r := <-w.reports:
			if ok(r) {
				return r
			}
			seen = append(seen, row(r))
		case err := <-w.ended:
			w.ended <- err
			w.t.Fatalf("waiting for %s: it has ended: %v", what, err)
		case <-deadline:
			w.t.Fatalf("%s is not reported; there were %q", what, seen)
		}
	}
}

func (w *watching) playing(title string) upstream.Report {
	w.t.Helper()
	return w.until(title, func(r upstream.Report) bool { return r.State == upstream.Playing && r.Song.Title == title })
}

func TestRealServer(t *testing.T) {
	d := newDaemon(t, "")
	d.song("one.wav", "Beyoncé", "Déjà Vu", []byte("\x89PNG\r\n\x1a\n"+strings.Repeat("cover\n", 5000)))
	d.song("two.wav", "宇多田ヒカル", `初恋 "🎵"`, nil)
	d.start()
	d.do("update")
	w := d.watch(d.config())
	w.until("silence", func(r upstream.Report) bool { return r.State == upstream.Silent })
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(d.path("db")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("mpd does not read its files")
		}
	}
	d.do("add one.wav", "add two.wav", "play 0")
	r := w.until("the first with the second", func(r upstream.Report) bool { return r.Song.Title == "Déjà Vu" && r.Next != nil })
	if r.Song.Artist != "Beyoncé" || r.Next.Title != `初恋 "🎵"` || r.Song.Duration != time.Minute {
		t.Errorf("the first song is reported as %+v, the next one as %+v", r.Song, r.Next)
	}
	if since := time.Since(r.Song.StartedAt); since < 0 || since > patience {
		t.Errorf("it began %v ago", since)
	}
	if len(r.Song.Picture) != 8+30000 || r.Song.PictureType != "image/png" {
		t.Errorf("its cover is %d bytes of %q", len(r.Song.Picture), r.Song.PictureType)
	}
	d.do("next")
	if r := w.playing(`初恋 "🎵"`); r.Song.Picture != nil {
		t.Error("a song without a cover has the one before it")
	}
	d.do("pause 1")
	w.until("the pause", func(r upstream.Report) bool { return r.State == upstream.Silent && r.Paused })

	d.stop() // a restart: the connection is lost, and the old song is still the current one
	d.start()
	w.until("the silence after a restart", func(r upstream.Report) bool { return r.State == upstream.Silent })
	d.do("play 0")
	w.playing("Déjà Vu")
}

func TestRealPassword(t *testing.T) {
	d := newDaemon(t, "password \"se\\\"cret@read,control,add,admin\"\ndefault_permissions \"\"\n")
	d.start()
	c := d.config()
	c.Password = `se"cret`
	d.watch(c).until("silence", func(r upstream.Report) bool { return r.State == upstream.Silent })
	for password, says := range map[string]string{"": "permission", "wrong": "password"} {
		c.Password = password
		w := d.watch(c)
		select {
		case err := <-w.ended:
			w.ended <- err
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("with the password %q: %v", password, err)
			}
		case <-time.After(patience):
			t.Errorf("with the password %q it goes on", password)
		}
	}
}
