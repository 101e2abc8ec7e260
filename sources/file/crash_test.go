package file_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/embed"
	"github.com/wallcast/wallcast/stream/jetstream"
)

var kills = flag.Int("kills", 10, "how often the crash tests kill the program")

const (
	childMode   = "WALLCAST_TEST_FILE_MODE"
	childFolder = "WALLCAST_TEST_FILE_FOLDER"

	// keep is how many events the wall holds: fewer than others publish in each
	// life, so that no event that was stored before a crash, and no
	// deduplication of it, is left to go by.
	keep = 100
)

// TestMain runs the tests, or where a crash test has started it, the program
// that is to be killed.
func TestMain(m *testing.M) {
	flag.Parse()
	if mode := os.Getenv(childMode); mode != "" {
		if err := child(os.Getenv(childFolder), mode); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// child is a program with one file source. It writes what the wall gets to the
// file "record" and says when the source runs.
func child(folder, mode string) error {
	ctx := context.Background()
	server, err := embed.Start(embed.Config{Folder: filepath.Join(folder, "data")})
	if err != nil {
		return err
	}
	nc, err := server.Connect()
	if err != nil {
		return err
	}
	wall := jetstream.Wall{Name: "main", Events: keep, Age: time.Hour, Bytes: 16 << 20, History: 1000, Payload: 64 << 10}
	store, err := jetstream.Open(ctx, nc, jetstream.Config{Walls: []jetstream.Wall{wall}, Identity: server.Identity()})
	if err != nil {
		return err
	}
	record, last, err := openRecord(filepath.Join(folder, "record"))
	if err != nil {
		return err
	}
	if last, err = recordHeld(ctx, store, record, last); err != nil {
		return err
	}
	var seen atomic.Uint64
	go func() {
		for e, err := range store.Follow(ctx, "main", last) {
			if err != nil {
				panic(err)
			}
			writeRecord(record, e)
			seen.Store(e.ID.Seq)
		}
	}()
	if err := runSource(ctx, store, folder, mode); err != nil {
		return err
	}
	fmt.Println("running")
	return fill(ctx, store, &seen)
}

// runSource runs the source and returns when it has read its cursor.
func runSource(ctx context.Context, store *jetstream.Store, folder, mode string) error {
	s := settings("lines.txt", mode)
	s.Every, s.From = 20*time.Millisecond, "start" // others fill the wall between two lines
	src, err := s.Source(sources.Env{Folder: folder})
	if err != nil {
		return err
	}
	sup := sources.NewSupervisor(store, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	to := stream.Subject{Wall: "main", Kind: "line"}
	if err := sup.Apply([]sources.Instance{{Name: "lines", Source: src, To: to, CheckpointEach: true}}); err != nil {
		return err
	}
	go sup.Run(ctx)
	for sup.Status()[0].State != sources.Running {
		time.Sleep(time.Millisecond)
	}
	return nil
}

// fill publishes as fast as it can without having the wall evict what is not
// recorded yet.
func fill(ctx context.Context, store *jetstream.Store, seen *atomic.Uint64) error {
	for {
		r, err := store.Publish(ctx, stream.Draft{Subject: stream.Subject{Wall: "main", Kind: "filler"}, Data: []byte("x")})
		if err != nil {
			return err
		}
		for r.ID.Seq > seen.Load()+keep/4 {
			time.Sleep(time.Millisecond)
		}
	}
}

// openRecord opens the record and returns the newest sequence in it.
func openRecord(path string) (f *os.File, last uint64, err error) {
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, 0, err
	}
	if lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n"); len(data) > 0 {
		seq, _, _ := strings.Cut(lines[len(lines)-1], " ")
		if last, err = strconv.ParseUint(seq, 10, 64); err != nil {
			return nil, 0, err
		}
	}
	f, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return f, last, err
}

// recordHeld records what an earlier life has stored and not recorded.
func recordHeld(ctx context.Context, store *jetstream.Store, record io.Writer, last uint64) (uint64, error) {
	state, err := store.State(ctx, "main")
	if err != nil {
		return 0, err
	}
	if state.First > last+1 {
		return 0, fmt.Errorf("the wall has evicted events %d to %d before they were recorded", last+1, state.First-1)
	}
	for e, err := range store.Range(ctx, "main", last, state.Last) {
		if err != nil {
			return 0, err
		}
		writeRecord(record, e)
		last = e.ID.Seq
	}
	return last, nil
}

func writeRecord(record io.Writer, e stream.Event) {
	if _, err := fmt.Fprintf(record, "%d %s %s\n", e.ID.Seq, e.Subject.Kind, e.Data); err != nil {
		panic(err)
	}
}

// recorded returns the lines that the wall has got, oldest first.
func recorded(t *testing.T, folder string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, "record"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var lines []string
	for entry := range strings.Lines(string(data)) {
		if _, line, ok := strings.Cut(strings.TrimSuffix(entry, "\n"), " line "); ok {
			lines = append(lines, line)
		}
	}
	return lines
}

// life starts the child, lets it run for a random while, most of it with the
// source running, does during meanwhile and kills it.
func life(t *testing.T, folder, mode string, during func()) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childMode+"="+mode, childFolder+"="+folder)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	early := rand.N(8) == 0
	if !early {
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Errorf("the program ended: %v", err)
		}
	}
	during()
	time.Sleep(rand.N(200 * time.Millisecond))
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed
	if complaints.Len() > 0 {
		t.Errorf("the program said:\n%s", &complaints)
	}
}

