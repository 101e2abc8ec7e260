package main_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gosse "github.com/tmaxmax/go-sse"
)

// A stream is the same over every protocol that there is, and several of them
// share a connection where they can.
func TestProtocols(t *testing.T) {
	plain := serveConfig(t, t.TempDir(), freeAddress(t), "")
	folder := t.TempDir()
	writeCertificate(t, folder, 1)
	if err := os.WriteFile(filepath.Join(folder, "wallcast.yaml"), []byte("tls: {cert: cert.pem, key: key.pem}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	secure := launchProgram(t, folder, freeAddress(t), "serve")
	awaitSerial(t, secure.address, 1)
	for _, test := range []struct {
		base, proto string
		protocols   func(*http.Protocols)
	}{
		{"http://" + plain.address, "HTTP/1.1", func(p *http.Protocols) { p.SetHTTP1(true) }},
		{"http://" + plain.address, "HTTP/2.0", func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }},
		{"https://" + secure.address, "HTTP/1.1", func(p *http.Protocols) { p.SetHTTP1(true) }},
		{"https://" + secure.address, "HTTP/2.0", func(p *http.Protocols) { p.SetHTTP2(true) }},
	} {
		t.Run(test.base[:5]+" "+test.proto, func(t *testing.T) {
			protocols := new(http.Protocols)
			test.protocols(protocols)
			transport := &http.Transport{Protocols: protocols, TLSClientConfig: insecure()}
			defer transport.CloseIdleConnections()
			checkProtocol(t, &http.Client{Transport: transport}, test.base+"/walls/main/events", test.proto)
		})
	}
}

func checkProtocol(t *testing.T, client *http.Client, address, proto string) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	request := func(method, body, id string) *http.Response {
		req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "text/plain")
		req.Header.Set("Last-Event-ID", id)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		if resp.Proto != proto {
			t.Fatalf("the answer is %s", resp.Proto)
		}
		return resp
	}
	// read reads up to an event of that text and returns its id.
	read := func(resp *http.Response, text string) string {
		t.Helper()
		for e, err := range gosse.Read(resp.Body, nil) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Type == "" && e.Data == text {
				return e.LastEventID
			}
		}
		t.Fatalf("the stream ends before %q", text)
		return ""
	}
	streams := []*http.Response{request(http.MethodGet, "", ""), request(http.MethodGet, "", ""), request(http.MethodGet, "", "")}
	text := strings.Repeat("long ", 2000) + proto
	if resp := request(http.MethodPost, text, ""); resp.StatusCode != http.StatusCreated {
		t.Fatalf("publishing is answered %s", resp.Status)
	}
	id := ""
	for _, resp := range streams {
		id = read(resp, text)
	}
	if resp := request(http.MethodPost, "next", ""); resp.StatusCode != http.StatusCreated {
		t.Fatalf("publishing is answered %s", resp.Status)
	}
	read(request(http.MethodGet, "", id), "next")
}
