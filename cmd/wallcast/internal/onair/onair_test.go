package onair_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/onair"
	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/embed"
	"github.com/wallcast/wallcast/stream/jetstream"
	"github.com/wallcast/wallcast/stream/sse"
	"github.com/wallcast/wallcast/views"
)

// radio is the walls main and shy, the latter private, with a real store.
type radio struct {
	*httptest.Server
	t       *testing.T
	store   *jetstream.Store
	streams *sse.Server
	onair   *onair.Server
}

func newRadio(t *testing.T) *radio {
	t.Helper()
	server, err := embed.Start(embed.Config{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	nc, err := server.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	main := jetstream.Wall{Name: "main", Events: 1000, Age: time.Hour, Bytes: 16 << 20, History: 100, Payload: 8 << 10}
	shy := main
	shy.Name = "shy"
	store, err := jetstream.Open(t.Context(), nc, jetstream.Config{Walls: []jetstream.Wall{main, shy}, Identity: server.Identity()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	r := &radio{t: t, store: store}
	r.streams = sse.New(sse.Config{
		Reader: store, Walls: func(name string) bool { return name == "main" || name == "shy" },
		Render: func(stream.Event) ([]byte, error) { return nil, nil }, Label: func(_, kind string) string { return kind },
	})
	guard := access.New(access.Config{Tokens: []access.Token{{Name: "operator", Hash: access.HashSecret("secret")}}, Walls: []access.Wall{{Name: "main"}, {Name: "shy", Private: true}}})
	r.onair = onair.New(onair.Config{
		Streams: r.streams, Walls: func() []string { return []string{"shy", "main"} }, Guard: guard.Wall, MayRead: guard.MayRead,
		Station: func(short string) (string, bool) { return "main", short == "configured" },
		Picture: func(address string) string { return strings.Replace(address, "http://elsewhere", "/proxied", 1) },
		Base:    func(*http.Request) string { return "https://wall.example" }, Log: slog.New(slog.DiscardHandler),
	})
	mux := http.NewServeMux()
	r.onair.Register(mux)
	r.Server = httptest.NewUnstartedServer(guard.Handler(mux))
	r.Config.BaseContext = access.BaseContext
	r.Start()
	t.Cleanup(func() {
		r.onair.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := r.streams.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		r.Close()
	})
	return r
}

func (r *radio) publish(subject, data string) stream.ID {
	r.t.Helper()
	s, err := stream.ParseSubject(subject)
	if err != nil {
		r.t.Fatal(err)
	}
	receipt, err := r.store.Publish(r.t.Context(), stream.Draft{Subject: s, Data: []byte(data)})
	if err != nil {
		r.t.Fatal(err)
	}
	return receipt.ID
}

// get returns the answer to a request, and its status.
func (r *radio) get(path string) (int, string) {
	r.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(r.URL + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if location := resp.Header.Get("Location"); location != "" {
		return resp.StatusCode, location
	}
	return resp.StatusCode, string(body)
}

// shape is what a test looks at of AzuraCast's.
type shape struct {
	Station   struct{ Name, Shortcode string }
	Listeners struct{ Current int }
	Live      struct {
		IsLive       bool   `json:"is_live"`
		StreamerName string `json:"streamer_name"`
	}
	NowPlaying  played                 `json:"now_playing"`
	PlayingNext *struct{ Song titled } `json:"playing_next"`
	SongHistory []played               `json:"song_history"`
	IsOnline    bool                   `json:"is_online"`
}

type played struct {
	ShID      uint64 `json:"sh_id"`
	PlayedAt  int64  `json:"played_at"`
	Duration  int64  `json:"duration"`
	Elapsed   int64  `json:"elapsed"`
	Remaining int64  `json:"remaining"`
	Song      titled `json:"song"`
}

type titled struct{ ID, Text, Artist, Title, Art string }

func (r *radio) shape(path string) (s shape) {
	r.t.Helper()
	status, body := r.get(path)
	if err := json.Unmarshal([]byte(body), &s); status != http.StatusOK || err != nil {
		r.t.Fatalf("%s: %d %s", path, status, body)
	}
	return s
}

// await waits until the station's text is want: a reader of walls is never more
// than a moment behind the store.
func (r *radio) await(want string) {
	r.t.Helper()
	var got string
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if _, got = r.get("/walls/main/nowplaying/jazz.txt"); strings.TrimSpace(got) == want {
			return
		}
	}
	r.t.Fatalf("the station plays %q, want %q", got, want)
}

func TestWhatIsOnAir(t *testing.T) {
	r := newRadio(t)
	if status, body := r.get("/api/nowplaying/jazz"); status != http.StatusNotFound {
		t.Errorf("before anything is on air: %d %s", status, body)
	}
	began := time.Now().Add(-30 * time.Second).Truncate(time.Second)
	r.publish("wall.main.message", "hello")
	r.publish("wall.main.song.jazz", `{"station":"Jazz FM","artist":"Nina","title":"Sinnerman","text":"Nina - Sinnerman","play_id":"1"}`)
	r.publish("wall.main.song.jazz", `{"station":"Jazz FM","artist":"Nina","title":"Sinnerman","text":"Nina - Sinnerman","play_id":"1","listeners":7,"art":"http://elsewhere/a.png"}`)
	r.publish("wall.main.song.pop", `{"title":"Other station","play_id":"9"}`)
	r.publish("wall.main.song.jazz", fmt.Sprintf(`{"station":"Jazz FM","artist":"Miles","title":"So What","text":"Miles - So What","play_id":"2",
		"started_at":%q,"duration":100,"listeners":12,"art":"/pictures/x","live":true,"dj":"Ruth","next":{"artist":"A","title":"B"}}`, began.Format(time.RFC3339)))
	r.await("Miles - So What")
	for _, path := range []string{"/walls/main/nowplaying/jazz", "/walls/main/nowplaying/jazz.json", "/api/nowplaying/jazz", "/api/nowplaying_static/jazz.json"} {
		s := r.shape(path)
		now := s.NowPlaying
		if s.Station.Name != "Jazz FM" || s.Station.Shortcode != "jazz" || s.Listeners.Current != 12 || !s.IsOnline || !s.Live.IsLive || s.Live.StreamerName != "Ruth" {
			t.Errorf("%s: %+v", path, s)
		}
		if now.Song.Text != "Miles - So What" || now.Song.Art != "https://wall.example/pictures/x" || now.PlayedAt != began.Unix() || now.Duration != 100 ||
			now.Elapsed < 30 || now.Elapsed > 60 || now.Elapsed+now.Remaining != 100 {
			t.Errorf("%s: %+v", path, now)
		}
		if s.PlayingNext == nil || s.PlayingNext.Song.Title != "B" {
			t.Errorf("%s: next is %+v", path, s.PlayingNext)
		}
		if len(s.SongHistory) != 1 || s.SongHistory[0].Song.Text != "Nina - Sinnerman" || s.SongHistory[0].Song.Art != "https://wall.example/proxied/a.png" || s.SongHistory[0].ShID == now.ShID {
			t.Errorf("%s: the history is %+v", path, s.SongHistory)
		}
	}
	// The current song again is one play, and one that returns is another.
	first := r.shape("/api/nowplaying/jazz").NowPlaying.ShID
	r.publish("wall.main.song.jazz", `{"artist":"Miles","title":"So What","text":"Miles - So What","play_id":"2","state":"offline"}`)
	r.publish("wall.main.song.jazz", `{"title":"Return","play_id":"3","state":"offline"}`)
	r.publish("wall.main.song.jazz", `{"artist":"Miles","title":"So What","text":"Miles - So What","play_id":"4","state":"offline"}`)
	r.publish("wall.main.song.jazz", `{"title":"End","play_id":"5","state":"offline"}`)
	r.await("End")
	s := r.shape("/api/nowplaying/jazz")
	var titles []string
	for _, old := range s.SongHistory {
		titles = append(titles, old.Song.Text)
	}
	if got := strings.Join(titles, ", "); got != "Miles - So What, Return, Miles - So What, Nina - Sinnerman" || s.SongHistory[2].ShID != first || s.SongHistory[0].ShID == first {
		t.Errorf("the history is %s: %+v", got, s.SongHistory)
	}
	if s.IsOnline {
		t.Error("an offline station is online")
	}
	status, history := r.get("/walls/main/nowplaying/jazz/history")
	var plays []played
	if err := json.Unmarshal([]byte(history), &plays); status != http.StatusOK || err != nil || len(plays) != 4 {
		t.Errorf("the history alone: %d %s", status, history)
	}
	if status, art := r.get("/api/nowplaying/jazz/art"); status != http.StatusFound || art != "https://wall.example"+views.AssetURL("icon.svg") {
		t.Errorf("the art: %d %s", status, art)
	}
	var all []shape
	if _, body := r.get("/api/nowplaying"); json.Unmarshal([]byte(body), &all) != nil || len(all) != 2 || all[1].Station.Shortcode != "pop" {
		t.Errorf("all stations: %s", body)
	}
}

func TestRetractedAndOddSongs(t *testing.T) {
	r := newRadio(t)
	r.publish("wall.main.song.jazz", `{"title":"One","play_id":"1"}`)
	r.await("One")
	r.publish("wall.main.song.jazz", `just text`)
	r.await("just text")
	id := r.publish("wall.main.song.jazz", `{"title":"A slip of the tongue","play_id":"2"}`)
	r.await("A slip of the tongue")
	if _, err := r.store.Retract(t.Context(), "main", id); err != nil {
		t.Fatal(err)
	}
	r.awaitStatus("/api/nowplaying/jazz", http.StatusNotFound) // a card that is retracted is gone, older versions too
	for _, odd := range []string{`{}`, `{"title":7,"artist":{"a":1}}`, `[]`, " ", `{"title":""}`} {
		r.publish("wall.main.song.odd", odd)
		if status, _ := r.get("/api/nowplaying"); status != http.StatusOK {
			t.Errorf("with %s all stations are answered %d", odd, status)
		}
	}
}

func (r *radio) awaitStatus(path string, want int) {
	r.t.Helper()
	var status int
	var body string
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if status, body = r.get(path); status == want {
			return
		}
	}
	r.t.Fatalf("%s: %d %s, want %d", path, status, body, want)
}

func TestPrivateStations(t *testing.T) {
	r := newRadio(t)
	r.publish("wall.shy.song.secret", `{"title":"Nobody knows","play_id":"1"}`)
	for _, path := range []string{"/api/nowplaying/secret", "/walls/shy/nowplaying/secret", "/walls/shy/nowplaying", "/api/nowplaying/secret/art", "/walls/shy/nowplaying/secret.txt", "/api/nowplaying"} {
		if status, body := r.get(path); strings.Contains(body, "Nobody") || path != "/api/nowplaying" && status == http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	frames := r.listen(`{"subs":{"station:secret":{"recover":true}}}`)
	if frame := frames(); strings.Contains(frame, "Nobody") {
		t.Errorf("the push tells %s", frame)
	}
}

// listen opens the push and returns what waits for its next frame.
func (r *radio) listen(connect string) func() string {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.URL+"/api/live/nowplaying/sse?cf_connect="+url.QueryEscape(connect), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	return func() string {
		r.t.Helper()
		for lines.Scan() {
			line := lines.Text()
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				return data
			}
			if line != "" {
				r.t.Fatalf("the push has the line %q", line)
			}
		}
		return ""
	}
}

// frames returns the frames of a recorded answer.
func recorded(t *testing.T, name string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", name+"*"))
	if err != nil || len(names) != 1 {
		t.Fatalf("%s: %v %v", name, names, err)
	}
	content, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := bytes.Cut(content, []byte("\r\n\r\n"))
	var frames []string
	for line := range strings.Lines(string(body)) {
		if data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: "); ok {
			frames = append(frames, data)
		}
	}
	return frames
}

// mustHaveShape fails where what AzuraCast sends has a field that we don't, or one
// of another type. Null stands for any type.
func mustHaveShape(t *testing.T, path string, theirs, ours any) {
	t.Helper()
	switch theirs := theirs.(type) {
	case nil:
	case map[string]any:
		object, ok := ours.(map[string]any)
		if !ok {
			t.Errorf("%s is %T, theirs an object", path, ours)
			return
		}
		for name, value := range theirs {
			if _, has := object[name]; !has {
				t.Errorf("%s lacks %s", path, name)
				continue
			}
			mustHaveShape(t, path+"."+name, value, object[name])
		}
	case []any:
		list, ok := ours.([]any)
		if !ok {
			t.Errorf("%s is %T, theirs a list", path, ours)
		} else if len(theirs) > 0 && len(list) > 0 {
			mustHaveShape(t, path+"[0]", theirs[0], list[0])
		}
	default:
		if fmt.Sprintf("%T", theirs) != fmt.Sprintf("%T", ours) {
			t.Errorf("%s is %T, theirs %T", path, ours, theirs)
		}
	}
}

func decode(t *testing.T, frame string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(frame), &v); err != nil {
		t.Fatalf("%v in %s", err, frame)
	}
	return v
}

func TestPushHasAzuraCastsFraming(t *testing.T) {
	r := newRadio(t)
	r.publish("wall.main.song.azuratest-radio", `{"station":"AzuraTest Radio","artist":"A","title":"T1","play_id":"1","state":"playing","listeners":2}`)
	r.awaitStatus("/api/nowplaying/azuratest-radio", http.StatusOK)
	spell := func(frame string) string { return strings.ReplaceAll(frame, "azuratest_radio", "azuratest-radio") }

	theirs := recorded(t, "02-")
	next := r.listen(`{"subs":{"station:azuratest-radio":{"recover":true}}}`)
	mustHaveShape(t, "connect", decode(t, spell(theirs[0])), decode(t, next()))
	r.publish("wall.main.song.azuratest-radio", `{"station":"AzuraTest Radio","artist":"A","title":"T2","play_id":"2","state":"live","dj":"D","listeners":3}`)
	push := next()
	mustHaveShape(t, "push", decode(t, spell(theirs[1])), decode(t, push))
	var got struct {
		Channel string
		Pub     struct {
			Data struct {
				NP       shape
				Triggers []string
			}
		}
	}
	if err := json.Unmarshal([]byte(push), &got); err != nil || got.Channel != "station:azuratest-radio" || got.Pub.Data.NP.NowPlaying.Song.Title != "T2" ||
		strings.Join(got.Pub.Data.Triggers, " ") != "song_changed listener_gained live_connect" {
		t.Errorf("%v %+v", err, got)
	}

	// Without recover there is no publication, and a station of the configuration
	// that has not been heard of yet comes when it does.
	mustHaveShape(t, "connect", decode(t, spell(recorded(t, "03-")[0])), decode(t, r.listen(`{"subs":{"station:azuratest-radio":{}}}`)()))
	next = r.listen(`{"subs":{"station:configured":{"recover":true}}}`)
	mustHaveShape(t, "connect", decode(t, strings.ReplaceAll(recorded(t, "01-")[0], "azuratest_radio", "configured")), decode(t, next()))
	r.publish("wall.main.message", "no song")
	r.publish("wall.main.song.configured", `{"title":"First","play_id":"1"}`)
	if push := next(); !strings.Contains(push, `"channel":"station:configured"`) || !strings.Contains(push, `"First"`) {
		t.Errorf("the first song of a station is pushed as %s", push)
	}

	// Nothing asked for, and what is no JSON.
	resp, err := http.Get(r.URL + "/api/live/nowplaying/sse?cf_connect={")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("what is no JSON is answered %s, theirs 400", resp.Status)
	}
	mustHaveShape(t, "connect", decode(t, recorded(t, "06-")[0]), decode(t, r.listen("")()))
	// Older players ask for a clock, which ends their stream at a newer AzuraCast.
	// Here they go without it.
	if connect := r.listen(`{"subs":{"global:time":{},"station:azuratest-radio":{"recover":true}}}`)(); !strings.Contains(connect, `"T2"`) {
		t.Errorf("an older player gets %s", connect)
	}
}

