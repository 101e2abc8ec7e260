package bench_test

import (
	"bufio"
	"bytes"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
)

// serve runs the real program on a wall with nothing configured but what is
// given, and returns the wall's address.
func serve(t *testing.T, configuration string) string {
	t.Helper()
	folder := t.TempDir()
	file := filepath.Join(folder, "wallcast.yaml")
	if err := os.WriteFile(file, []byte("listen: 127.0.0.1:0\n"+configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(mustBuild(t), "serve", "-c", file)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil || strings.Contains(said.String(), "DATA RACE") {
			t.Errorf("the wall ended with %v and said\n%s", err, said.String())
		}
	})
	words := bufio.NewReader(out)
	for {
		line, err := words.ReadString('\n')
		if err != nil {
			t.Fatal("the wall did not tell its address")
		}
		if m := regexp.MustCompile(`The wall is at +(\S+)`).FindStringSubmatch(line); m != nil {
			return m[1]
		}
	}
}

// token makes a token that may do everything: its secret and the entry for the
// configuration.
func token(t *testing.T) (secret, entry string) {
	t.Helper()
	out, _, _ := call(t, "token", "ci", "--allow", "admin")
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "wc_"):
			secret = line
		case strings.HasPrefix(line, "ci:"):
			entry = line
		}
	}
	if secret == "" || entry == "" {
		t.Fatalf("there is no token in %s", out)
	}
	return secret, entry
}

// proxyTo serves a wall through a proxy that does one thing wrong to one of the
// streams. It returns the wall's address there.
func proxyTo(t *testing.T, wall, fault string, start func(http.Handler) *httptest.Server) string {
	t.Helper()
	target, err := url.Parse(wall)
	if err != nil {
		t.Fatal(err)
	}
	path := target.Path
	target.Path = ""
	var streams atomic.Int64
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error {
			if strings.HasPrefix(r.Header.Get("Content-Type"), "text/event-stream") && streams.Add(1) == 3 {
				r.Body = &faulty{ReadCloser: r.Body, blocks: bufio.NewReader(r.Body), fault: fault}
			}
			return nil
		},
	}
	server := start(proxy)
	t.Cleanup(server.Close)
	if cert := server.Certificate(); cert != nil {
		file := filepath.Join(t.TempDir(), "cert.pem")
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("SSL_CERT_FILE", file)
	}
	return server.URL + path
}

// faulty is a stream in which one event, the tenth, is dropped, doubled or
// swapped with the next.
type faulty struct {
	io.ReadCloser
	blocks *bufio.Reader
	fault  string
	events int
	ready  []byte
	kept   []byte // the tenth, to come after the next
}

func (f *faulty) Read(b []byte) (int, error) {
	for len(f.ready) == 0 {
		block, err := f.block()
		if err != nil {
			return 0, err
		}
		f.pass(block)
	}
	n := copy(b, f.ready)
	f.ready = f.ready[n:]
	return n, nil
}

// block reads up to the next empty line.
func (f *faulty) block() ([]byte, error) {
	var block []byte
	for {
		line, err := f.blocks.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		if block = append(block, line...); len(line) == 1 {
			return block, nil
		}
	}
}

func (f *faulty) pass(block []byte) {
	if bytes.Contains(block, []byte("event: wall:")) {
		f.ready = append(f.ready, block...)
		return
	}
	f.events++
	switch {
	case f.events == 10 && f.fault == "drop":
	case f.events == 10 && f.fault == "swap":
		f.kept = block
	case f.events == 10 && f.fault == "double":
		f.ready = append(f.ready, block...)
		f.ready = append(f.ready, block...)
	default:
		f.ready = append(append(f.ready, block...), f.kept...)
		f.kept = nil
	}
}
