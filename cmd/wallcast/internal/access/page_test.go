package access_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
)

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
