package push_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/push"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/text"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/upstream"
)

var posted = time.Date(2026, 11, 22, 6, 46, 0, 0, time.UTC)

// recorded are the requests that a real Liquidsoap sent.
func recorded(t testing.TB) []sources.Delivery {
	t.Helper()
	data, err := os.ReadFile("testdata/liquidsoap.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []sources.Delivery
	for part := range bytes.SplitSeq(data, []byte("=== t=")) {
		_, request, ok := bytes.Cut(part, []byte("\n"))
		if !ok {
			continue
		}
		// The head ends with an empty line in plain style.
		request = bytes.Replace(request, []byte("\n\n"), []byte("\r\n\r\n"), 1)
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
		if err != nil {
			t.Fatalf("%v in %q", err, request)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatalf("%v in %q", err, request)
		}
		all = append(all, sources.Delivery{Number: uint64(len(all) + 1), Time: posted, Method: r.Method, Header: r.Header, Body: body})
	}
	return all
}

func TestLiquidsoap(t *testing.T) {
	want := []string{
		"1 06:45:10 Normal Artist|Normal Title|The Album",
		"2 06:45:18 宇多田ヒカル|初恋 🎵|Déjà Vu",
		`3 06:45:26 Simon & Garfunkel|Don't; "Stop" & Go|A\B`,
		"4 06:45:34 ||",
		"5 06:45:40 NL|Line1 Line2|",
		"6 06:45:46 First;Second|Duet|",
		"7 06:45:52 Beyoncé|Déjà Vu|", // sent in Latin-1
		"8 06:45:58 Normal Artist|Normal Title|The Album",
		"9 06:46:06 宇多田ヒカル|初恋 🎵|Déjà Vu",
		`10 06:46:14 Simon & Garfunkel|Don't; "Stop" & Go|A\B`,
		"11 06:46:22 ||",
		"12 06:46:28 NL|Line1 Line2|",
		"13 06:46:33 First;Second|Duet|",
		"14 06:46:39 Beyoncé|Déjà Vu|",
		" 00:00:00 Ins Art|Inserted ☕ — title|",
	}
	var got []string
	for _, d := range recorded(t) {
		r, err := push.Config{}.Parse(d)
		if err != nil {
			t.Fatalf("post %d: %v", d.Number, err)
		}
		s := r.Song
		if s.Text != "" || s.Type != "" || r.State != upstream.Playing {
			t.Errorf("post %d is %+v", d.Number, r)
		}
		if leak := fmt.Sprintf("%+v", r); strings.Contains(leak, "/srv") || strings.Contains(leak, ".ogg") {
			t.Errorf("post %d gives away a file's name: %s", d.Number, leak)
		}
		got = append(got, fmt.Sprintf("%s %s %s|%s|%s", s.PlayID, s.StartedAt.Format(time.TimeOnly), s.Artist, s.Title, s.Album))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func ptr(n int) *int { return &n }

func TestPosts(t *testing.T) {
	song := func(artist, title string) upstream.Report {
		return upstream.Report{Song: upstream.Song{Artist: artist, Title: title}}
	}
	started := posted.Add(-2 * time.Second)
	for name, c := range map[string]struct {
		kind, body, query string
		config            push.Config
		want              upstream.Report
	}{
		"JSON": {kind: "application/json", body: `{"artist":"A","title":"T"}`, want: song("A", "T")},
		"JSON object in another": {body: `{"event":"song","metadata":{"Artist":"A","Title":"T"},"station":{"title":"Jazz"}}`,
			want: song("A", "T")},
		"object of pairs within a list": {body: `[{"artist":"A"},{"title":"T"}]`, want: song("A", "T")},
		"all fields": {
			body: `{"artist":"A","title":"T","album":"L","duration":"3:05","started_at":"2026-11-22T06:45:58Z","art":"https://x.example/a.jpg","type":"music",
				"play_id":7,"listeners":12,"live":true,"dj":"Ada","next_artist":"B","next_title":"U"}`,
			want: upstream.Report{
				Song: upstream.Song{Artist: "A", Title: "T", Album: "L", Duration: 185 * time.Second, StartedAt: started,
					Art: "https://x.example/a.jpg", Type: "song", PlayID: "7"},
				Live: true, DJ: "Ada", Listeners: ptr(12), Next: &upstream.Song{Artist: "B", Title: "U"},
			},
		},
		"form":                      {kind: "application/x-www-form-urlencoded", body: "artist=A+%26+B&title=T%c3%a9", want: song("A & B", "Té")},
		"form in Windows-1252":      {kind: "application/x-www-form-urlencoded", body: "artist=Beyonc%E9&title=D%e9j%e0+Vu+%96+%80", want: song("Beyoncé", "Déjà Vu – €")},
		"form in its charset":       {kind: "application/x-www-form-urlencoded; charset=windows-1251", body: "artist=%CC%F3&title=%C4%E0", want: song("Му", "Да")},
		"form in the given charset": {config: push.Config{Charset: charset(t, "windows-1251")}, body: "artist=%CC%F3&title=%C4%E0", want: song("Му", "Да")},
		"form as scripts escape":    {body: "artist=%u5b87%u591a&title=100% of; it", want: song("宇多", "100% of; it")},
		"query":                     {query: "artist=A&title=T&token=s", want: song("A", "T")},
		"query as Icecast's":        {query: "mode=updinfo&mount=/x&song=A%20-%20T", want: upstream.Report{Song: upstream.Song{Text: "A - T"}}},
		"song beside artist":        {query: "artist=A&song=T", want: song("A", "T")},
		"text beside both":          {body: `{"artist":"A","title":"T","text":"A - T"}`, want: song("A", "T")},
		"plain text":                {kind: "text/plain", body: "A - T=1\r\n", want: upstream.Report{Song: upstream.Song{Text: "A - T=1"}}},
		"plain text in Latin-1":     {kind: "text/plain", body: "Beyonc\xe9 - T", want: upstream.Report{Song: upstream.Song{Text: "Beyoncé - T"}}},
		"curl -d":                   {kind: "application/x-www-form-urlencoded", body: "A - T", want: upstream.Report{Song: upstream.Song{Text: "A - T"}}},
		"byte order mark":           {body: "\xEF\xBB\xBF{\"artist\":\"A\",\"title\":\"T\"}", want: song("A", "T")},
		"entities":                  {query: "artist=Simon+%26amp%3B+Garfunkel&title=T", want: song("Simon & Garfunkel", "T")},
		"pairs in two charsets":     {body: "[[\"artist\",\"Beyonc\xe9 \\\"B\\\"\"],[\"title\",\"D\xc3\xa9j\xc3\xa0\"]]", want: song(`Beyoncé "B"`, "Déjà")},
		"milliseconds": {body: `{"title":"T","duration_ms":185000,"timestamp":1795329958000}`,
			want: upstream.Report{Song: upstream.Song{Title: "T", Duration: 185 * time.Second, StartedAt: started}}},
		"local time": {config: push.Config{Zone: time.FixedZone("", 3600)}, body: `{"title":"T","date_played":"2026-11-22 07:45:58"}`,
			want: upstream.Report{Song: upstream.Song{Title: "T", StartedAt: started}}},
		"local time of nowhere": {body: `{"title":"T","date_played":"2026-11-22 07:45:58"}`, want: song("", "T")},
		"the year of an album":  {body: `{"title":"T","timestamp":"1999"}`, want: song("", "T")},
		"jingle":                {body: `{"title":"T","jingle_mode":"true"}`, want: upstream.Report{Song: upstream.Song{Title: "T", Type: "jingle"}}},
		"advertisement":         {body: `{"title":"T","category":"Commercials"}`, want: upstream.Report{Song: upstream.Song{Title: "T", Type: "ad"}}},
		"somebody goes live":    {body: `{"live":"1","dj":"Ada"}`, want: upstream.Report{Live: true, DJ: "Ada"}},
		"stopped":               {body: `{"state":"stopped"}`, want: upstream.Report{State: upstream.Silent}},
		"no address":            {body: `{"title":"T","cover":"C:\\covers\\1.jpg","image":"javascript:alert(1)"}`, want: song("", "T")},
		"multipart": {kind: "multipart/form-data; boundary=x",
			body: "--x\r\nContent-Disposition: form-data; name=\"artist\"\r\n\r\nA\r\n--x\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nT\r\n" +
				"--x\r\nContent-Disposition: form-data; name=\"cover\"; filename=\"a.jpg\"\r\n\r\n\xff\xd8\r\n--x--\r\n", want: song("A", "T")},
		"AzuraCast's web hook": {body: `{"station":{"name":"J"},"listeners":{"current":3},"live":{"is_live":false},"is_online":true,
			"now_playing":{"sh_id":5,"played_at":1795329958,"duration":60,"song":{"text":"A - T","artist":"A","title":"T"}}}`,
			want: upstream.Report{Station: "J", Listeners: ptr(3), Song: upstream.Song{Artist: "A", Title: "T", PlayID: "5", StartedAt: started, Duration: time.Minute}}},
	} {
		d := sources.Delivery{Time: posted, Header: http.Header{"Content-Type": {c.kind}}, Body: []byte(c.body), Query: c.query}
		got, err := c.config.Parse(d)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func charset(t *testing.T, name string) text.Charset {
	t.Helper()
	c, err := text.ParseCharset(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestUnusablePosts(t *testing.T) {
	for body, says := range map[string]string{
		``:                  "send artist and title",
		`{}`:                "send artist and title",
		`{"artist":"A"`:     "no JSON",
		`[1,2]`:             "pairs",
		`[["a","b","c"]]`:   "pairs",
		`{"filename":"/a"}`: "send artist and title",
	} {
		_, err := push.Config{}.Parse(sources.Delivery{Time: posted, Body: []byte(body)})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s gives %v, want %q", body, err, says)
		}
	}
	d := sources.Delivery{Time: posted, Body: []byte("A - T"), Header: http.Header{"Content-Type": {"application/json"}}}
	if r, err := (push.Config{}).Parse(d); err == nil {
		t.Errorf("a text that is declared as JSON gives %+v", r)
	}
}

func TestSecret(t *testing.T) {
	c := push.Config{Secret: "s3cret"}
	for name, request := range map[string]func(*http.Request){
		"bearer":   func(r *http.Request) { r.Header.Set("Authorization", "bearer s3cret") },
		"basic":    func(r *http.Request) { r.SetBasicAuth("radio", "s3cret") },
		"?token=":  func(r *http.Request) { r.URL.RawQuery = "title=T&token=s3cret" },
		"?token=;": func(r *http.Request) { r.URL.RawQuery = "title=a;b&token=s3cret" },
	} {
		r := httptest.NewRequest(http.MethodGet, "/hooks/jazz", nil)
		request(r)
		if v := c.Receive(r, nil); v.Refused != nil {
			t.Errorf("%s: %v", name, v.Refused)
		}
	}
	for name, request := range map[string]func(*http.Request){
		"nothing":         func(*http.Request) {},
		"another bearer":  func(r *http.Request) { r.Header.Set("Authorization", "Bearer s3cre") },
		"an empty bearer": func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") },
		"as basic's user": func(r *http.Request) { r.SetBasicAuth("s3cret", "") },
		"another token":   func(r *http.Request) { r.URL.RawQuery = "token=S3cret" },
	} {
		r := httptest.NewRequest(http.MethodPost, "/hooks/jazz", nil)
		request(r)
		v := c.Receive(r, nil)
		if v.Refused == nil || v.Status != http.StatusUnauthorized {
			t.Errorf("%s: %+v", name, v)
		}
		if strings.Contains(v.Reason+v.Refused.Error(), "s3cret") {
			t.Errorf("%s: the answer gives away the secret", name)
		}
	}
	if v := (push.Config{}).Receive(httptest.NewRequest(http.MethodPost, "/?token=", nil), nil); v.Refused == nil {
		t.Error("without a secret an empty one is right")
	}
	if v := c.Receive(httptest.NewRequest(http.MethodDelete, "/?token=s3cret", nil), nil); v.Status != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: %+v", v)
	}
}

func FuzzParse(f *testing.F) {
	for _, d := range recorded(f) {
		f.Add(d.Header.Get("Content-Type"), d.Body, d.Query)
	}
	f.Add("multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nA\r\n--x--"), "title=%u12&a=%")
	f.Add("", []byte(`{"now_playing":{"song":{}},"duration":"1:2:3","timestamp":1e400}`), "")
	f.Fuzz(func(t *testing.T, kind string, body []byte, query string) {
		r, err := push.Config{}.Parse(sources.Delivery{Time: posted, Header: http.Header{"Content-Type": {kind}}, Body: body, Query: query})
		if err != nil {
			return
		}
		for _, s := range []string{r.Song.Text, r.Song.Artist, r.Song.Title, r.Song.Album, r.Song.PlayID, r.DJ} {
			if !utf8.ValidString(s) || strings.ContainsAny(s, "\x00\r\n") {
				t.Errorf("%q is no title", s)
			}
		}
		if r.Song.Duration < 0 || r.Song.Duration > 7*24*time.Hour {
			t.Errorf("a duration of %v", r.Song.Duration)
		}
		if _, err := json.Marshal(r.Song.StartedAt); err != nil {
			t.Error(err)
		}
	})
}
