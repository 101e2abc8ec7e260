package access_test

import (
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/stream"
)

func TestRights(t *testing.T) {
	tests := []struct {
		right        string
		allows, bars []string
	}{
		{"publish wall.main.push", []string{"wall.main.push"}, []string{"wall.main.push.k", "wall.main.song", "wall.news.push"}},
		{"publish wall.main.>", []string{"wall.main.push", "wall.main.song.jazz"}, []string{"wall.news.push"}},
		{"publish wall.>", []string{"wall.main.push", "wall.news.song.jazz"}, nil},
		{"publish wall.*.push", []string{"wall.main.push", "wall.news.push"}, []string{"wall.main.push.k", "wall.main.song"}},
		{"publish wall.main.song.*", []string{"wall.main.song.jazz"}, []string{"wall.main.song"}},
		{"publish wall.main.song.>", []string{"wall.main.song.jazz"}, []string{"wall.main.song"}},
		{"admin", []string{"wall.main.push", "wall.news.song.jazz"}, nil},
		{"publish orders.>", nil, []string{"wall.main.push"}},
		{"read *", nil, []string{"wall.main.push"}},
	}
	for _, test := range tests {
		right, err := access.ParseRight(test.right)
		if err != nil {
			t.Errorf("%s: %v", test.right, err)
			continue
		}
		rights := access.Rights{right}
		for _, list := range []struct {
			subjects []string
			want     bool
		}{{test.allows, true}, {test.bars, false}} {
			for _, s := range list.subjects {
				subject, err := stream.ParseSubject(s)
				if err != nil {
					t.Fatal(err)
				}
				if rights.Publish(subject) != list.want {
					t.Errorf("%q allows %s: %v", test.right, s, !list.want)
				}
			}
		}
	}
	on := func(s string) access.Rights { r, _ := access.ParseRight(s); return access.Rights{r} }
	if !on("read *").Read("x") || !on("read x").Read("x") || on("read x").Read("y") || on("retract x").Read("x") || !on("admin").Read("x") {
		t.Error("Read")
	}
	if !on("retract *").Retract("x") || on("read *").Retract("x") || !on("admin").Retract("x") || on("publish wall.>").Retract("x") {
		t.Error("Retract")
	}
	if !on("admin").Admin() || on("retract *").Admin() {
		t.Error("Admin")
	}
	if (access.Rights{{}}).Read("") || (access.Rights{{}}).Admin() {
		t.Error("the zero Right allows something")
	}
}

func TestRightsRefused(t *testing.T) {
	for _, s := range []string{
		"", " ", "write main", "publish", "read", "read a b", "admin x", "Admin", "read Main", "read >", "retract a.b",
		"publish wall", "publish wall.main", "publish wall.*", "publish wall.main.a.b.c", "publish wall.>.a", "publish wall..a",
		"publish wall.main.open", "publish wall.ma*.a", "publish >", "publish *.>", "publish *.x", "publish ctl.>", "publish hold.main.x",
		"publish $JS.API.>", "publish _INBOX.x", "publish a..b", "publish dead.x",
	} {
		if right, err := access.ParseRight(s); err == nil {
			t.Errorf("%q is read as %q", s, right)
		}
	}
}

func FuzzParseRight(f *testing.F) {
	for _, s := range []string{"publish wall.main.>", "read *", "retract main", "admin", "publish orders.*.x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		right, err := access.ParseRight(s)
		if err != nil {
			return
		}
		again, err := access.ParseRight(right.String())
		if err != nil || again != right {
			t.Errorf("%q is read as %q, and that as %q, %v", s, right, again, err)
		}
		for _, subject := range (access.Rights{right}).Subjects() {
			for _, other := range []string{"ctl.main.retract", "$JS.API.STREAM.DELETE.x", "_INBOX.x.y", "hold.main.x", "dead.x"} {
				if stream.Overlap(subject, other) {
					t.Errorf("%q reaches %s", right, other)
				}
			}
		}
	})
}

func TestSecretAndHash(t *testing.T) {
	secret := access.NewSecret()
	if !regexp.MustCompile(`^wc_[A-Za-z0-9_-]{43}$`).MatchString(secret) || secret == access.NewSecret() {
		t.Errorf("NewSecret() = %q", secret)
	}
	hash := access.HashSecret(secret)
	if !hash.Verify(secret) || hash.Verify(secret+"x") || hash.Verify("") || (access.Hash{}).Verify("") {
		t.Error("Verify")
	}
	for _, text := range []string{hash.String(), strings.ToUpper(hash.String()[7:])} {
		if !strings.HasPrefix(text, "sha256:") {
			text = "sha256:" + text
		}
		if read, err := access.ParseHash(text); err != nil || read != hash {
			t.Errorf("ParseHash(%q) = %v, %v", text, read, err)
		}
	}
	for _, text := range []string{"", "sha256:", secret, "sha256:" + secret, hash.String()[:70], "sha512:" + hex.EncodeToString(hash[:]), hash.String() + "00"} {
		_, err := access.ParseHash(text)
		if err == nil {
			t.Errorf("ParseHash(%q) reads it", text)
		} else if text != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("the error has the secret: %v", err)
		}
	}
}

