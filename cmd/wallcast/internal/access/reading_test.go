package access_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
)

// readingOf is the right of a request that comes over loopback.
func readingOf(t *testing.T, around func(http.Handler) http.Handler, g *access.Guard, wall, path string, header ...string) *access.Reading {
	t.Helper()
	ctx := access.BaseContext(loopback{})
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	r.Host, r.RemoteAddr = "localhost", "127.0.0.1:5000"
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	ctx, cancel := context.WithCancel(r.Context())
	var reading *access.Reading
	called := false
	around(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		called, reading = true, g.ReadingOf(r, wall)
	})).ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
	cancel() // the right outlives the request
	if !called {
		t.Fatal("the request was refused")
	}
	return reading
}

// loopback is a listener on loopback.
type loopback struct{ net.Listener }

func (loopback) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

func TestReading(t *testing.T) {
	good := access.NewGrant(grantKey, "shy", time.Now().Add(time.Hour))
	bearer := func(secret string) []string { return []string{"Authorization", "Bearer " + secret} }
	less := withTokens(t)
	less.Tokens = less.Tokens[:1]
	otherKey := withTokens(t)
	otherKey.GrantKey = []byte("another key of 32 characters....")
	public := withTokens(t)
	public.Walls[2].Private = false
	for _, test := range []struct {
		name      string
		cfg, then access.Config
		path      string
		header    []string
		holds     bool // still
	}{
		{"a token", withTokens(t), withTokens(t), "/", bearer(reader), true},
		{"a token that is taken away", withTokens(t), less, "/", bearer(reader), false},
		{"a token, and the wall is public now", withTokens(t), public, "/", bearer(reader), true},
		{"a link", withTokens(t), less, "/?grant=" + good, nil, true},
		{"a link under another key", withTokens(t), otherKey, "/?grant=" + good, nil, false},
		{"this computer", withoutTokens(t), withoutTokens(t), "/", nil, true},
		{"this computer, and there are tokens now", withoutTokens(t), withTokens(t), "/", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := access.New(test.cfg)
			reading := readingOf(t, g.Handler, g, "shy", test.path, test.header...)
			if reading == nil || !reading.Holds() {
				t.Fatal("it doesn't hold at first")
			}
			g.Apply(test.then)
			if got := reading.Holds(); got != test.holds {
				t.Errorf("it holds: %v, want %v", got, test.holds)
			}
			if expires := !reading.Until.IsZero(); expires != (test.path != "/") {
				t.Errorf("it ends at %s", reading.Until)
			}
		})
	}
	g := access.New(withTokens(t))
	if readingOf(t, g.Handler, g, "main", "/") != nil {
		t.Error("a public wall needs a right")
	}
	if readingOf(t, access.Operator, g, "shy", "/") != nil {
		t.Error("the operator needs a right that can end")
	}
}