func TestKilledReplayGoesOnWhereItWas(t *testing.T) {
	folder := t.TempDir()
	const lines = 37
	var text strings.Builder
	for n := range lines {
		fmt.Fprintf(&text, "line %d\n", n)
	}
	write(t, filepath.Join(folder, "lines.txt"), text.String())
	for range *kills {
		life(t, folder, "replay", func() {})
		if t.Failed() {
			return
		}
	}
	life(t, folder, "replay", func() {}) // records what the one before has stored
	got := recorded(t, folder)
	if len(got) < *kills {
		t.Errorf("only %d lines are stored", len(got))
	}
	for i, line := range got {
		if want := fmt.Sprintf("line %d", i%lines); line != want {
			t.Fatalf("line %d of %d that are stored is %q, want %q", i, len(got), line, want)
		}
	}
	t.Logf("%d lines over %d kills", len(got), *kills)
}

func TestKilledFollowNeitherLosesNorRepeats(t *testing.T) {
	folder := t.TempDir()
	w := &logWriter{t: t, path: filepath.Join(folder, "lines.txt")}
	life(t, folder, "follow", func() {})
	for range *kills {
		write := func() {
			if w.n-len(recorded(t, folder)) < 300 { // the oldest file must not be gone
				w.some(30)
			}
		}
		life(t, folder, "follow", write)
		write()
		if t.Failed() {
			return
		}
	}
	w.line()
	life(t, folder, "follow", func() {
		for end := time.Now().Add(20 * time.Second); len(recorded(t, folder)) < w.n && time.Now().Before(end); {
			time.Sleep(20 * time.Millisecond)
		}
	})
	if got := recorded(t, folder); !slices.Equal(got, w.want()) {
		for i := range got {
			if i >= w.n || got[i] != w.want()[i] {
				t.Fatalf("line %d is %q; stored were\n%q", i, got[i], got[max(0, i-3):min(len(got), i+4)])
			}
		}
		t.Fatalf("%d lines are stored, want %d", len(got), w.n)
	}
	t.Logf("%d lines over %d kills and %d rotations", w.n, *kills, w.rotations)
}

// logWriter writes numbered lines to a file that it rotates.
type logWriter struct {
	t            *testing.T
	path         string
	n, rotations int
}

func (w *logWriter) line() {
	line := fmt.Sprintf("line %d\n", w.n)
	cut := rand.N(len(line))
	add(w.t, w.path, line[:cut])
	add(w.t, w.path, line[cut:])
	w.n++
}

// some writes up to most lines and rotates in between.
func (w *logWriter) some(most int) {
	for range rand.N(most) {
		w.line()
		if rand.N(15) == 0 {
			w.rotate()
		}
	}
}

// rotate renames app.log.2 to app.log.3 and so on, as logrotate does.
func (w *logWriter) rotate() {
	const kept = 60
	for i := kept; i > 0; i-- {
		from := fmt.Sprint(w.path, ".", i)
		if _, err := os.Stat(from); err == nil {
			rename(w.t, from, fmt.Sprint(w.path, ".", i+1))
		}
	}
	rename(w.t, w.path, w.path+".1")
	w.rotations++
}

func (w *logWriter) want() []string {
	all := make([]string, w.n)
	for i := range all {
		all[i] = fmt.Sprintf("line %d", i)
	}
	return all
}
