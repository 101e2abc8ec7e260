package access_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/stream"
)

var grantKey = []byte("0123456789abcdef")

// The secrets of the test's tokens.
const (
	publisher = "wc_publisher"
	reader    = "wc_reader"
	admin     = "wc_admin"
)

func origin(t testing.TB, s string) access.Origin {
	t.Helper()
	o, err := access.ParseOrigin(s)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func token(t testing.TB, name, secret string, rights ...string) access.Token {
	t.Helper()
	token := access.Token{Name: name, Hash: access.HashSecret(secret)}
	for _, s := range rights {
		right, err := access.ParseRight(s)
		if err != nil {
			t.Fatal(err)
		}
		token.Allow = append(token.Allow, right)
	}
	return token
}

// withTokens is a configuration with tokens; walls "main", "open" (anyone may
// post), "shy" (private) and "listed" (anyone, with a list of sites).
func withTokens(t testing.TB) access.Config {
	return access.Config{
		URL:      origin(t, "https://wall.example.com"),
		GrantKey: grantKey,
		Proxies:  []netip.Prefix{netip.MustParsePrefix("127.0.0.9/32"), netip.MustParsePrefix("10.0.0.0/8")},
		Tokens: []access.Token{
			token(t, "ci", publisher, "publish wall.main.push", "publish wall.listed.*.k"),
			token(t, "kiosk", reader, "read shy"),
			token(t, "boss", admin, "admin"),
		},
		Walls: []access.Wall{
			{Name: "main"},
			{Name: "open", Anyone: true, Rate: access.Rate{Events: 3, Per: time.Hour}},
			{Name: "shy", Private: true},
			{Name: "listed", Anyone: true, Origins: []access.Origin{origin(t, "https://a.example"), origin(t, "https://*.b.example")}},
		},
	}
}

// withoutTokens is what the demo runs with.
func withoutTokens(t testing.TB) access.Config {
	cfg := withTokens(t)
	cfg.Tokens = nil
	return cfg
}

// site is a program's routes behind a guard.
func site(g *access.Guard) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, problem *access.Problem) {
		if problem != nil {
			problem.Write(w)
			return
		}
		w.WriteHeader(http.StatusOK)
	}
	mux.Handle("/walls/{wall}/events", g.Wall(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			kind, key, _ := strings.Cut(r.URL.Query().Get("kind"), ".")
			subject, err := stream.NewSubject(r.PathValue("wall"), kind, key)
			if err != nil {
				panic(err)
			}
			answer(w, g.MayPublish(r, subject))
			return
		}
		w.Header().Set("Frame", g.FrameAncestors(r.PathValue("wall")))
	})))
	mux.Handle("DELETE /walls/{wall}/events/{id}", g.Wall(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, g.MayRetract(r, r.PathValue("wall")))
	})))
	mux.HandleFunc("/admin", func(w http.ResponseWriter, r *http.Request) { answer(w, g.MayAdmin(r)) })
	mux.HandleFunc("/caller", func(w http.ResponseWriter, r *http.Request) {
		c := access.CallerOf(r)
		w.Header().Set("Scope", c.Scope())
		w.Header().Set("Limit", c.LimitKey())
	})
	return g.Handler(mux)
}

// wide makes a listener look as if it listened on every interface.
type wide struct{ net.Listener }

func (wide) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv6unspecified, Port: 8080} }

// serve runs a program on address. With public its listener counts as one on
// every interface, though it is loopback as all in these tests.
func serve(t *testing.T, g *access.Guard, address string, public bool) string {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("no %s here: %v", address, err)
	}
	server := httptest.NewUnstartedServer(site(g))
	server.Listener.Close()
	server.Listener = l
	server.Config.BaseContext = func(l net.Listener) context.Context {
		if public {
			l = wide{l}
		}
		return access.BaseContext(l)
	}
	server.Start()
	t.Cleanup(server.Close)
	return l.Addr().String()
}

// ask makes one request and returns the status, the failed check and the header.
// Header lines are "Name: value"; Host is one of them.
func ask(t *testing.T, address, method, path string, lines ...string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode < 400 {
		return response.StatusCode, "", response.Header
	}
	var problem struct {
		Type, Title, Detail, Check string
		Status                     int
	}
	if err := json.NewDecoder(response.Body).Decode(&problem); err != nil {
		return response.StatusCode, "", response.Header // net/http's own answer
	}
	if response.Header.Get("Content-Type") != "application/problem+json" || problem.Status != response.StatusCode ||
		problem.Title == "" || !strings.Contains(strings.ToLower(problem.Detail), problem.Check+" check: ") {
		t.Errorf("%s %s: %+v", method, path, problem)
	}
	return response.StatusCode, problem.Check, response.Header
}