// address is what the guard takes for the client's, with the proxies of withTokens.
func address(t *testing.T, remote string, lines ...string) string {
	t.Helper()
	var got netip.Addr
	handler := access.New(withTokens(t)).Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = access.CallerOf(r).Address
	}))
	direct(handler, remote, "/", lines...)
	return got.String()
}

func TestClientAddress(t *testing.T) {
	const proxy, stranger = "10.1.2.3:4000", "192.0.2.1:4000"
	tests := []struct {
		name, remote string
		lines        []string
		want         string
	}{
		{"direct", stranger, nil, "192.0.2.1"},
		{"direct, lying", stranger, []string{"X-Forwarded-For: 1.1.1.1", "Forwarded: for=1.1.1.1"}, "192.0.2.1"},
		{"IPv6 with a zone", "[fe80::1%eth0]:4000", nil, "fe80::1"},
		{"IPv4 in IPv6", "[::ffff:192.0.2.1]:4000", nil, "192.0.2.1"},
		{"proxy", proxy, []string{"X-Forwarded-For: 1.1.1.1"}, "1.1.1.1"},
		{"proxy in IPv6", "[::ffff:10.1.2.3]:4000", []string{"X-Forwarded-For: 1.1.1.1"}, "1.1.1.1"},
		{"proxy without a header", proxy, nil, "10.1.2.3"},
		{"client lies to proxy", proxy, []string{"X-Forwarded-For: 9.9.9.9, 1.1.1.1"}, "1.1.1.1"},
		{"client lies in a line of its own", proxy, []string{"X-Forwarded-For: 9.9.9.9", "X-Forwarded-For: 1.1.1.1"}, "1.1.1.1"},
		{"two proxies", proxy, []string{"X-Forwarded-For: 9.9.9.9, 1.1.1.1, 10.4.4.4"}, "1.1.1.1"},
		{"proxies alone", proxy, []string{"X-Forwarded-For: 10.5.5.5, 10.4.4.4"}, "10.5.5.5"},
		{"nonsense", proxy, []string{"X-Forwarded-For: 1.1.1.1, unknown"}, "10.1.2.3"},
		{"nonsense behind a proxy", proxy, []string{"X-Forwarded-For: unknown, 10.4.4.4"}, "10.4.4.4"},
		{"port", proxy, []string{"X-Forwarded-For: 1.1.1.1:5555"}, "1.1.1.1"},
		{"IPv6", proxy, []string{"X-Forwarded-For: 2001:db8::1"}, "2001:db8::1"},
		{"Forwarded", proxy, []string{`Forwarded: proto=https;for=1.1.1.1;by=x`}, "1.1.1.1"},
		{"Forwarded, IPv6", proxy, []string{`Forwarded: For="[2001:db8::1]:4711"`}, "2001:db8::1"},
		{"Forwarded, list", proxy, []string{`Forwarded: for=9.9.9.9, for=1.1.1.1, for="10.4.4.4:80"`}, "1.1.1.1"},
		{"Forwarded, a comma in quotes", proxy, []string{`Forwarded: for=9.9.9.9;x="a, for=8.8.8.8", for=1.1.1.1`}, "1.1.1.1"},
		{"Forwarded, hidden", proxy, []string{`Forwarded: for=9.9.9.9, for=_hidden`}, "10.1.2.3"},
		{"Forwarded, none", proxy, []string{`Forwarded: for=9.9.9.9, proto=http`}, "10.1.2.3"},
		{"Forwarded, twice in one", proxy, []string{`Forwarded: for=9.9.9.9;for=1.1.1.1`}, "10.1.2.3"},
		{"both agree", proxy, []string{"X-Forwarded-For: 1.1.1.1", "Forwarded: for=1.1.1.1"}, "1.1.1.1"},
		{"both differ", proxy, []string{"X-Forwarded-For: 1.1.1.1", "Forwarded: for=9.9.9.9"}, "10.1.2.3"},
		{"no address", "@", nil, "invalid IP"},
	}
	for _, test := range tests {
		if got := address(t, test.remote, test.lines...); got != test.want {
			t.Errorf("%s: %s; want %s", test.name, got, test.want)
		}
	}
}

