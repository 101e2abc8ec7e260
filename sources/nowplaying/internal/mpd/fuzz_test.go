package mpd

import (
	"bufio"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzAnswers gives whatever a server may say to what reads it.
func FuzzAnswers(f *testing.F) {
	f.Add("state: play\nelapsed: 1.5\nduration: 8\nOK\n", "file: a.ogg\nTitle: T\nArtist: A\nOK\n", "size: 3\nbinary: 3\nabc\nOK\n")
	f.Add("state: play\nOK\n", "file: http://x/\nTitle: Beyonc\xe9 - T\nName: N\nOK\n", "OK\n")
	f.Add("ACK [5@0] {} no\n", "Title\nOK\n", "binary: -1\n")
	f.Fuzz(func(t *testing.T, status, song, picture string) {
		ask := func(answer string) pairs {
			all, err := pipe(t, answer).ask("x")
			if err != nil {
				return nil
			}
			return all
		}
		r := makeReport(ask(status), ask(song), time.Now())
		for _, s := range []string{r.Song.Text, r.Song.Artist, r.Song.Title, r.Song.Album, r.Station} {
			if !utf8.ValidString(s) || strings.ContainsAny(s, "\n\x00") {
				t.Errorf("%q is no title", s)
			}
		}
		if r.Song.Duration < 0 || r.Song.StartedAt.After(time.Now()) {
			t.Errorf("%+v", r.Song)
		}
		if data, _, err := pipe(t, picture).picture("readpicture", "x", 1000); err == nil && len(data) > 1000 {
			t.Errorf("a picture of %d bytes", len(data))
		}
	})
}

// pipe is a connection on which a server says something and closes it.
func pipe(t *testing.T, says string) *conn {
	client, server := net.Pipe()
	t.Cleanup(func() { client.Close() })
	go func() {
		defer server.Close()
		in := bufio.NewReader(server)
		if _, err := in.ReadString('\n'); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		go func() { _, _ = in.WriteTo(discard{}) }() // further commands
		_, _ = server.Write([]byte(says))            // as far as it is read
	}()
	return &conn{Conn: client, in: bufio.NewReader(client)}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
