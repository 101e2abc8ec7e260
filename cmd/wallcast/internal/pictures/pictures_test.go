package pictures_test

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/outbound"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/pictures"
	"github.com/wallcast/wallcast/stream/embed"
	"github.com/wallcast/wallcast/stream/jetstream"
)

// gallery opens a gallery on a real store and serves it.
func gallery(t *testing.T, client *http.Client) (*pictures.Gallery, *httptest.Server) {
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
	wall := jetstream.Wall{Name: "main", Events: 10, Age: time.Hour, Bytes: 1 << 20, History: 10, Payload: 1 << 10}
	store, err := jetstream.Open(t.Context(), nc, jetstream.Config{Walls: []jetstream.Wall{wall}, Identity: server.Identity()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	g := pictures.New()
	g.Open(store, client, []byte("key"), slog.New(slog.DiscardHandler))
	mux := http.NewServeMux()
	mux.Handle("GET "+pictures.Path+"{name}", g)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return g, s
}

func picture(t *testing.T, encode func(io.Writer, image.Image) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func get(t *testing.T, address string) (*http.Response, []byte) {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

func TestPut(t *testing.T) {
	g, s := gallery(t, nil)
	cover := picture(t, png.Encode)
	address, err := g.Put(t.Context(), cover, "text/html")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := g.Put(t.Context(), cover, ""); err != nil || again != address {
		t.Errorf("the same picture has the address %q and then %q, %v", address, again, err)
	}
	resp, body := get(t, s.URL+address)
	if resp.StatusCode != http.StatusOK || !bytes.Equal(body, cover) || resp.Header.Get("Content-Type") != "image/png" {
		t.Errorf("GET %s: %s %q, %d bytes", address, resp.Status, resp.Header.Get("Content-Type"), len(body))
	}
	for name, bad := range map[string][]byte{
		"script": []byte("<script>alert(1)</script>"), "svg": []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`),
		"nothing": nil, "large": append(bytes.Clone(cover), make([]byte, pictures.Limit)...),
	} {
		if address, err := g.Put(t.Context(), bad, "image/png"); err == nil {
			t.Errorf("%s was kept as %s", name, address)
		}
	}
	for _, missing := range []string{"x", "%3E", "*", "..", strings.Repeat("a", 5000)} {
		if resp, _ := get(t, s.URL+pictures.Path+missing); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%.20s: %s", missing, resp.Status)
		}
	}
}

func TestRemoteIsFetchedOnceForAll(t *testing.T) {
	var asked atomic.Int32
	cover := picture(t, func(w io.Writer, i image.Image) error { return jpeg.Encode(w, i, nil) })
	release := make(chan struct{})
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		<-release
		w.Header().Set("Content-Type", "text/html")
		w.Write(cover)
	}))
	defer elsewhere.Close()
	g, s := gallery(t, elsewhere.Client())
	address := g.Remote(elsewhere.URL + "/cover?size=big&x=1")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			resp, err := http.Get(s.URL + address)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if body, _ := io.ReadAll(resp.Body); !bytes.Equal(body, cover) || resp.Header.Get("Content-Type") != "image/jpeg" {
				t.Errorf("%s %s, %d bytes", resp.Status, resp.Header.Get("Content-Type"), len(body))
			}
		})
	}
	close(release)
	all.Wait()
	get(t, s.URL+address)
	if n := asked.Load(); n != 1 {
		t.Errorf("the picture was fetched %d times", n)
	}
}

func TestOnlyWhatAnEventNamedIsFetched(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was asked for", r.URL)
	}))
	defer elsewhere.Close()
	g, s := gallery(t, elsewhere.Client())
	good, err := url.Parse(g.Remote(elsewhere.URL + "/a.png"))
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []url.Values{
		{}, {"url": {elsewhere.URL}}, {"url": {elsewhere.URL + "/b.png"}, "mac": good.Query()["mac"]},
		{"url": good.Query()["url"], "mac": {"x"}},
	} {
		if resp, _ := get(t, s.URL+good.Path+"?"+query.Encode()); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%v: %s", query, resp.Status)
		}
	}
	for _, bad := range []string{"", "/a.png", "file:///etc/passwd", "javascript:alert(1)", "http://", "https://user:word@host/x", "::"} {
		if address := g.Remote(bad); address != "" {
			t.Errorf("Remote(%q) = %s", bad, address)
		}
	}
}

func TestWhatIsNoPicture(t *testing.T) {
	var asked atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch r.URL.Path {
		case "/script":
			w.Header().Set("Content-Type", "image/png")
			io.WriteString(w, "<script>alert(1)</script>")
		case "/large":
			w.Write(append(picture(t, png.Encode), make([]byte, pictures.Limit)...))
		default:
			http.NotFound(w, r)
		}
	}))
	defer elsewhere.Close()
	g, s := gallery(t, elsewhere.Client())
	for _, path := range []string{"/script", "/large", "/none"} {
		address := s.URL + g.Remote(elsewhere.URL+path)
		for range 3 {
			if resp, body := get(t, address); resp.StatusCode != http.StatusBadGateway || bytes.Contains(body, []byte("script")) {
				t.Errorf("%s: %s %.100s", path, resp.Status, body)
			}
		}
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("three pictures that can't be had were asked for %d times", n)
	}
}

func TestNoPrivateAddressIsAsked(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was asked for", r.URL)
	}))
	defer elsewhere.Close()
	pool := outbound.New(outbound.Config{Version: "test"})
	defer pool.Close()
	g, s := gallery(t, pool.Network().Public)
	if resp, _ := get(t, s.URL+g.Remote(elsewhere.URL)); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("a loopback address: %s", resp.Status)
	}
}

func TestAGalleryThatIsNotOpen(t *testing.T) {
	g := pictures.New()
	if _, err := g.Put(context.Background(), picture(t, png.Encode), ""); err == nil {
		t.Error("it kept a picture")
	}
	if address := g.Remote("https://example.com/a.png"); address != "" {
		t.Errorf("it gave the address %s", address)
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/pictures/x", nil))
	if w.Code == http.StatusOK {
		t.Error("it served a picture")
	}
}