type request struct {
	name   string
	method string // GET if empty
	path   string
	lines  []string
	status int
	check  string
}

func run(t *testing.T, address string, requests []request) {
	t.Helper()
	for _, r := range requests {
		t.Run(r.name, func(t *testing.T) {
			if r.method == "" {
				r.method = http.MethodGet
			}
			status, check, _ := ask(t, address, r.method, r.path, r.lines...)
			if status != r.status || check != r.check {
				t.Errorf("%s %s %q = %d %q; want %d %q", r.method, r.path, r.lines, status, check, r.status, r.check)
			}
		})
	}
}

func TestHostCheck(t *testing.T) {
	hosts := []struct {
		host             string
		loopback, public int // status
	}{
		{"localhost", 200, 200},
		{"localhost:8080", 200, 200},
		{"LOCALHOST.:1", 200, 200},
		{"127.0.0.1:8080", 200, 200},
		{"127.9.9.9", 200, 200},
		{"[::1]:8080", 200, 200},
		{"[::1]", 200, 200},
		{"[::ffff:127.0.0.1]", 200, 200},
		{"wall.example.com", 200, 200},
		{"Wall.Example.com.:443", 200, 200},
		{"evil.example", 403, 403},
		{"evil.example:8080", 403, 403},
		{"localhost.evil.example", 403, 403},
		{"127.0.0.1.evil.example", 403, 403},
		{"wall.example.com.evil.example", 403, 403},
		{"evilwall.example.com", 403, 403},
		{"0.0.0.0:8080", 403, 200},
		{"192.168.1.5:8080", 403, 200},
		{"[2001:db8::5]", 403, 200},
		{"raspberrypi", 403, 200},
		{"raspberrypi.local:8080", 403, 200},
		{"wallcast.default.svc.cluster.local", 403, 200},
		{"wall.internal", 403, 200},
		{"wall.home.arpa", 403, 200},
		{"local", 403, 200},
		{"evil-local.example", 403, 403},
		{"a_b.example", 403, 403},
		{"[evil.example]", 403, 403},
	}
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		g := access.New(withTokens(t))
		loopback, public := serve(t, g, address, false), serve(t, g, address, true)
		for _, test := range hosts {
			for _, method := range []string{"GET", "POST", "OPTIONS"} {
				for at, want := range map[string]int{loopback: test.loopback, public: test.public} {
					status, check, _ := ask(t, at, method, "/caller", "Host: "+test.host)
					if status != want || (status == 403) != (check == "host") {
						t.Errorf("%s %s at %s = %d %q; want %d", method, test.host, at, status, check, want)
					}
				}
			}
		}
	}
	// Without a url every name of public DNS is a stranger's.
	cfg := withTokens(t)
	cfg.URL = access.Origin{}
	g := access.New(cfg)
	if status, _, _ := ask(t, serve(t, g, "127.0.0.1:0", true), "GET", "/caller", "Host: wall.example.com"); status != 403 {
		t.Errorf("a public name without url: %d", status)
	}
}

// An empty Host is what HTTP/1.0 may send.
func TestEmptyHost(t *testing.T) {
	address := serve(t, access.New(withTokens(t)), "127.0.0.1:0", true)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET /caller HTTP/1.0\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 12)
	if _, err := conn.Read(answer); err != nil || string(answer) != "HTTP/1.0 403" {
		t.Errorf("answer %q, %v", answer, err)
	}
}