// Whatever a client sends through a proxy that appends its address, it can't
// choose the address that counts.
func FuzzClientAddress(f *testing.F) {
	f.Add("1.1.1.1", `for=1.1.1.1`)
	f.Add(", ,", `for="[::1]:80";for=x,"`)
	f.Add("10.0.0.1", `for="a\",for=10.0.0.1`)
	handler := access.New(withTokens(f))
	f.Fuzz(func(t *testing.T, list, forwarded string) {
		ask := func(h http.Header) netip.Addr {
			var got netip.Addr
			r := httptest.NewRequest("GET", "/", nil)
			r.Host, r.RemoteAddr, r.Header = "wall.example.com", "10.1.2.3:4000", h
			handler.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = access.CallerOf(r).Address })).
				ServeHTTP(httptest.NewRecorder(), r)
			return got
		}
		client, proxy := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("10.1.2.3")
		if got := ask(http.Header{"X-Forwarded-For": {list + ", 203.0.113.7"}}); got != client {
			t.Errorf("X-Forwarded-For %q: %s", list, got)
		}
		got := ask(http.Header{"X-Forwarded-For": {list, "203.0.113.7"}, "Forwarded": {forwarded}})
		if got != client && got != proxy {
			t.Errorf("X-Forwarded-For %q, Forwarded %q: %s", list, forwarded, got)
		}
		if got := ask(http.Header{"Forwarded": {forwarded, "for=203.0.113.7"}}); got != client {
			t.Errorf("Forwarded %q: %s", forwarded, got)
		}
	})
}

func TestOrigins(t *testing.T) {
	for text, want := range map[string]string{
		"https://example.com":           "https://example.com",
		"HTTPS://Example.COM:443/":      "https://example.com",
		"http://example.com:080":        "http://example.com",
		"http://localhost:3000":         "http://localhost:3000",
		"https://*.example.com":         "https://*.example.com",
		"http://[2001:DB8::1]:8080":     "http://[2001:db8::1]:8080",
		"https://xn--bcher-kva.example": "https://xn--bcher-kva.example",
	} {
		if o, err := access.ParseOrigin(text); err != nil || o.String() != want {
			t.Errorf("ParseOrigin(%q) = %q, %v; want %q", text, o, err, want)
		}
	}
	for _, text := range []string{
		"", "null", "*", "example.com", "https://", "https://example.com/a", "https://example.com?", "https://example.com#", "https://u@example.com",
		"ftp://example.com", "https://*", "https://*.com", "https://a.*.com", "https://**.example.com", "https://exa mple.com", "https://example.com:0",
		"https://example.com:99999", "https://example.com:", "https://example.com; script-src *", "https://*.10.0.0.1", "https://exämple.com", "https://a..b",
	} {
		if o, err := access.ParseOrigin(text); err == nil {
			t.Errorf("ParseOrigin(%q) = %q", text, o)
		}
	}
}

func TestRedact(t *testing.T) {
	secret := access.NewSecret()
	u := func(s string) *url.URL {
		parsed, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for _, text := range []string{
		access.RedactURL(u("/walls/shy/events?last=3&grant=" + secret)),
		access.RedactURL(u("/walls/shy/events?%67rant=" + url.QueryEscape("1."+secret))),
		access.RedactURL(u("/x?token=" + secret + ";a=%zz")),
		access.RedactURL(u("https://user:" + secret + "@host/x")),
		access.RedactText("dialing nats://user:" + secret + "@host:4222: refused"),
		access.RedactText("the token " + secret + " is not known"),
		access.RedactText(`Get "https://x/y?access_token=` + secret + `&b=1": EOF`),
		access.RedactText("Authorization: Bearer " + secret),
	} {
		if strings.Contains(text, secret[3:]) || !strings.Contains(text, "REDACTED") {
			t.Errorf("still in clear, or all gone: %s", text)
		}
	}
	if got := access.RedactURL(u("/walls/main/events?kinds=song&last=3")); got != "/walls/main/events?kinds=song&last=3" {
		t.Errorf("RedactURL changed %s", got)
	}
	header := http.Header{"Authorization": {"Bearer " + secret}, "Cookie": {"a=b"}, "Referer": {"https://x/?grant=1." + secret}, "Accept": {"text/html"}}
	got := access.RedactHeader(header)
	if strings.Contains(strings.Join(append(got["Authorization"], got["Referer"]...), " "), secret[3:]) || got.Get("Cookie") != "REDACTED" || got.Get("Accept") != "text/html" {
		t.Errorf("RedactHeader = %v", got)
	}
	if header.Get("Cookie") != "a=b" {
		t.Error("RedactHeader changed its argument")
	}
}
