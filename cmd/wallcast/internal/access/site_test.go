package access_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
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
