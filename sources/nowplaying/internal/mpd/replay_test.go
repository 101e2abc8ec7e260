package mpd_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wallcast/wallcast/sources/nowplaying/internal/mpd"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

// step is what a recorded client did, or what the recorded server said then.
type step struct {
	sent, said string
}

var stepLine = regexp.MustCompile(`^\[ *[0-9.]+\] (->|<-) b(['"])(.*)['"]$`)

// recorded reads a recorded session.
func recorded(t testing.TB, name string) []step {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var all []step
	for line := range strings.Lines(string(data)) {
		m := stepLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		text := unquote(m[3])
		if m[1] == "->" {
			all = append(all, step{sent: text})
		} else {
			all = append(all, step{said: text})
		}
	}
	if len(all) < 5 {
		t.Fatalf("%s has %d steps", name, len(all))
	}
	return all
}

// unquote reads what Python writes of bytes.
func unquote(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 'x':
			var v byte
			fmt.Sscanf(s[i+1:i+3], "%02x", &v)
			b.WriteByte(v)
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// exchange is what a recorded server answered to a command.
type exchange struct{ status, song string }

// exchanges are the answers to status and currentsong, in their order.
func exchanges(steps []step) []exchange {
	var all []exchange
	command := ""
	for _, s := range steps {
		switch {
		case s.sent != "":
			if command = strings.TrimSpace(s.sent); command == "status" {
				all = append(all, exchange{})
			}
		case len(all) == 0:
		case command == "status":
			all[len(all)-1].status += s.said
		case command == "currentsong":
			all[len(all)-1].song += s.said
		}
	}
	return all
}

// server plays recorded answers over connections in memory: one exchange more
// each time that something is said to have changed, which is every second.
func server(t *testing.T, all []exchange, others func(command string) string) mpd.Config {
	return mpd.Config{Network: "tcp", Address: "mpd:6600", Dial: func(context.Context, string, string) (net.Conn, error) {
		client, side := net.Pipe()
		go func() {
			defer side.Close()
			fmt.Fprint(side, "OK MPD 0.23.5\n")
			i := -1
			in := bufio.NewScanner(side)
			for in.Scan() {
				answer := "ACK [5@0] {} unknown command\n"
				switch command := in.Text(); {
				case command == "status":
					if i++; i == len(all) {
						return
					}
					answer = all[i].status
				case command == "currentsong":
					answer = all[i].song
				case strings.HasPrefix(command, "idle player"):
					time.Sleep(time.Second)
					answer = "changed: player\nOK\n"
				case others != nil:
					if said := others(command); said != "" {
						answer = said
					}
				}
				if _, err := fmt.Fprint(side, answer); err != nil {
					return
				}
			}
		}()
		return client, nil
	}}
}

// watch collects n reports.
func watch(t *testing.T, c mpd.Config, n int) []upstream.Report {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all []upstream.Report
	err := c.Watch(ctx, func(r upstream.Report) {
		if len(all) < n {
			all = append(all, r)
		}
		if len(all) == n {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Watch: %v", err)
	}
	time.Sleep(2 * time.Second) // until the server has noticed
	return all
}

// row is a report in a line.
func row(r upstream.Report) string {
	state := []string{"playing", "silent", "offline"}[r.State]
	s := r.Song
	return fmt.Sprintf("%s %s|%s|%s|%s %v", state, s.Text, s.Artist, s.Title, s.Album, s.Duration.Truncate(time.Second))
}

func TestRecordings(t *testing.T) {
	for name, want := range map[string][]string{
		"01-protocol-session.txt": {
			"silent |||  0s", "silent |||  0s",
			"playing |Normal Artist|Normal Title|The Album 8s",
			"playing |宇多田ヒカル|初恋 🎵|Déjà Vu 8s",
			`playing |Simon & Garfunkel|Don't; "Stop" & Go|A\B 8s`,
			"playing ||| 6s", // no tags, and no file's name
			"playing |NL|Line1 Line2| 6s",
			"playing |First;Second|Duet| 6s",
		},
		"02-idle-player.txt": {
			"playing |Normal Artist|Normal Title|The Album 8s",
			"playing |宇多田ヒカル|初恋 🎵|Déjà Vu 8s",
			"silent |宇多田ヒカル|初恋 🎵|Déjà Vu 0s",
			"playing |宇多田ヒカル|初恋 🎵|Déjà Vu 8s",
			"playing |宇多田ヒカル|初恋 🎵|Déjà Vu 8s",
			`playing |Simon & Garfunkel|Don't; "Stop" & Go|A\B 8s`,
		},
		"05-playing-icecast-stream.txt": {
			"playing ||| 0s", "playing ||| 0s",
			"playing Stream Artist - Stream Song 1||| 0s",
			"playing Beyoncé - Déjà Vu||| 0s",
		},
		"06-server-killed-while-idle.txt": {"silent ||| 0s"}, // though there is a current song
	} {
		t.Run(name, func(t *testing.T) {
			all := exchanges(recorded(t, name))
			synctest.Test(t, func(t *testing.T) {
				var got []string
				for _, r := range watch(t, server(t, all, nil), len(want)) {
					got = append(got, row(r))
					if strings.Contains(fmt.Sprint(r), ".ogg") || strings.Contains(fmt.Sprint(r), "http:") {
						t.Errorf("a file's name is given away: %+v", r)
					}
				}
				for i := range want {
					want[i] = strings.Replace(want[i], "  ", " ", 1)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestBeginningAndNext(t *testing.T) {
	all := exchanges(recorded(t, "02-idle-player.txt"))
	synctest.Test(t, func(t *testing.T) {
		c := server(t, all, func(command string) string {
			if command == "playlistid 9" {
				return "file: x.ogg\nArtist: A\nTitle: T\nArtist: B\nOK\n"
			}
			return ""
		})
		now := time.Now()
		r := watch(t, c, 1)[0]
		if want := now.Add(-273 * time.Millisecond); !r.Song.StartedAt.Equal(want) {
			t.Errorf("it began at %v, want %v", r.Song.StartedAt, want)
		}
		if r.Next == nil || r.Next.Artist != "A, B" || r.Next.Title != "T" {
			t.Errorf("the next one is %+v", r.Next)
		}
	})
}

// picture is a server's answers to the commands for covers.
func picture(data string, limit int) func(command string) string {
	return func(command string) string {
		var offset int
		if n, _ := fmt.Sscanf(command, `readpicture "01-normal.ogg" %d`, &offset); n == 0 {
			return "ACK [50@0] {albumart} No file exists\n"
		}
		piece := data[offset:min(offset+limit, len(data))]
		return fmt.Sprintf("size: %d\ntype: image/png\nbinary: %d\n%s\nOK\n", len(data), len(piece), piece)
	}
}

func TestPicture(t *testing.T) {
	all := exchanges(recorded(t, "02-idle-player.txt"))
	for name, c := range map[string]struct {
		data string
		want int
	}{
		"one piece":   {"\x89PNG\nOK\n", 8},
		"pieces":      {strings.Repeat("\nOK\nx", 1000), 5000},
		"none":        {"", 0},
		"a large one": {strings.Repeat("x", 3<<20), 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := server(t, all, picture(c.data, 1500))
				config.Pictures = true
				r := watch(t, config, 1)[0]
				if len(r.Song.Picture) != c.want || c.want > 0 && (string(r.Song.Picture) != c.data || r.Song.PictureType != "image/png") {
					t.Errorf("the picture is %d bytes of %q, want %d", len(r.Song.Picture), r.Song.PictureType, c.want)
				}
			})
		})
	}
}

func TestServerThatGoesSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		connections := 0
		c := mpd.Config{Network: "tcp", Address: "mpd:6600", Dial: func(context.Context, string, string) (net.Conn, error) {
			connections++
			client, side := net.Pipe()
			go func() {
				defer side.Close()
				fmt.Fprint(side, "OK MPD 0.23.5\n")
				in := bufio.NewScanner(side)
				for in.Scan() {
					if strings.HasPrefix(in.Text(), "idle") || in.Text() == "noidle" {
						continue // and never says anything again
					}
					fmt.Fprint(side, "state: play\nTitle: A - T\nOK\n")
				}
			}()
			return client, nil
		}}
		began := time.Now()
		watch(t, c, 3)
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("it has taken %v to notice twice that a server is gone", took)
		}
		if connections != 3 {
			t.Errorf("a server that says nothing more was asked over %d connections, want 3", connections)
		}
	})
}

func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		greeting, password, says string
	}{
		"another server": {"HTTP/1.1 400 Bad Request\n", "", "is not MPD"},
		"password":       {"OK MPD 0.23.5\n", "wr\"ong", "incorrect password"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := mpd.Config{Network: "tcp", Address: "mpd:6600", Password: c.password, Dial: func(context.Context, string, string) (net.Conn, error) {
					client, side := net.Pipe()
					go func() {
						defer side.Close()
						fmt.Fprint(side, c.greeting)
						in := bufio.NewScanner(side)
						for in.Scan() {
							if in.Text() != `password "wr\"ong"` {
								t.Errorf("it says %q", in.Text())
							}
							fmt.Fprint(side, "ACK [3@0] {password} incorrect password\n")
						}
					}()
					return client, nil
				}}
				err := config.Watch(t.Context(), func(upstream.Report) { t.Error("there is a report") })
				if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "ong") {
					t.Errorf("%v, want %q and no password", err, c.says)
				}
			})
		})
	}
}

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]string{
		"localhost":       "tcp localhost:6600",
		"127.0.0.1:6601":  "tcp 127.0.0.1:6601",
		"[::1]":           "tcp [::1]:6600",
		"[::1]:6601":      "tcp [::1]:6601",
		"mpd://host:6600": "tcp host:6600",
		"/run/mpd/socket": "unix /run/mpd/socket",
		"":                "",
		"http://host":     "",
		"host:port":       "",
		"host:70000":      "",
		"secret@host":     "",
	} {
		network, address, err := mpd.ParseAddress(in)
		if got := strings.TrimSpace(network + " " + address); got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v; want %q", in, got, err, want)
		}
	}
}
