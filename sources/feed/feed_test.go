package feed_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/feed"
	"github.com/wallcast/wallcast/sources/sourcetest"
	"github.com/wallcast/wallcast/stream"
)

// blog is a server with an RSS feed whose newest item is the first.
type blog struct {
	*httptest.Server

	mu       sync.Mutex
	items    []string // of XML, the newest first
	version  int
	asked    int
	full     int          // answers with a body
	instead  http.Handler // answers when it is set
	noTags   bool
	document string // served instead of the items
}

func newBlog(t *testing.T) *blog {
	t.Helper()
	b := &blog{}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *blog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if b.instead != nil {
		b.instead.ServeHTTP(w, r)
		return
	}
	tag := fmt.Sprintf(`"v%d"`, b.version)
	if !b.noTags {
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	b.full++
	w.Header().Set("Content-Type", "application/rss+xml")
	if b.document != "" {
		fmt.Fprint(w, b.document)
		return
	}
	fmt.Fprintf(w, "<rss version='2.0'><channel>%s</channel></rss>", strings.Join(b.items, ""))
}

func (b *blog) change(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	b.version++
}

// add puts an item in front.
func (b *blog) add(id, title string) {
	b.change(func() { b.items = slices.Insert(b.items, 0, entry(id, title)) })
}

func entry(id, title string) string {
	return fmt.Sprintf("<item><guid isPermaLink='false'>%s</guid><title>%s</title></item>", id, title)
}

func (b *blog) counts() (asked, full int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked, b.full
}

func settings(b *blog) *feed.Settings {
	s := feed.Type.New().(*feed.Settings)
	s.URL, s.Every = b.URL+"/feed?token=secret", 5*time.Millisecond
	return s
}

func titled(title string) string { return fmt.Sprintf(`{"title":%q}`, title) }

func TestConformance(t *testing.T) {
	want := []string{titled("one"), titled("two"), titled("three"), titled("four")}
	t.Run("all at the start", func(t *testing.T) {
		sourcetest.Run(t, sourcetest.Case{Type: feed.Type, Open: func(t *testing.T) sourcetest.Upstream {
			b := newBlog(t)
			for i, title := range []string{"one", "two", "three", "four"} {
				b.add(fmt.Sprint(i), title)
			}
			return sourcetest.Upstream{Settings: settings(b), Want: want}
		}})
	})
	t.Run("one by one, the last an edit", func(t *testing.T) {
		sourcetest.Run(t, sourcetest.Case{Type: feed.Type, Open: func(t *testing.T) sourcetest.Upstream {
			b := newBlog(t)
			return sourcetest.Upstream{Settings: settings(b), Want: want, Next: func(i int) {
				if i < 3 {
					b.add(fmt.Sprint(i), []string{"one", "two", "three"}[i])
					return
				}
				b.change(func() { b.items[2] = entry("0", "four") })
			}}
		}})
	})
}

// running is a supervised feed.
type running struct {
	*sourcetest.Running
	t *testing.T
}

func run(t *testing.T, store *sourcetest.Store, s *feed.Settings) *running {
	t.Helper()
	return &running{sourcetest.Start(t, store, sources.Instance{
		Name: "news", Source: sourcetest.Make(t, s, sources.Env{Name: "news"}), To: stream.Subject{Wall: "main", Kind: "post"},
	}), t}
}

func (r *running) titles() []string {
	var all []string
	for _, data := range r.Store.Data() {
		var p struct{ Title string }
		if err := json.Unmarshal([]byte(data), &p); err != nil {
			r.t.Error(err)
		}
		all = append(all, p.Title)
	}
	return all
}

// polled waits until the feed was asked for so many times more.
func (r *running) polled(b *blog, times int) {
	r.t.Helper()
	before, _ := b.counts()
	r.Await("it is not asked for", func() bool {
		asked, _ := b.counts()
		return asked >= before+times
	})
}

func (r *running) shown(b *blog, want ...string) {
	r.t.Helper()
	r.Await(fmt.Sprintf("want %q", want), func() bool { return len(r.titles()) >= len(want) })
	r.polled(b, 3)
	if got := r.titles(); !slices.Equal(got, want) {
		r.t.Errorf("stored %q, want %q", got, want)
	}
}

func TestNewAndEditedItems(t *testing.T) {
	b := newBlog(t)
	b.add("a", "A")
	store := sourcetest.NewStore()
	r := run(t, store, settings(b))
	r.shown(b, "A")
	b.add("b", "B")
	r.shown(b, "A", "B")
	b.change(func() { b.items[1] = entry("a", "A, edited") })
	r.shown(b, "A", "B", "A, edited")
	drafts := store.Drafts()
	if drafts[0].Subject != drafts[2].Subject || !drafts[0].Subject.Keyed() || drafts[0].Subject == drafts[1].Subject {
		t.Errorf("an edited item is another card: %v, %v, %v", drafts[0].Subject, drafts[1].Subject, drafts[2].Subject)
	}
	if drafts[0].EventID != "a" {
		t.Errorf("the item's id is lost: %+v", drafts[0])
	}
	// A time alone is no edit.
	b.change(func() { b.items[0] = strings.Replace(b.items[0], "</item>", "<pubDate>2026-01-02</pubDate></item>", 1) })
	r.shown(b, "A", "B", "A, edited")
	r.Stop()
	b.add("c", "C")
	run(t, store, settings(b)).shown(b, "A", "B", "A, edited", "C")
}

func TestConditionalRequests(t *testing.T) {
	b := newBlog(t)
	b.add("a", "A")
	store := sourcetest.NewStore()
	r := run(t, store, settings(b))
	r.shown(b, "A")
	r.polled(b, 10)
	if _, full := b.counts(); full != 1 {
		t.Errorf("the whole feed was sent %d times", full)
	}
	r.Stop()
	r = run(t, store, settings(b))
	r.polled(b, 3)
	if _, full := b.counts(); full != 1 {
		t.Error("after a restart the whole feed was sent again")
	}
}

func TestFirstRun(t *testing.T) {
	b := newBlog(t)
	for i := range 30 {
		b.add(fmt.Sprint(i), fmt.Sprint(i))
	}
	for latest, want := range map[int][]string{3: {"27", "28", "29"}, 0: nil} {
		store := sourcetest.NewStore()
		s := settings(b)
		s.Latest = latest
		r := run(t, store, s)
		r.shown(b, want...)
		r.Stop()
		b.add(fmt.Sprint("new", latest), "new") // while it was away
		r = run(t, store, s)
		r.shown(b, append(want, "new")...)
		r.Stop()
		b.change(func() { b.items = b.items[1:] })
		// Another address begins anew, without what was seen.
		s.URL += "&moved"
		b.add(fmt.Sprint("newer", latest), "newer")
		if latest == 0 {
			want = append(want, "new")
		} else {
			want = append(want, "new", "newer")
		}
		run(t, store, s).shown(b, want...)
		b.change(func() { b.items = b.items[1:] })
	}
}

func TestFeedsLargerThanTheMemory(t *testing.T) {
	b := newBlog(t)
	b.noTags = true
	dated := func(i int) string {
		when := time.Date(2026, 1, 1, 0, i, 0, 0, time.UTC).Format(time.RFC3339)
		return strings.Replace(entry(fmt.Sprint(i), fmt.Sprint(i)), "</item>", "<pubDate>"+when+"</pubDate></item>", 1)
	}
	for i := range 400 {
		b.items = slices.Insert(b.items, 0, dated(i))
	}
	s := settings(b)
	s.Latest = 2
	r := run(t, sourcetest.NewStore(), s)
	r.shown(b, "398", "399")
	b.change(func() { b.items = slices.Insert(b.items, 0, dated(400)) })
	r.shown(b, "398", "399", "400")
	// Items that come into sight because newer ones went are not new.
	b.change(func() { b.items = append([]string{b.items[0]}, b.items[50:]...) })
	r.shown(b, "398", "399", "400")
}

func TestFields(t *testing.T) {
	b := newBlog(t)
	b.document = `<rss><channel><item><guid>1</guid><title>T</title><link>/x?a=1&amp;b=2</link><author>Ada</author>
		<description>` + strings.Repeat("word ", 200) + `</description><pubDate>Fri, 02 Jan 2026 03:00:00 GMT</pubDate></item></channel></rss>`
	s := settings(b)
	s.Length = 20
	r := run(t, sourcetest.NewStore(), s)
	r.shown(b, "T")
	want := `{"title":"T","text":"word word word word…","url":"` + b.URL + `/x?a=1&b=2","author":"Ada","time":"2026-01-02T03:00:00Z"}`
	if d := r.Store.Drafts()[0]; string(d.Data) != want || !d.Time.Equal(time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)) {
		t.Errorf("%s at %v, want\n%s", d.Data, d.Time, want)
	}
}