func TestWithoutTokens(t *testing.T) {
	const events = "/walls/main/events"
	g := access.New(withoutTokens(t))
	v4 := serve(t, g, "127.0.0.1:0", false)
	local := func(name string, status int, check string, lines ...string) request {
		return request{name, "POST", events, lines, status, check}
	}
	requests := []request{
		local("curl", 200, ""),
		local("under localhost", 200, "", "Host: localhost:8080"),
		local("under the url's host", 200, "", "Host: wall.example.com"),
		local("under another host", 403, "host", "Host: evil.example"),
		local("our own page", 200, "", "Host: localhost:8080", "Origin: http://localhost:8080", "Sec-Fetch-Site: same-origin"),
		local("our own page behind TLS", 200, "", "Host: wall.example.com", "Origin: https://wall.example.com"),
		local("a typed address", 200, "", "Sec-Fetch-Site: none"),
		local("another site", 403, "origin", "Origin: https://evil.example"),
		local("another port", 403, "origin", "Host: localhost:8080", "Origin: http://localhost:3000", "Sec-Fetch-Site: same-site"),
		local("another loopback name", 403, "origin", "Host: localhost:8080", "Origin: http://127.0.0.1:8080"),
		local("no origin to name", 403, "origin", "Origin: null"),
		local("null, same origin", 403, "origin", "Origin: null", "Sec-Fetch-Site: same-origin"),
		local("cross-site without Origin", 403, "origin", "Sec-Fetch-Site: cross-site"),
		local("same-site without Origin", 403, "origin", "Sec-Fetch-Site: same-site"),
		local("lying about the site", 403, "origin", "Origin: https://evil.example", "Sec-Fetch-Site: same-origin"),
		local("our own origin, but cross-site", 403, "origin", "Host: localhost:8080", "Origin: http://localhost:8080", "Sec-Fetch-Site: cross-site"),
		local("two origins", 403, "origin", "Host: localhost", "Origin: http://localhost", "Origin: https://evil.example"),
		local("empty origin", 403, "origin", "Origin: "),
		local("X-Forwarded-For", 403, "proxy", "X-Forwarded-For: 127.0.0.1"),
		local("Forwarded", 403, "proxy", "Forwarded: for=127.0.0.1"),
		local("Via", 403, "proxy", "Via: 1.1 proxy"),
		local("X-Real-IP", 403, "proxy", "X-Real-IP: 127.0.0.1"),
		local("a token that isn't known", 401, "token", "Authorization: Bearer "+publisher),
		{"retract", "DELETE", "/walls/main/events/a-1", nil, 200, ""},
		{"retract from afar", "DELETE", "/walls/main/events/a-1", []string{"Origin: https://evil.example"}, 403, "origin"},
		{"admin", "GET", "/admin", nil, 200, ""},
		{"admin through a proxy", "GET", "/admin", []string{"X-Forwarded-For: 1.2.3.4"}, 403, "proxy"},
		{"a private wall", "GET", "/walls/shy/events", nil, 200, ""},
		{"a private wall from a page", "GET", "/walls/shy/events", []string{"Sec-Fetch-Site: cross-site"}, 403, "origin"},
		{"reading from anywhere", "GET", events, []string{"Origin: https://evil.example", "X-Forwarded-For: 1.2.3.4"}, 200, ""},
	}
	run(t, v4, requests)
	t.Run("IPv6", func(t *testing.T) {
		v6 := serve(t, g, "[::1]:0", false)
		run(t, v6, []request{
			local("curl", 200, ""),
			local("our own page", 200, "", "Origin: http://"+v6, "Sec-Fetch-Site: same-origin"),
			local("another site", 403, "origin", "Origin: https://evil.example"),
		})
	})
	t.Run("public listener", func(t *testing.T) {
		run(t, serve(t, g, "127.0.0.1:0", true), []request{
			local("curl", 403, "listener"),
			{"admin", "GET", "/admin", nil, 403, "listener"},
			{"a private wall", "GET", "/walls/shy/events", nil, 403, "listener"},
			{"reading", "GET", events, nil, 200, ""},
		})
	})
	t.Run("listener not known", func(t *testing.T) {
		server := httptest.NewServer(site(g))
		defer server.Close()
		run(t, strings.TrimPrefix(server.URL, "http://"), []request{local("curl", 403, "listener")})
	})
}

