package main_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestMetrics(t *testing.T) {
	secret, entry := token(t, "prometheus", "admin")
	p := serveConfig(t, t.TempDir(), freeAddress(t), "tokens:\n  "+entry+"\nwalls: {main: {}}\nsources:\n  words:\n    file: {path: words.txt, mode: value}\n")
	scrape := func(authorization string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", authorization)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	if status, body := scrape(""); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d %s", status, body)
	}
	p.publish("message", "hello", "Authorization", "Bearer "+secret)
	p.request(http.MethodPost, "message", "text/plain", "refused")
	status, body := scrape("Bearer " + secret)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	for _, want := range []string{
		`wallcast_viewers{wall="main"} 0`,
		`wallcast_posts_total{status="201"} 1`,
		`wallcast_posts_total{status="401"} 1`,
		`wallcast_source_events_total{source="words",type="file"} 0`,
		"process_resident_memory_bytes ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in:\n%s", want, body)
		}
	}
}
