package wasm_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wallcast/wallcast/plugins"
)

// ask lets the guest ask, where it may ask these hosts.
func ask(t *testing.T, request map[string]any, hosts ...string) map[string]any {
	t.Helper()
	text, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	o := call(t, t.Context(), guest(t), plugins.Call{Input: append([]byte("fetch "), text...), Allow: plugins.Allow{Hosts: hosts}})
	if o.err != nil || len(o.lines) != 1 {
		t.Fatal(o.err, o.lines)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(o.lines[0]), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// serve starts a server.
func serve(t *testing.T, handler http.HandlerFunc) (address, host string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL, strings.TrimPrefix(server.URL, "http://")
}

func TestFetch(t *testing.T) {
	address, host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case "/binary":
			w.Write([]byte{0xff, 0xfe})
		case "/large":
			w.Write(make([]byte, 1<<20+1))
		default:
			w.Header().Set("X-Answer", "yes")
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, r.Method, " ", r.URL.Path, " ", r.Header.Get("X-Asked"), " ", string(body))
		}
	})
	got := ask(t, map[string]any{"method": "POST", "url": address + "/things", "header": map[string]string{"x-asked": "so"}, "body": "<&é"}, host)
	if got["status"] != 201.0 || got["body"] != "POST /things so <&é" || got["header"].(map[string]any)["x-answer"] != "yes" {
		t.Error(got)
	}
	if got := ask(t, map[string]any{"url": address, "method": "PUT", "body": "/w==", "base64": true}, host); got["body"] != "PUT /  \xef\xbf\xbd" && got["base64"] != true {
		t.Error(got)
	}
	if got := ask(t, map[string]any{"url": address + "/away"}, host); got["status"] != 302.0 || got["header"].(map[string]any)["location"] != "/elsewhere" {
		t.Error(got)
	}
	if got := ask(t, map[string]any{"url": address + "/binary"}, host); got["body"] != "//4=" || got["base64"] != true {
		t.Error(got)
	}
	if got := ask(t, map[string]any{"url": address + "/large"}, host); got["error"] != "the answer has more than 1048576 bytes" {
		t.Error(got)
	}
}

func TestOnlyAllowedHostsAreAsked(t *testing.T) {
	asked := 0
	address, host := serve(t, func(http.ResponseWriter, *http.Request) { asked++ })
	port := host[strings.LastIndex(host, ":"):]
	for _, c := range []struct {
		url   string
		hosts []string
		says  string
	}{
		{address, nil, "it may not ask " + host + ": add that to allow.hosts"},
		{address, []string{"localhost" + port, "127.0.0.1", "127.0.0.1:1", "api.example.com"}, "may not ask"},
		{"http://" + host + "@localhost" + port, []string{host}, "may not ask localhost"},
		{"file:///etc/passwd", []string{host, ""}, "not an address that begins with http"},
		{"http:///x", []string{""}, "not an address"},
		{"http://%zz", []string{host}, "invalid URL escape"},
	} {
		got := ask(t, map[string]any{"url": c.url}, c.hosts...)
		if text, _ := got["error"].(string); !strings.Contains(text, c.says) {
			t.Errorf("%s: %v, want %q", c.url, got, c.says)
		}
	}
	if asked != 0 {
		t.Error("asked", asked, "times")
	}
	if got := ask(t, map[string]any{"url": strings.ToUpper("http://") + host}, "api.example.com", host); got["status"] != 200.0 {
		t.Error(got)
	}
}

func TestAHostWithoutPortStandsForTheUsualOnes(t *testing.T) {
	// Nobody listens there; what counts is that it is asked at all.
	for url, host := range map[string]string{
		"http://127.0.0.1:80": "127.0.0.1", "http://127.0.0.1": "127.0.0.1:80", "https://[::1]:443/": "[::1]", "https://LOCALHOST/x": "localhost",
	} {
		if got := ask(t, map[string]any{"url": url}, host); strings.Contains(fmt.Sprint(got["error"]), "may not ask") {
			t.Error(url, got)
		}
	}
}

func TestAFetchEndsInTime(t *testing.T) {
	address, host := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	o := quietCall(t.Context(), guest(t), plugins.Call{
		Input: fmt.Appendf(nil, `fetch {"url":%q}`, address), Allow: plugins.Allow{Hosts: []string{host}}, Limits: plugins.Limits{Time: 200 * time.Millisecond},
	})
	o.want(t, plugins.Timeout, -1, "longer")
	if o.took > 200*time.Millisecond+slack {
		t.Error("took", o.took)
	}
}