func TestTokens(t *testing.T) {
	address := serve(t, access.New(withTokens(t)), "127.0.0.1:0", false)
	bearer := func(secret string) []string { return []string{"Authorization: Bearer " + secret} }
	run(t, address, []request{
		{"none", "POST", "/walls/main/events?kind=push", nil, 401, "token"},
		{"allowed", "POST", "/walls/main/events?kind=push", bearer(publisher), 200, ""},
		{"from a page of another site", "POST", "/walls/main/events?kind=push", append(bearer(publisher), "Origin: https://evil.example"), 200, ""},
		{"scheme in small letters", "POST", "/walls/main/events?kind=push", []string{"Authorization: bearer " + publisher}, 200, ""},
		{"another kind", "POST", "/walls/main/events?kind=song", bearer(publisher), 403, "right"},
		{"with a key", "POST", "/walls/main/events?kind=push.a", bearer(publisher), 403, "right"},
		{"not known", "POST", "/walls/main/events?kind=push", bearer("wc_wrong"), 401, "token"},
		{"empty", "POST", "/walls/main/events?kind=push", bearer(""), 401, "token"},
		{"its hash", "POST", "/walls/main/events?kind=push", bearer(access.HashSecret(publisher).String()), 401, "token"},
		{"Basic", "POST", "/walls/main/events?kind=push", []string{"Authorization: Basic Y2k6d2NfcHVibGlzaGVy"}, 401, "token"},
		{"admin", "POST", "/walls/main/events?kind=push.a", bearer(admin), 200, ""},
		{"admin pages", "GET", "/admin", bearer(admin), 200, ""},
		{"admin pages with less", "GET", "/admin", bearer(publisher), 403, "right"},
		{"admin pages without", "GET", "/admin", nil, 401, "token"},
		{"retract", "DELETE", "/walls/main/events/a-1", bearer(admin), 200, ""},
		{"retract with less", "DELETE", "/walls/main/events/a-1", bearer(publisher), 403, "right"},
		{"private", "GET", "/walls/shy/events", nil, 401, "token"},
		{"private, allowed", "GET", "/walls/shy/events", bearer(reader), 200, ""},
		{"private, with less", "GET", "/walls/shy/events", bearer(publisher), 403, "right"},
		{"private, HEAD", "HEAD", "/walls/shy/events", nil, 401, ""},
		{"public with any token", "GET", "/walls/main/events", bearer("wc_wrong"), 200, ""},
		{"a wall that isn't configured", "POST", "/walls/other/events", nil, 401, "token"},
	})
	_, _, header := ask(t, address, "POST", "/walls/main/events")
	if header.Get("WWW-Authenticate") != `Bearer realm="wallcast"` {
		t.Errorf("a 401 has WWW-Authenticate %q", header.Get("WWW-Authenticate"))
	}
}

func TestAnyone(t *testing.T) {
	cfg := withTokens(t)
	cfg.Walls[1].Rate = access.Rate{}
	address := serve(t, access.New(cfg), "127.0.0.1:0", true)
	post := func(name, wall string, status int, check string, lines ...string) request {
		return request{name, "POST", "/walls/" + wall + "/events", lines, status, check}
	}
	run(t, address, []request{
		post("a script", "open", 200, ""),
		post("through a proxy", "open", 200, "", "X-Forwarded-For: 1.2.3.4"),
		post("our own page", "open", 200, "", "Host: wall.example.com", "Origin: https://wall.example.com", "Sec-Fetch-Site: same-origin"),
		post("another site", "open", 403, "origin", "Origin: https://evil.example", "Sec-Fetch-Site: cross-site"),
		post("no origin to name", "open", 403, "origin", "Origin: null"),
		post("a token that isn't known", "open", 401, "token", "Authorization: Bearer wc_wrong"),
		post("a token without the right", "open", 200, "", "Authorization: Bearer "+reader),
		post("a listed site", "listed", 200, "", "Origin: https://a.example", "Sec-Fetch-Site: cross-site"),
		post("below a listed site", "listed", 200, "", "Origin: https://x.y.b.example", "Sec-Fetch-Site: cross-site"),
		post("the domain itself", "listed", 403, "origin", "Origin: https://b.example"),
		post("with another scheme", "listed", 403, "origin", "Origin: http://a.example"),
		post("with another port", "listed", 403, "origin", "Origin: https://a.example:444"),
		post("with its own port", "listed", 200, "", "Origin: https://a.example:443"),
		post("an unlisted site", "listed", 403, "origin", "Origin: https://evil.example"),
		post("another wall", "main", 401, "token"),
		{"retracting", "DELETE", "/walls/open/events/a-1", nil, 401, "token"},
	})
}

func TestGrant(t *testing.T) {
	address := serve(t, access.New(withTokens(t)), "127.0.0.1:0", false)
	later, before := time.Now().Add(time.Hour), time.Now().Add(-time.Second)
	good := access.NewGrant(grantKey, "shy", later)
	path := func(grant string) string { return "/walls/shy/events?last=3&grant=" + url.QueryEscape(grant) }
	run(t, address, []request{
		{"good", "", path(good), nil, 200, ""},
		{"from a page", "", path(good), []string{"Origin: https://evil.example"}, 200, ""},
		{"expired", "", path(access.NewGrant(grantKey, "shy", before)), nil, 403, "grant"},
		{"for another wall", "", path(access.NewGrant(grantKey, "other", later)), nil, 403, "grant"},
		{"with another key", "", path(access.NewGrant([]byte("fedcba9876543210"), "shy", later)), nil, 403, "grant"},
		{"prolonged", "", path("9" + good), nil, 403, "grant"},
		{"cut", "", path(good[:len(good)-1]), nil, 403, "grant"},
		{"nonsense", "", path("x"), nil, 403, "grant"},
		{"without a sum", "", path("99999999999."), nil, 403, "grant"},
		{"for writing", "POST", path(good), nil, 401, "token"},
	})
	cfg := withTokens(t)
	cfg.GrantKey = nil
	run(t, serve(t, access.New(cfg), "127.0.0.1:0", false), []request{
		{"no key", "", path(access.NewGrant(nil, "shy", later)), nil, 403, "grant"},
	})
}

