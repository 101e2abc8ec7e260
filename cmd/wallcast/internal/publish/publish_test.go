package publish_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/publish"
	"github.com/wallcast/wallcast/stream"
	"github.com/wallcast/wallcast/stream/embed"
	"github.com/wallcast/wallcast/stream/jetstream"
)

const limit = 1000

// site is walls main and news behind real HTTP, on a real store.
type site struct {
	*httptest.Server
	store *jetstream.Store
	nc    *nats.Conn
	nats  *embed.Server
}

func open(t *testing.T, tokens ...access.Token) *site {
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
	wall := jetstream.Wall{Events: 10000, Age: time.Hour, Bytes: 16 << 20, History: 10, Payload: limit}
	main, news := wall, wall
	main.Name, news.Name = "main", "news"
	store, err := jetstream.Open(t.Context(), nc, jetstream.Config{Walls: []jetstream.Wall{main, news}, Identity: server.Identity()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	guard := access.New(access.Config{Tokens: tokens, Walls: []access.Wall{{Name: "main"}, {Name: "news"}}})
	return &site{serve(t, guard, store), store, nc, server}
}

// serve is the routes behind the guard, as the program has them.
func serve(t *testing.T, guard *access.Guard, store stream.Publisher) *httptest.Server {
	s := httptest.NewUnstartedServer(guard.Handler(routes(guard, store)))
	s.Config.BaseContext = access.BaseContext
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func routes(guard *access.Guard, store stream.Publisher) http.Handler {
	h := &publish.Handler{
		Publisher: store, May: guard.MayPublish, Log: slog.New(slog.DiscardHandler),
		Scope: func(r *http.Request) string { return access.CallerOf(r).Scope() },
		Holds: func(*http.Request, stream.Subject) bool { return false },
		Limit: func(wall string) (int, bool) { return limit, wall == "main" || wall == "news" },
	}
	mux := http.NewServeMux()
	for _, pattern := range []string{"", "/{kind}", "/{kind}/{key}"} {
		mux.Handle("POST /walls/{wall}/events"+pattern, guard.Wall(h))
	}
	return mux
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	id     stream.ID // of a 201
	detail string    // of a problem
}

// post sends a body. Headers are "Name: value"; an address that is no path is
// one on wall main.
func (s *site) post(t *testing.T, address, body string, headers ...string) answer {
	t.Helper()
	if !strings.HasPrefix(address, "/") {
		address = strings.TrimSuffix("/walls/main/events/"+address, "/")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Set(name, value)
	}
	client := *s.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

func read(t *testing.T, resp *http.Response) answer {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header}
	var fields struct {
		ID, Type, Title, Detail string
		Status                  int
	}
	switch kind := resp.Header.Get("Content-Type"); kind {
	case "application/json":
		if err := json.Unmarshal(body, &fields); err != nil || a.status != http.StatusCreated {
			t.Fatalf("%d with %s: %v", a.status, body, err)
		}
		if a.id, err = stream.ParseID(fields.ID); err != nil {
			t.Fatal(err)
		}
	case "application/problem+json":
		if err := json.Unmarshal(body, &fields); err != nil || fields.Status != a.status || fields.Title == "" || fields.Type == "" {
			t.Fatalf("%d with the problem %s: %v", a.status, body, err)
		}
		a.detail = fields.Detail
	default:
		if a.status != http.StatusSeeOther {
			t.Fatalf("%d with the type %q: %s", a.status, kind, body)
		}
	}
	return a
}

// stored posts a body, wants it to be accepted, and returns what is stored.
func (s *site) stored(t *testing.T, address, body string, headers ...string) (stream.Event, nats.Header) {
	t.Helper()
	a := s.post(t, address, body, headers...)
	if a.status != http.StatusCreated {
		t.Fatalf("posting %.60q: %d %s", body, a.status, a.detail)
	}
	e := s.event(t, a.id)
	js, err := s.nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := js.GetMsg("WALL_"+e.Subject.Wall, a.id.Seq)
	if err != nil {
		t.Fatal(err)
	}
	return e, raw.Header
}

func (s *site) event(t *testing.T, id stream.ID) stream.Event {
	t.Helper()
	for e, err := range s.store.Range(t.Context(), "main", id.Seq-1, id.Seq) {
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	t.Fatalf("the store does not hold %s", id)
	return stream.Event{}
}

func (s *site) last(t *testing.T, wall string) uint64 {
	t.Helper()
	state, err := s.store.State(t.Context(), wall)
	if err != nil {
		t.Fatal(err)
	}
	return state.Last
}

const (
	asJSON = "Content-Type: application/json"
	asForm = "Content-Type: application/x-www-form-urlencoded" // also what curl -d declares
	asText = "Content-Type: text/plain;charset=UTF-8"
)

func TestPayloadIsKeptByteForByte(t *testing.T) {
	s := open(t)
	objects := []string{
		`{"text":"hello"}`,
		" \r\n\t{ \"text\" :\t\"odd\" ,\n \"n\": 1.50e+02 }\n\n",
		`{"text":"a","text":"b","TEXT":"c"}`,
		`{"text":"Gr\u00fc\u00dfe, Grüße, \ud83d\ude00 😀","zero":"\u0000"}`,
		`{}`,
		`{"big":123456789012345678901234567890,"html":"<b>&amp;</b>"}`,
		`{"deep":[[[[{"a":[null,true]}]]]]}`,
		`{"a":"x=1&text=2"}`,
	}
	texts := []string{
		"hello", "a&b", "a=b", "100%", "1+1", "a%20b+c&d=%zz", "one\ntwo\r\nthree\n", "  padded  ", "[1,2]", `"quoted"`, "null",
		"{not json", `{"half": `, "Grüße 😀", "\x00\x01", "\uFEFFwith a mark", "data: forged\n\nevent: x", "=", "&", "& & &", "a=1&b=2", "<b>bold</b>",
	}
	check := func(body string, headers ...string) {
		t.Helper()
		if e, _ := s.stored(t, "", body, headers...); string(e.Data) != body {
			t.Errorf("%q with %q became %q", body, headers, e.Data)
		}
	}
	for _, body := range objects {
		check(body, asJSON)
		check(body, "Content-Type: application/vnd.example+json; charset=\"UTF-8\"")
		check(body, asText)
		check(body, asForm)
		check(body)
	}
	for _, body := range texts {
		check(body, asText)
		check(body, asForm)
		check(body)
		check(body, "Content-Type: text/html; charset=utf8")
	}
	// A text that holds what could be fields is no form.
	for _, body := range []string{
		"See https://share.example/?u=1&url=https://a.example&text=hi", "Q & A: text=5&title=6", "a: b&text=c", "x\ntext=5", "text =5",
	} {
		check(body, asForm)
	}
}

func TestForms(t *testing.T) {
	s := open(t)
	for body, want := range map[string]string{
		"text=hello":                                 `{"text":"hello"}`,
		"text=hello+world%21&author=Ana":             `{"author":"Ana","text":"hello world!"}`,
		"text=Gr%C3%BC%C3%9Fe&empty=&x=y":            `{"text":"Grüße","x":"y"}`,
		"text=first&text=second":                     `{"text":"first"}`,
		"text=a=b&":                                  `{"text":"a=b"}`,
		"text=100%; really":                          `{"text":"100%; really"}`,
		"text=one\ntwo":                              `{"text":"one\ntwo"}`,
		"title=%3Cb%3E&url=https%3A%2F%2Fa.example":  `{"title":"<b>","url":"https://a.example"}`,
		"Your+name=Ana&te%78t=hi&tags%5B%5D=x&o[]=y": `{"Your name":"Ana","o[]":"y","tags[]":"x","text":"hi"}`,
		"text=%zz%4":                                 `{"text":"%zz%4"}`,
	} {
		if e, _ := s.stored(t, "friend", body, asForm); string(e.Data) != want || e.Subject.String() != "wall.main.friend" {
			t.Errorf("%s became %s on %s, want %s", body, e.Data, e.Subject, want)
		}
	}
	for body, want := range map[string]string{
		multipart("text", "hello", "author", "Ana", "note", ""): `{"author":"Ana","text":"hello"}`,
		multipart("text", "one", "text", "two\r\nlines"):        `{"text":"one"}`,
		multipart(`image"; filename="`, "", "text", "no file"):  `{"text":"no file"}`,
	} {
		if e, _ := s.stored(t, "", body, asMultipart); string(e.Data) != want {
			t.Errorf("%s became %s, want %s", body, e.Data, want)
		}
	}
}

const asMultipart = "Content-Type: multipart/form-data; boundary=frontier"

// multipart is a form of names and values.
func multipart(fields ...string) string {
	var b strings.Builder
	for i := 0; i < len(fields); i += 2 {
		fmt.Fprintf(&b, "--frontier\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", fields[i], fields[i+1])
	}
	return b.String() + "--frontier--\r\n"
}

func TestBrowserFormReturnsToTheWall(t *testing.T) {
	s := open(t)
	for _, header := range []string{"Accept: text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Mode: navigate"} {
		a := s.post(t, "", "text=hello", asForm, header)
		if a.status != http.StatusSeeOther || a.header.Get("Location") != "/walls/main" {
			t.Errorf("%s: %d to %q", header, a.status, a.header.Get("Location"))
		}
	}
	if n := s.last(t, "main"); n != 2 {
		t.Errorf("%d events are stored", n)
	}
	if a := s.post(t, "", "text=", asForm, "Accept: text/html"); a.status != http.StatusBadRequest {
		t.Errorf("an empty form: %d", a.status)
	}
}

func TestCreated(t *testing.T) {
	s := open(t)
	a := s.post(t, "song/jazz", `{"title":"So What"}`, asJSON)
	if a.status != http.StatusCreated || a.header.Get("Location") != "/walls/main/events/"+a.id.String() || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%+v", a)
	}
	if e := s.event(t, a.id); e.Subject.String() != "wall.main.song.jazz" {
		t.Errorf("stored on %s", e.Subject)
	}
	if e, _ := s.stored(t, "", "hello"); e.Subject.String() != "wall.main.message" {
		t.Errorf("stored on %s", e.Subject)
	}
}

func TestTooLargeIsNeverReadWhole(t *testing.T) {
	s := open(t)
	if _, h := s.stored(t, "", strings.Repeat("x", limit)); h == nil {
		t.Error("the limit itself is refused")
	}
	for _, header := range []string{asText, asForm} {
		if a := s.post(t, "", strings.Repeat("x", limit+1), header); a.status != http.StatusRequestEntityTooLarge {
			t.Errorf("a byte too many: %d", a.status)
		}
	}
	if e, _ := s.stored(t, "", "text="+strings.Repeat("%41", limit-len(`{"text":""}`)), asForm); len(e.Data) != limit {
		t.Errorf("a form as large as allowed became %d bytes", len(e.Data))
	}
	// Without a Content-Length there is no telling; reading ends all the same.
	sent := &endless{}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/walls/main/events", sent)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if a := read(t, resp); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("an endless body: %d", a.status)
	}
	// What the handler leaves, the server and the kernel's buffers still take.
	if n := sent.sent(); n > 16<<20 {
		t.Errorf("%d bytes of an endless body were taken", n)
	}
}

// endless is a body without end.
type endless struct {
	mu sync.Mutex
	n  int
}

func (e *endless) Read(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.n += len(b)
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func (e *endless) sent() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.n
}

// What breaks off is not taken for the whole.
func TestHalfABody(t *testing.T) {
	s := open(t)
	for _, body := range []string{"Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"} {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprintf(c, "POST /walls/main/events HTTP/1.1\r\nHost: localhost\r\n%s", body)
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: %v %v", body, resp, err)
		}
	}
	if n := s.last(t, "main"); n != 0 {
		t.Errorf("%d events are stored", n)
	}
}

// A client that waits for "100 Continue" is told before it sends in vain.
func TestExpectContinue(t *testing.T) {
	s := open(t)
	ask := func(length int, address string) (*bufio.Reader, net.Conn) {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", address, length)
		return bufio.NewReader(c), c
	}
	for address, want := range map[string]int{"/walls/main/events": 413, "/walls/none/events": 404, "/walls/main/events/open": 400} {
		r, _ := ask(1<<30, address)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != want {
			t.Errorf("%s: %v %v", address, resp, err)
		}
	}
	r, c := ask(5, "/walls/main/events")
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != http.StatusContinue {
		t.Fatalf("%v %v", resp, err)
	}
	io.WriteString(c, "hello")
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != http.StatusCreated {
		t.Errorf("%v %v", resp, err)
	}
}