func TestWarnings(t *testing.T) {
	b := newBlog(t)
	b.add("a", "A")
	b.change(func() { b.document = "<!DOCTYPE html><html><head></head></html>" })
	r := run(t, sourcetest.NewStore(), settings(b))
	r.AwaitWarning("give the feed's own address")
	b.change(func() { b.document = "<rss><channel><item><title>A</title></item>" })
	r.AwaitWarning("unexpected EOF")
	b.change(func() { b.instead = http.NotFoundHandler() })
	r.AwaitWarning("404 Not Found; check url")
	if w := r.Status(); strings.Contains(w.Warning, "secret") || w.State != sources.Running {
		t.Errorf("%+v", w)
	}
	b.change(func() { b.instead, b.document = nil, "" })
	r.shown(b, "A")
	r.AwaitWarning("")
}

func TestCheck(t *testing.T) {
	b := newBlog(t)
	b.add("a", "A")
	src, err := settings(b).Source(sources.Env{}.Complete())
	if err != nil {
		t.Fatal(err)
	}
	if err := src.(sources.Checker).Check(t.Context()); err != nil {
		t.Error(err)
	}
	b.change(func() { b.document = "<html>" })
	var wrong *sources.SettingError
	if err := src.(sources.Checker).Check(t.Context()); !errors.As(err, &wrong) || wrong.Setting != "url" {
		t.Errorf("Check: %v", err)
	}
}

func TestWrongSettings(t *testing.T) {
	for setting, change := range map[string]func(*feed.Settings){
		"url":     func(s *feed.Settings) { s.URL = "" },
		"headers": func(s *feed.Settings) { s.Headers = map[string]string{"a b": "x"} },
		"every":   func(s *feed.Settings) { s.Every = 0 },
		"latest":  func(s *feed.Settings) { s.Latest = 301 },
		"length":  func(s *feed.Settings) { s.Length = -1 },
	} {
		s := feed.Type.New().(*feed.Settings)
		s.URL = "http://127.0.0.1"
		change(s)
		_, err := s.Source(sources.Env{}.Complete())
		var wrong *sources.SettingError
		if !errors.As(err, &wrong) || wrong.Setting != setting {
			t.Errorf("%s: %v", setting, err)
		}
	}
}
