package outbound

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func open(t *testing.T, c Config) *Pool {
	t.Helper()
	c.Version = "1.2.3"
	if c.Proxy == nil {
		c.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	}
	p := New(c)
	t.Cleanup(p.Close)
	return p
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, c *http.Client, address string, headers ...string) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := c.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

func TestUserAgent(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.UserAgent()) })
	n := open(t, Config{}).Network()
	for name, c := range map[string]*http.Client{"Client": n.Client, "Streams": n.Streams} {
		if got, err := get(t, c, s.URL); err != nil || got != "Wallcast/1.2.3 (+https://github.com/wallcast/wallcast)" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if got, err := get(t, c, s.URL, "User-Agent", "of the source"); err != nil || got != "of the source" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestBodiesAreBounded(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var out io.Writer = w
		if r.URL.Path == "/bomb" {
			w.Header().Set("Content-Encoding", "gzip")
			zipped := gzip.NewWriter(w)
			defer zipped.Close()
			out = zipped
		}
		size := MaxBody
		if r.URL.Path != "/full" {
			size++
		}
		piece := make([]byte, 64<<10)
		for size > 0 {
			n, err := out.Write(piece[:min(size, len(piece))])
			if err != nil {
				return
			}
			size -= n
		}
	})
	n := open(t, Config{}).Network()
	if got, err := get(t, n.Client, s.URL+"/full"); err != nil || len(got) != MaxBody {
		t.Errorf("the largest body that is read: %d bytes, %v", len(got), err)
	}
	for _, path := range []string{"/large", "/bomb"} {
		got, err := get(t, n.Client, s.URL+path)
		var large *TooLargeError
		if !errors.As(err, &large) || len(got) != MaxBody || !strings.Contains(err.Error(), "larger than 8 MiB") {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
	if got, err := get(t, n.Streams, s.URL+"/large"); err != nil || len(got) != MaxBody+1 {
		t.Errorf("a stream: %d bytes, %v", len(got), err)
	}
}

func TestTimeLimits(t *testing.T) {
	ended := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/begun" {
			_ = http.NewResponseController(w).Flush()
			fmt.Fprint(w, "first")
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-ended:
			fmt.Fprint(w, "last")
		case <-r.Context().Done():
		}
	})
	t.Cleanup(s.Close)
	n := open(t, Config{lifetime: 200 * time.Millisecond}).Network()
	for _, path := range []string{"/begun", "/never"} {
		var timeout net.Error
		if _, err := get(t, n.Client, s.URL+path); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("Client %s: %v", path, err)
		}
	}
	if _, err := get(t, n.Streams, s.URL+"/never"); err == nil {
		t.Error("a stream that never begins")
	}
	// A stream that has begun goes on for as long as it likes.
	time.AfterFunc(600*time.Millisecond, func() { close(ended) })
	if got, err := get(t, n.Streams, s.URL+"/begun"); err != nil || got != "firstlast" {
		t.Errorf("Streams: %q, %v", got, err)
	}
}

func TestRedirectsAreLimited(t *testing.T) {
	var asked atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		var left int
		fmt.Sscanf(r.URL.Path, "/%d", &left)
		if left > 0 {
			http.Redirect(w, r, fmt.Sprintf("/%d", left-1), http.StatusFound)
			return
		}
		fmt.Fprint(w, "there")
	})
	n := open(t, Config{}).Network()
	if got, err := get(t, n.Client, s.URL+"/5"); err != nil || got != "there" {
		t.Errorf("five redirects: %q, %v", got, err)
	}
	asked.Store(0)
	if _, err := get(t, n.Client, s.URL+"/6"); err == nil || asked.Load() != 6 {
		t.Errorf("six redirects: %v, %d requests", err, asked.Load())
	}
}

func TestNoRedirectFromHTTPSToHTTP(t *testing.T) {
	plain := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "plain") })
	to := plain.URL
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }))
	t.Cleanup(secure.Close)
	p := open(t, Config{})
	p.transports[0].TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig
	if _, err := get(t, p.Network().Client, secure.URL); !errors.Is(err, errDowngrade) {
		t.Errorf("from https to http: %v", err)
	}
	to = "file:///etc/hostname"
	if _, err := get(t, p.Network().Client, secure.URL); err == nil || !strings.Contains(err.Error(), "only http and https") {
		t.Errorf("to a file: %v", err)
	}
}

func TestCredentialsStayWithTheirServer(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		for _, name := range []string{"Authorization", "Cookie", "X-Api-Key", "Referer", "If-None-Match"} {
			fmt.Fprintf(w, "%s=%s ", name, r.Header.Get(name))
		}
	}
	one, other := serve(t, echo), serve(t, echo)
	secrets := []string{"Authorization", "Bearer s", "Cookie", "s", "X-Api-Key", "s", "If-None-Match", "tag"}
	const all = "Authorization=Bearer s Cookie=s X-Api-Key=s Referer= If-None-Match=tag "
	const none = "Authorization= Cookie= X-Api-Key= Referer= If-None-Match=tag "
	back := other.URL + "?to=" + url.QueryEscape(one.URL)
	for to, want := range map[string]string{one.URL: all, other.URL: none, back: none} {
		got, err := get(t, open(t, Config{}).Network().Client, one.URL+"?secret=1&to="+url.QueryEscape(to), secrets...)
		if err != nil || got != want {
			t.Errorf("led to %s: %q, %v\nwant %q", to, got, err, want)
		}
	}
}

func TestAPasswordInTheAddressStaysWithItsServer(t *testing.T) {
	other := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("Authorization")) })
	var got string
	one := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		http.Redirect(w, r, other.URL, http.StatusFound)
	})
	told, err := get(t, open(t, Config{}).Network().Client, strings.Replace(one.URL, "//", "//ada:secret@", 1))
	if err != nil || got == "" || told != "" {
		t.Errorf("the first was told %q, the other %q, %v", got, told, err)
	}
}

func TestSameServer(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"http://a.example/x", "http://a.example/y", true},
		{"http://a.example", "http://A.EXAMPLE:80", true},
		{"http://a.example", "https://a.example", true},
		{"https://a.example", "https://b.a.example", false},
		{"https://a.example", "https://a.example:8443", false},
		{"http://a.example:8080", "https://a.example", false},
		{"http://a.example", "https://a.example:8443", false},
	} {
		a, _ := url.Parse(c.a)
		b, _ := url.Parse(c.b)
		if sameServer(a, b) != c.same {
			t.Errorf("%s and %s: same=%t", c.a, c.b, !c.same)
		}
	}
}

func TestProxies(t *testing.T) {
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "proxied ", r.URL) })
	through, _ := url.Parse(proxy.URL)
	n := open(t, Config{Proxy: func(*http.Request) (*url.URL, error) { return through, nil }}).Network()
	for name, c := range map[string]*http.Client{"Client": n.Client, "Streams": n.Streams} {
		if got, err := get(t, c, "http://radio.example/now"); err != nil || got != "proxied http://radio.example/now" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := get(t, n.Public, "http://radio.example/now"); !errors.Is(err, errProxied) {
		t.Errorf("Public: %v", err)
	}
}

func TestDial(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := open(t, Config{}).Network().Dial(context.Background(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
