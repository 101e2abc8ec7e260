package web_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/wallcast/wallcast/sources/internal/web"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, " 5 ": 5 * time.Second, "-1": 0, "soon": 0,
		"99999999999999999999":          0,
		"999999999":                     24 * time.Hour,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute,
		"Fri, 02 Jan 2026 03:03:05 GMT": 0,
		"Sat, 02 Jan 2027 03:03:05 GMT": 24 * time.Hour,
	} {
		if got := web.RetryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestBackoff(t *testing.T) {
	b := web.Backoff{Least: time.Second, Most: 10 * time.Second}
	for _, due := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 10 * time.Second, 10 * time.Second} {
		if got := b.Next(); got < due/2 || got > due {
			t.Errorf("%v, want between half of %v and all of it", got, due)
		}
	}
	b.Reset()
	if got := b.Next(); got > time.Second {
		t.Errorf("%v after a reset", got)
	}
}

func TestUTF8(t *testing.T) {
	for _, c := range []struct{ body, kind, want string }{
		{"caf\xe9", "text/plain; charset=iso-8859-1", "café"},
		{"café", "text/plain", "café"},
		{"caf\xe9", "", "caf\uFFFD"},
		{"\xEF\xBB\xBFcafé", "text/plain; charset=iso-8859-1", "café"},
		{"\xFF\xFEa\x00", "", "a"},
		{"\xFE\xFF\x00a", "text/plain", "a"},
		{`<?xml version="1.0" encoding="windows-1252"?>` + "\x80", "", `<?xml version="1.0" encoding="windows-1252"?>€`},
		{`<?xml version="1.0" encoding="nonsense"?>a`, "", `<?xml version="1.0" encoding="nonsense"?>a`},
	} {
		if got := string(web.UTF8([]byte(c.body), c.kind)); got != c.want {
			t.Errorf("%q (%s): %q, want %q", c.body, c.kind, got, c.want)
		}
	}
}