// TestPagesAgree publishes song after song and looks at all views at once: none
// may be ahead of what another says afterwards, and the push misses none.
func TestPagesAgree(t *testing.T) {
	r := newRadio(t)
	r.publish("wall.main.song.jazz", `{"title":"song 0","play_id":"0"}`)
	r.await("song 0")
	next := r.listen(`{"subs":{"station:jazz":{"recover":true}}}`)
	next()
	const songs = 50
	var pushed sync.WaitGroup
	pushed.Go(func() {
		for last := ""; last != fmt.Sprint("song ", songs); {
			var frame struct {
				Pub struct{ Data struct{ NP shape } }
			}
			text := next()
			if err := json.Unmarshal([]byte(text), &frame); err != nil {
				t.Errorf("%v in %q", err, text)
				return
			}
			title := frame.Pub.Data.NP.NowPlaying.Song.Title
			if title == last {
				t.Errorf("%q was pushed twice", title)
			}
			last = title
		}
	})
	number := func(title string) (n int) {
		if _, err := fmt.Sscanf(title, "song %d", &n); err != nil {
			t.Errorf("%q: %v", title, err)
		}
		return n
	}
	for n := 1; n <= songs; n++ {
		r.publish("wall.main.song.jazz", fmt.Sprintf(`{"title":"song %d","play_id":"%d"}`, n, n))
		snap, err := r.streams.Snapshot(t.Context(), "main", 1, nil)
		if err != nil || len(snap.Cards) != 1 {
			t.Fatalf("%+v %v", snap, err)
		}
		s := r.shape("/api/nowplaying/jazz")
		_, text := r.get("/walls/main/nowplaying/jazz.txt")
		page := number(stream.ParseContent(snap.Cards[0].Data).Title)
		if a, b := number(s.NowPlaying.Song.Title), number(text); page > a || a > b {
			t.Errorf("after song %d the page has %d, then JSON %d and then text %d", n, page, a, b)
		}
		for i, old := range s.SongHistory {
			if want := number(s.NowPlaying.Song.Title) - 1 - i; number(old.Song.Title) != want {
				t.Errorf("place %d of the history has %q, want song %d", i, old.Song.Title, want)
			}
		}
	}
	pushed.Wait()
}

func TestClosedServerRefuses(t *testing.T) {
	r := newRadio(t)
	r.publish("wall.main.song.jazz", `{"title":"song","play_id":"0"}`)
	r.await("song")
	next := r.listen(`{"subs":{"station:jazz":{}}}`)
	next()
	r.onair.Close()
	if frame := next(); frame != "" {
		t.Errorf("after the end came %s", frame)
	}
	if status, _ := r.get("/api/nowplaying/pop"); status == http.StatusOK {
		t.Errorf("a closed server answers %d", status)
	}
}
