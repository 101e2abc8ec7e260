package access_test

import (
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
)

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

// nginx by itself adds no header, names the address that it connects to as the
// Host, and speaks HTTP/1.0.
func TestThroughNginxAsItIs(t *testing.T) {
	address := serve(t, access.New(withoutTokens(t)), "127.0.0.1:0", false)
	for _, c := range []struct{ method, path, want string }{
		{"POST", "/walls/main/events", "HTTP/1.0 403"},
		{"DELETE", "/walls/main/events/a-1", "HTTP/1.0 403"},
		{"GET", "/admin", "HTTP/1.0 403"},
		{"GET", "/walls/main/events", "HTTP/1.0 200"},
	} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "%s %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n", c.method, c.path, address)
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(answer), c.want) {
			t.Errorf("%s %s: %.300q, %v; want %s", c.method, c.path, answer, err, c.want)
		}
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
