package nowplaying_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying"
	"github.com/wallcast/wallcast/sources/sourcetest"
	"github.com/wallcast/wallcast/stream"
)

// running is a supervised station in a bubble.
type running struct {
	t     *testing.T
	store *sourcetest.Store
	sup   *sources.Supervisor
	log   *lines
	stop  func()
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func start(t *testing.T, store *sourcetest.Store, s *nowplaying.Settings, env sources.Env) *running {
	t.Helper()
	env.Name = "jazz"
	src, err := s.Source(env.Complete())
	if err != nil {
		t.Fatal(err)
	}
	return run(t, store, src)
}

func run(t *testing.T, store *sourcetest.Store, src sources.Source) *running {
	t.Helper()
	r := &running{t: t, store: store, log: new(lines)}
	r.sup = sources.NewSupervisor(store, slog.New(slog.NewTextHandler(r.log, nil)))
	i := sources.Instance{Name: "jazz", Source: src, To: stream.Subject{Wall: "main", Kind: "message", Key: "jazz"}}
	if err := r.sup.Apply([]sources.Instance{i}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.sup.Run(ctx)
	}()
	r.stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(r.stop)
	return r
}

// pass lets time pass.
func (r *running) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

type shown struct {
	Station, State, Type, Artist, Title, Text, Album, Art, Source string
	PlayID                                                        string    `json:"play_id"`
	StartedAt                                                     time.Time `json:"started_at"`
}

func (r *running) cards() []shown {
	r.t.Helper()
	var all []shown
	for _, data := range r.store.Data() {
		var c shown
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			r.t.Fatalf("%v in %s", err, data)
		}
		if strings.Contains(data, "/srv") || strings.Contains(data, "filename") {
			r.t.Errorf("a file's name is given away: %s", data)
		}
		all = append(all, c)
	}
	return all
}

func (r *running) want(rows ...string) {
	r.t.Helper()
	got := []string{}
	for _, c := range r.cards() {
		got = append(got, c.State+" "+c.Text)
	}
	if !slices.Equal(got, rows) {
		r.t.Fatalf("the cards are %q, want %q", got, rows)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func settings() *nowplaying.Settings { return nowplaying.Type.New().(*nowplaying.Settings) }

func TestUpstreamThatWasAwayForLongIsNoticedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		path := filepath.Join(folder, "now.txt")
		write(t, path, "A - One")
		s := settings()
		s.File = "now.txt"
		r := start(t, sourcetest.NewStore(), s, sources.Env{Folder: folder})
		r.pass(time.Minute)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Hour)
		r.want("playing A - One", "unreachable A - One")
		write(t, path, "B - Two")
		r.pass(25 * time.Second)
		r.want("playing A - One", "unreachable A - One", "playing B - Two")
	})
}

func TestFallbackAndRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		first, second := filepath.Join(folder, "first.txt"), filepath.Join(folder, "second.txt")
		write(t, first, "A - One")
		write(t, second, "X - Other")
		store := sourcetest.NewStore()
		s := settings()
		s.From = []nowplaying.Upstream{{File: "first.txt"}, {File: "second.txt"}}
		env := sources.Env{Folder: folder}
		r := start(t, store, s, env)
		r.pass(time.Minute)
		r.want("playing A - One")
		if d := store.Drafts()[0]; d.Subject.String() != "wall.main.song.jazz" {
			t.Errorf("the card goes to %s", d.Subject)
		}
		if err := os.Remove(first); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Minute)
		r.want("playing A - One", "playing X - Other")
		if st := r.sup.Status()[0]; !strings.Contains(st.Warning, "first.txt does not exist") || !strings.Contains(st.Warning, "following file 2") {
			t.Errorf("the warning is %q", st.Warning)
		}
		if log := r.log.String(); !strings.Contains(log, `upstream="file 2"`) {
			t.Errorf("the log doesn't say which upstream is followed:\n%s", log)
		}
		r.stop()

		r = start(t, store, s, env)
		r.pass(time.Minute)
		r.want("playing A - One", "playing X - Other")
		write(t, first, "A - One")
		r.pass(3 * time.Minute)
		r.want("playing A - One", "playing X - Other", "playing A - One")
		if st := r.sup.Status()[0]; st.Warning != "" {
			t.Errorf("the warning is %q", st.Warning)
		}
		r.stop()
		write(t, first, "B - Two")
		r = start(t, store, s, env)
		r.pass(time.Minute)
		r.want("playing A - One", "playing X - Other", "playing A - One", "playing B - Two")
		if c := r.cards()[3]; !c.StartedAt.IsZero() {
			t.Errorf("a song that began while nobody looked began at %v", c.StartedAt)
		}
		write(t, first, "C - Three")
		before := time.Now()
		r.pass(time.Minute)
		if c := r.cards()[4]; c.StartedAt.Sub(before).Abs() > time.Second {
			t.Errorf("a song that was seen to begin at %v began at %v", before, c.StartedAt)
		}
	})
}

func TestDelayOfAStationThatIsRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "now.txt")
		write(t, path, "A - One")
		store := sourcetest.NewStore()
		s := settings()
		s.File, s.Delay = path, 30*time.Second
		r := start(t, store, s, sources.Env{})
		r.pass(time.Minute)
		r.want("playing A - One")
		write(t, path, "B - Two")
		changed := time.Now()
		r.pass(5 * time.Second)
		r.stop()
		time.Sleep(5 * time.Second)
		r = start(t, store, s, sources.Env{})
		r.pass(19 * time.Second)
		r.want("playing A - One")
		r.pass(5 * time.Second)
		r.want("playing A - One", "playing B - Two")
		if d := store.Drafts()[1]; d.Time.Sub(changed.Add(30*time.Second)).Abs() > 2*time.Second {
			t.Errorf("the card is of %v, the change was at %v", d.Time, changed)
		}
	})
}

func post(body string) sources.Delivery {
	return sources.Delivery{Time: time.Now(), Body: []byte(body), Header: http.Header{}}
}

func TestPostsAndFallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "now.txt")
		write(t, path, "X - Other")
		store := sourcetest.NewStore()
		s := settings()
		s.From = []nowplaying.Upstream{{Push: true, Secret: "s3cret"}, {File: path}}
		r := start(t, store, s, sources.Env{})
		r.pass(time.Minute)
		r.want("playing X - Other")
		store.Deliver("jazz", post(`{"artist":"A","title":"One"}`))
		store.Deliver("jazz", post(`not a title at all = &`))
		r.pass(time.Minute)
		r.want("playing X - Other", "playing A - One")
		r.stop()
		store.Deliver("jazz", post(`{"artist":"B","title":"Two"}`)) // kept while nothing ran
		time.Sleep(3 * time.Minute)
		store.Deliver("jazz", post(`{"artist":"C","title":"Three"}`))
		time.Sleep(time.Minute)
		r = start(t, store, s, sources.Env{})
		r.pass(time.Minute)
		r.want("playing X - Other", "playing A - One", "playing B - Two", "playing C - Three")
		all := store.Drafts()
		if d := all[3].Time.Sub(all[2].Time); d != 3*time.Minute {
			t.Errorf("between two posts that waited are %v", d)
		}
		if n := len(r.cards()); n != 4 || r.cards()[3].Source != "push" {
			t.Errorf("there are %d cards, the last of %q", n, r.cards()[3].Source)
		}
	})
}

func TestParseOfAPost(t *testing.T) {
	s := settings()
	s.Push, s.Secret, s.Name = true, "s3cret", "Jazz FM"
	receiver := mustSource(t, s).(sources.Receiver)
	events, err := receiver.Parse(post(`{"artist":"A","title":"One","filename":"/srv/x.mp3"}`))
	if err != nil || len(events) != 1 || !strings.Contains(string(events[0].Data), `"text":"A - One"`) || strings.Contains(string(events[0].Data), "srv") {
		t.Errorf("a post makes %v, %v", events, err)
	}
	for body, says := range map[string]string{`{"type":"jingle","title":"x"}`: "", `{"title":""}`: "", `{"x":1}`: "send artist and title"} {
		events, err := receiver.Parse(post(body))
		if len(events) > 0 || (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s makes %v, %v", body, events, err)
		}
	}
	hook := receiver.Hook()
	if !slices.Contains(hook.Secrets, "token") || !slices.Contains(hook.Hide, "s3cret") {
		t.Errorf("what is kept of a post holds the secret: %+v", hook)
	}
}

// album is a sources.Pictures in memory.
type album struct {
	mu   sync.Mutex
	kept map[string]string
}

func (a *album) Put(_ context.Context, picture []byte, mediaType string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !strings.HasPrefix(mediaType, "image/") {
		return "", fmt.Errorf("%q is no picture", mediaType)
	}
	if a.kept == nil {
		a.kept = map[string]string{}
	}
	address := fmt.Sprintf("/walls/main/art/%d", len(picture))
	a.kept[address] = string(picture)
	return address, nil
}

func (a *album) Remote(address string) string { return "/walls/main/art/" + filepath.Base(address) }

func TestCovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		covers := filepath.Join(folder, "covers")
		if err := os.Mkdir(covers, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(covers, "a - one.JPG"), "one")
		write(t, filepath.Join(covers, "B.png"), "artist")
		write(t, filepath.Join(covers, "C - Three.txt"), "no picture")
		write(t, filepath.Join(folder, "secret.jpg"), "not in the folder")
		path := filepath.Join(folder, "now.txt")
		s := settings()
		s.File, s.Covers, s.Logo = path, "covers", "https://radio.example/logo.png"
		write(t, path, "A - One")
		r := start(t, sourcetest.NewStore(), s, sources.Env{Folder: folder, Pictures: new(album)})
		r.pass(10 * time.Second)
		for _, title := range []string{"B - Two", "C - Three", "../secret", ".. / .. - secret"} {
			write(t, path, title)
			r.pass(10 * time.Second)
		}
		var arts []string
		for _, c := range r.cards() {
			arts = append(arts, c.Art)
		}
		logo := "/walls/main/art/logo.png"
		if want := []string{"/walls/main/art/3", "/walls/main/art/6", logo, logo, logo}; !slices.Equal(arts, want) {
			t.Errorf("the covers are %q, want %q", arts, want)
		}
	})
}

func TestLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "now.txt")
		write(t, path, "A - One")
		s := settings()
		s.File = path
		var sought []string
		src := nowplaying.WithLookup(mustSource(t, s), func(artist, title string) string {
			sought = append(sought, artist+"|"+title)
			if time.Sleep(5 * time.Second); title == "Slow" {
				time.Sleep(time.Minute)
			}
			return "https://covers.example/" + title
		})
		r := run(t, sourcetest.NewStore(), src)
		for _, title := range []string{"Untagged", "B - Slow", "C - Three"} {
			r.pass(20 * time.Second)
			write(t, path, title)
		}
		r.pass(2 * time.Minute)
		var arts []string
		for _, c := range r.cards() {
			arts = append(arts, c.Title+" "+c.Art)
		}
		// The cover of B comes when C is on air.
		if want := []string{"One ", "One https://covers.example/One", "Untagged ", "Slow ", "Three ", "Three https://covers.example/Three"}; !slices.Equal(arts, want) {
			t.Errorf("the covers are %q, want %q", arts, want)
		}
		if want := []string{"A|One", "B|Slow", "C|Three"}; !slices.Equal(sought, want) {
			t.Errorf("sought were %q, want %q", sought, want)
		}
	})
}

// TestLiquidsoapRecording plays what a real Liquidsoap sent, at the pace of then.
func TestLiquidsoapRecording(t *testing.T) {
	data, err := os.ReadFile("internal/push/testdata/liquidsoap.txt")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := settings()
		s.Push, s.Secret = true, "s3cret"
		store := sourcetest.NewStore()
		r := run(t, store, mustSource(t, s))
		begin := time.Now()
		for part := range strings.SplitSeq(string(data), "=== t=") {
			at, request, _ := strings.Cut(part, "\n")
			seconds, err := strconv.ParseFloat(at, 64)
			if err != nil {
				continue
			}
			_, body, _ := strings.Cut(request, "\n\n")
			time.Sleep(time.Until(begin.Add(time.Duration(seconds * float64(time.Second)))))
			store.Deliver("jazz", post(body))
		}
		r.pass(10 * time.Second)
		once := []string{
			"Normal Artist - Normal Title", "宇多田ヒカル - 初恋 🎵", `Simon & Garfunkel - Don't; "Stop" & Go`,
			"NL - Line1 Line2", "First;Second - Duet", "Beyoncé - Déjà Vu",
		}
		want := append(slices.Concat(once, once), "Ins Art - Inserted ☕ — title")
		if got := r.history(); !slices.Equal(got, want) {
			t.Errorf("the history is %q, want %q", got, want)
		}
		for _, c := range r.cards() {
			if c.State != "playing" && c.State != "stale" {
				t.Errorf("the state is %s", c.State)
			}
		}
	})
}

func mustSource(t *testing.T, s *nowplaying.Settings) sources.Source {
	t.Helper()
	src, err := s.Source(sources.Env{Name: "jazz"}.Complete())
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func TestCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		s := settings()
		s.From = []nowplaying.Upstream{{Push: true, Secret: "s3cret"}, {File: filepath.Join(folder, "a.txt")}, {File: filepath.Join(folder, "b.txt")}}
		check := func(within time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			return mustSource(t, s).(sources.Checker).Check(ctx)
		}
		write(t, filepath.Join(folder, "a.txt"), "A - One")
		var wrong *sources.SettingError
		if err := check(time.Minute); !errors.As(err, &wrong) || wrong.Setting != "from.[2].file" || !strings.Contains(err.Error(), "does not exist") {
			t.Errorf("without the second file: %v", err)
		}
		if err := check(time.Second); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "in time") {
			t.Errorf("in a hurry: %v", err)
		}
		write(t, filepath.Join(folder, "b.txt"), "")
		if err := check(time.Minute); err != nil {
			t.Errorf("with both files: %v", err)
		}
		s.Covers = filepath.Join(folder, "a.txt")
		if err := check(time.Minute); !errors.As(err, &wrong) || wrong.Setting != "covers" {
			t.Errorf("without the folder of covers: %v", err)
		}
		s.Covers = folder
		if err := check(time.Minute); err != nil {
			t.Errorf("with the folder of covers: %v", err)
		}
	})
}