func TestCORS(t *testing.T) {
	address := serve(t, access.New(withTokens(t)), "127.0.0.1:0", false)
	tests := []struct {
		wall, origin string
		want         string // Access-Control-Allow-Origin
		frame        string
		vary         bool
	}{
		{"main", "https://evil.example", "*", "*", false},
		{"main", "", "*", "*", false},
		{"listed", "https://a.example", "https://a.example", "'self' https://a.example https://*.b.example", true},
		{"listed", "https://c.b.example", "https://c.b.example", "'self' https://a.example https://*.b.example", true},
		{"listed", "https://wall.example.com", "https://wall.example.com", "'self' https://a.example https://*.b.example", true},
		{"listed", "https://evil.example", "", "'self' https://a.example https://*.b.example", true},
		{"listed", "https://*.b.example", "", "'self' https://a.example https://*.b.example", true},
		{"listed", "null", "", "'self' https://a.example https://*.b.example", true},
		{"shy", "https://evil.example", "", "'self'", true},
		{"shy", "https://wall.example.com", "https://wall.example.com", "'self'", true},
	}
	for _, test := range tests {
		status, _, header := ask(t, address, "GET", "/walls/"+test.wall+"/events", "Origin: "+test.origin, "Authorization: Bearer "+reader)
		if status != 200 || header.Get("Access-Control-Allow-Origin") != test.want || header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s for %s: %d %v", test.wall, test.origin, status, header)
		}
		if got := strings.Contains(strings.Join(header.Values("Vary"), ","), "Origin"); got != test.vary || header.Get("Frame") != test.frame {
			t.Errorf("%s: Vary: Origin is %v, frame-ancestors %q", test.wall, got, header.Get("Frame"))
		}
		status, check, header := ask(t, address, "OPTIONS", "/walls/"+test.wall+"/events", "Origin: "+test.origin,
			"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,content-type")
		switch {
		case test.want == "" && (status != 403 || check != "origin" || header.Get("Access-Control-Allow-Methods") != ""):
			t.Errorf("preflight of %s for %s: %d %q %v", test.wall, test.origin, status, check, header)
		case test.want != "" && (status != 204 || header.Get("Access-Control-Allow-Origin") != test.want ||
			header.Get("Access-Control-Allow-Methods") != "GET, POST, DELETE" ||
			header.Get("Access-Control-Allow-Headers") != "Last-Event-ID, Content-Type, Idempotency-Key, Authorization"):
			t.Errorf("preflight of %s for %s: %d %v", test.wall, test.origin, status, header)
		}
	}
	// What is refused can be read by the page that asked, too.
	_, _, header := ask(t, address, "POST", "/walls/main/events", "Origin: https://evil.example")
	if header.Get("Access-Control-Allow-Origin") != "*" {
		t.Error("a page can't read why it was refused")
	}
}

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

func TestAuthenticate(t *testing.T) {
	g := access.New(withTokens(t))
	if rights, ok := g.Authenticate("ci", publisher); !ok || strings.Join(rights.Subjects(), " ") != "wall.main.push wall.listed.*.k" {
		t.Errorf("ci: %v %v", rights, ok)
	}
	for _, pair := range [][2]string{{"ci", admin}, {"boss", publisher}, {"ci", ""}, {"", publisher}, {"nobody", publisher}} {
		if _, ok := g.Authenticate(pair[0], pair[1]); ok {
			t.Errorf("Authenticate(%q) let in", pair)
		}
	}
}

func TestScope(t *testing.T) {
	g := access.New(withTokens(t))
	address := serve(t, g, "127.0.0.1:0", false)
	for _, test := range []struct {
		lines       []string
		scope, want string
	}{
		{nil, "local", "127.0.0.1"},
		{[]string{"Authorization: Bearer " + publisher}, "token ci", "127.0.0.1"},
		{[]string{"X-Forwarded-For: 192.0.2.7"}, "address 127.0.0.1", "127.0.0.1"},
	} {
		_, _, header := ask(t, address, "GET", "/caller", test.lines...)
		if header.Get("Scope") != test.scope || header.Get("Limit") != test.want {
			t.Errorf("%q: %q %q", test.lines, header.Get("Scope"), header.Get("Limit"))
		}
	}
}
