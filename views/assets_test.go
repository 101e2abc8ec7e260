package views_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/wallcast/wallcast/views"
)

func TestThemeAndPolicy(t *testing.T) {
	p := demoPage(noon)
	p.Wall.Kinds = map[string]views.Kind{
		"friend":              {Color: "oklch(55% 0.12 150)"},
		"bad":                 {Color: "red}</style><script>alert(1)</script>"},
		"worse":               {Color: "url(//evil.example)"},
		`x"]{} [data-kind="y`: {Color: "red"},
	}
	page := renderPage(t, p)
	style := regexp.MustCompile(`<style>(.*?)</style>`).FindStringSubmatch(page)
	if style == nil {
		t.Fatal("the page has no style of its own")
	}
	if want := `:root{--accent-of:#b2371d}[data-kind="friend"]{--kind:oklch(55% 0.12 150)}`; style[1] != want {
		t.Errorf("the style is %s, want %s", style[1], want)
	}
	policy := views.ContentSecurityPolicy(p.Wall, "https://example.com")
	sum := sha256.Sum256([]byte(style[1]))
	for _, want := range []string{
		"default-src 'none'", "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'",
		"frame-ancestors https://example.com", "trusted-types wallcast", "script-src 'self';",
	} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %q: %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %s", policy)
	}
	for _, c := range []string{"#2e7d32", "#abc", "teal", "rgb(1 2 3 / 50%)"} {
		if err := views.CheckColor(c); err != nil {
			t.Error(err)
		}
	}
	for _, c := range []string{"", "#12", "red;", "var(--x)", "url(x)", "#2e7d32 "} {
		if views.CheckColor(c) == nil {
			t.Errorf("%q passes for a colour", c)
		}
	}
}

func TestAssets(t *testing.T) {
	get := func(method, url, accept string) *http.Response {
		r := httptest.NewRequest(method, url, nil)
		r.Header.Set("Accept-Encoding", accept)
		w := httptest.NewRecorder()
		views.Assets().ServeHTTP(w, r)
		return w.Result()
	}
	url := views.AssetURL("wall.css")
	plain, zipped := get("GET", url, "gzip;q=0, br"), get("GET", url, "br, gzip")
	if plain.Header.Get("Content-Encoding") != "" || zipped.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("encodings: %v, %v", plain.Header, zipped.Header)
	}
	in, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if _, err := a.ReadFrom(plain.Body); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ReadFrom(in); err != nil {
		t.Fatal(err)
	}
	if a.Len() == 0 || a.String() != b.String() || strings.Contains(a.String(), "/*") {
		t.Errorf("the style sheet is not itself: %d and %d bytes", a.Len(), b.Len())
	}
	if c := plain.Header.Get("Cache-Control"); !strings.Contains(c, "immutable") {
		t.Errorf("Cache-Control: %s", c)
	}
	old := get("GET", "/assets/0123456789abcdef/wall.js", "")
	if c := old.Header.Get("Cache-Control"); old.StatusCode != 200 || c != "no-cache" {
		t.Errorf("another build's asset: %s, %s", old.Status, c)
	}
	for request, want := range map[string]int{
		"HEAD " + url: 200, "POST " + url: 405, "GET /assets/x/none.js": 404, "GET /assets/": 404, "GET /assets/x/tsconfig.json": 404,
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := get(method, path, "").StatusCode; got != want {
			t.Errorf("%s: %d, want %d", request, got, want)
		}
	}
}

// TestBudgets holds what the page may weigh, gzipped.
func TestBudgets(t *testing.T) {
	weigh := func(data []byte) int {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Len()
	}
	p := demoPage(noon)
	for i := range 30 {
		p.Events = append(p.Events, event(uint64(100+i), noon, "", fmt.Sprintf(`{"author":"Reader %d","text":"%s"}`, i, strings.Repeat(fmt.Sprintf("Sentence %x of no two alike. ", i*7919), 8))))
	}
	page := renderPage(t, p)
	if n := len(shown(t, page, views.Timeline)); n != 30 {
		t.Fatalf("the page has %d cards in its timeline", n)
	}
	var script []byte
	for _, name := range []string{"wall.js", "connection.js", "fragment.js", "clock.js", "reader.js", "poll.js"} {
		script = append(script, asset(t, name)...)
	}
	for what, w := range map[string]struct {
		data  []byte
		limit int
	}{"page": {[]byte(page), 14 << 10}, "style sheet": {asset(t, "wall.css"), 5 << 10}, "script": {script, 10 << 10}} {
		n := weigh(w.data)
		t.Logf("the %s weighs %d bytes", what, n)
		if n > w.limit {
			t.Errorf("the %s weighs %d bytes gzipped, %d are allowed", what, n, w.limit)
		}
	}
}

func asset(t *testing.T, name string) []byte {
	t.Helper()
	w := httptest.NewRecorder()
	views.Assets().ServeHTTP(w, httptest.NewRequest("GET", views.AssetURL(name), nil))
	return w.Body.Bytes()
}
