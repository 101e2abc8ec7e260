package access_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
)

// direct makes a request without a network, from the given address.
func direct(handler http.Handler, from, path string, lines ...string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, newRequest(from, path, lines...))
	return w
}

func newRequest(from, path string, lines ...string) *http.Request {
	r := httptest.NewRequest("POST", path, nil)
	r.Host, r.RemoteAddr = "wall.example.com", from
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := withTokens(t)
		cfg.TokenRate = access.Rate{Events: 2, Per: time.Minute}
		handler := site(access.New(cfg))
		expect := func(what string, want int, from, path string, lines ...string) {
			t.Helper()
			if w := direct(handler, from, path, lines...); w.Code != want {
				t.Errorf("%s: %d %s; want %d", what, w.Code, w.Body, want)
			}
		}
		for range 3 {
			expect("within the rate", 200, "192.0.2.1:5", "/walls/open/events")
		}
		w := direct(handler, "192.0.2.1:6", "/walls/open/events")
		if w.Code != 429 || w.Header().Get("Retry-After") != "1200" {
			t.Errorf("above the rate: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
		expect("another address", 200, "192.0.2.2:5", "/walls/open/events")
		expect("another wall", 200, "192.0.2.1:5", "/walls/listed/events")
		time.Sleep(20 * time.Minute)
		expect("after the wait", 200, "192.0.2.1:5", "/walls/open/events")
		expect("after the wait, again", 429, "192.0.2.1:5", "/walls/open/events")

		for range 3 {
			expect("IPv6", 200, "[2001:db8::1]:5", "/walls/open/events")
		}
		expect("a neighbour in its network", 429, "[2001:db8::2]:5", "/walls/open/events")
		expect("another network", 200, "[2001:db8:0:1::1]:5", "/walls/open/events")
		for range 3 {
			expect("loopback, with a rate configured", 200, "127.0.0.1:5", "/walls/open/events")
		}
		expect("loopback above it", 429, "127.0.0.1:5", "/walls/open/events")

		for range 100 {
			expect("loopback, by default", 200, "[::1]:5", "/walls/listed/events")
		}
		for range 30 {
			expect("the default rate", 200, "192.0.2.9:5", "/walls/listed/events")
		}
		expect("above the default rate", 429, "192.0.2.9:5", "/walls/listed/events")
		for range 30 {
			expect("a listed proxy on loopback is no loopback", 200, "127.0.0.9:5", "/walls/listed/events", "X-Forwarded-For: 192.0.2.10")
		}
		expect("above the rate through a proxy", 429, "127.0.0.9:5", "/walls/listed/events", "X-Forwarded-For: 6.6.6.6, 192.0.2.10")

		sent := "Authorization: Bearer " + publisher
		for range 2 {
			expect("a token", 200, "192.0.2.1:5", "/walls/main/events?kind=push", sent)
		}
		expect("a token elsewhere", 429, "192.0.2.77:5", "/walls/main/events?kind=push", sent)
		expect("a token on loopback", 200, "127.0.0.1:5", "/walls/main/events?kind=push", sent)
	})
}

// What a real connection to a loopback listener can't show.
func TestConnection(t *testing.T) {
	const page = "Origin: http://wall.example.com"
	handler := site(access.New(withoutTokens(t)))
	loopback := access.BaseContext(loopbackListener{})
	try := func(from string, secure bool, lines ...string) int {
		r := newRequest(from, "/walls/main/events", lines...).WithContext(loopback)
		if secure {
			r.TLS = new(tls.ConnectionState)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	if got := try("127.0.0.1:5", false); got != 200 {
		t.Errorf("from this computer: %d", got)
	}
	if got := try("192.0.2.1:5", false); got != 403 {
		t.Errorf("from another computer: %d", got)
	}
	if got := try("127.0.0.1:5", false, page); got != 200 {
		t.Errorf("our page over HTTP: %d", got)
	}
	if got := try("127.0.0.1:5", true, page); got != 403 {
		t.Errorf("a page without TLS to us with TLS: %d", got)
	}
}

// loopbackListener is one by its address alone.
type loopbackListener struct{ net.Listener }

func (loopbackListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv6loopback} }

// Who has not been seen for longest is forgotten, so the memory is bounded.
func TestManyAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := withTokens(t)
		cfg.Walls[1].Rate = access.Rate{Events: 1, Per: 24 * time.Hour}
		g := access.New(cfg)
		handler := site(g)
		post := func(from string) int { return direct(handler, from, "/walls/open/events").Code }
		if post("192.0.2.1:5") != 200 || post("192.0.2.1:5") != 429 {
			t.Fatal("the rate doesn't count")
		}
		for i := range 20_000 {
			post(fmt.Sprintf("198.18.%d.%d:5", i>>8, i&255))
		}
		if got := post("192.0.2.1:5"); got != 200 {
			t.Errorf("remembered beyond the bound: %d", got)
		}
		cfg.Walls[1].Rate = access.Rate{Events: 2, Per: 24 * time.Hour}
		g.Apply(cfg)
		if got := post("192.0.2.1:5"); got != 200 {
			t.Errorf("after a change of the rate: %d", got)
		}
	})
}

func TestApply(t *testing.T) {
	g := access.New(withTokens(t))
	address := serve(t, g, "127.0.0.1:0", false)
	if status, _, _ := ask(t, address, "POST", "/walls/main/events"); status != 401 {
		t.Fatalf("with tokens: %d", status)
	}
	g.Apply(withoutTokens(t))
	if status, _, _ := ask(t, address, "POST", "/walls/main/events"); status != 200 {
		t.Errorf("after Apply: %d", status)
	}
}
