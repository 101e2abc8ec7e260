package icyhttp_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wallcast/wallcast/sources"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/icyhttp"
	"github.com/wallcast/wallcast/sources/nowplaying/internal/replay"
)

// TestMain trusts the certificate of the server under test, before anything asks
// which are trusted.
func TestMain(m *testing.M) {
	server := httptest.NewTLSServer(nil)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	server.Close()
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	file := filepath.Join(folder, "cert.pem")
	if err := os.WriteFile(file, certificate, 0o600); err != nil {
		panic(err)
	}
	os.Setenv("SSL_CERT_FILE", file)
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

func do(t *testing.T, network sources.Network, ctx context.Context, address string) (string, *http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, "GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header["Icy-MetaData"] = []string{"1"}
	answer, err := icyhttp.Do(network, network.Streams, request)
	if err != nil {
		return "", nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), answer, err
}

func TestDo(t *testing.T) {
	for _, c := range []struct {
		name, answer, body string
		status, asked      int
	}{
		{"HTTP", "HTTP/1.0 200 OK\r\nicy-name: N\r\n\r\nbody", "body", 200, 1},
		{"ICY", "ICY 200 OK\r\nicy-name: N\r\nicy-br:128\r\n\r\nbody", "body", 200, 2},
		{"ICY, bare line feeds", "ICY 200 OK\nicy-name: N\n\nbody", "body", 200, 2},
		{"ICY, not found", "ICY 404 Resource Not Found\r\nicy-name: N\r\n\r\n<b>", "<b>", 404, 2},
		{"ICY, unavailable", "ICY 401 Service Unavailable\r\nicy-name: N\r\n\r\n", "", 401, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := 0
			network := replay.Bytes(func(r *http.Request) string {
				if asked++; r.RequestURI != "/7.html?x=%20" || r.Host != "radio.example:8000" || r.Header.Get("Icy-Metadata") != "1" {
					t.Errorf("asked for %s of %s", r.RequestURI, r.Host)
				}
				return c.answer
			}).Network(t)
			body, answer, err := do(t, network, t.Context(), "http://radio.example:8000/7.html?x=%20")
			if err != nil || body != c.body || answer.StatusCode != c.status || answer.Header.Get("Icy-Name") != "N" {
				t.Errorf("%q, %+v, %v", body, answer, err)
			}
			if asked != c.asked {
				t.Errorf("asked %d times", asked)
			}
		})
	}
}

func TestAskErrors(t *testing.T) {
	for _, c := range []struct{ name, answer, want string }{
		{"nothing", "", "EOF"},
		{"three bytes", "ICY", "malformed"},
		{"not HTTP", "220 ftp.example ready\r\n", "malformed"},
		{"no end of the head", "ICY 200 OK\r\nicy-name", "malformed"},
		{"endless head", "ICY 200 OK\r\n" + strings.Repeat("icy-x: y\r\n", 100_000), "larger than 64 KiB"},
	} {
		network := replay.Bytes(func(*http.Request) string { return c.answer }).Network(t)
		request, err := http.NewRequestWithContext(t.Context(), "GET", "http://radio.example", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := icyhttp.Ask(network, request); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %s", c.name, err, c.want)
		}
	}
}

func TestNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := replay.Server(func(ctx context.Context, r *http.Request, w io.Writer) {
			if r.Proto == "HTTP/1.0" { // the second time
				<-ctx.Done()
				return
			}
			io.WriteString(w, "ICY 200 OK\r\n\r\n")
		}).Network(t)
		began := time.Now()
		if _, _, err := do(t, network, t.Context(), "http://radio.example"); err == nil || time.Since(began) != 20*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := do(t, network, ctx, "http://radio.example"); err != context.DeadlineExceeded {
			t.Error(err)
		}
	})
}

func TestBodyEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := replay.Server(func(ctx context.Context, _ *http.Request, w io.Writer) {
			io.WriteString(w, "ICY 200 OK\r\n\r\nbody")
			<-ctx.Done()
		}).Network(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if body, _, err := do(t, network, ctx, "http://radio.example"); err == nil || body != "body" {
			t.Errorf("%q, %v", body, err)
		}
	})
}

// A proxy in front of an old server adds TLS and leaves the rest as it is.
func TestTLS(t *testing.T) {
	template := httptest.NewTLSServer(nil)
	defer template.Close()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: template.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func(c net.Conn) {
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					io.WriteString(c, "ICY 200 OK\r\n\r\nbody")
				}
			}(c)
		}
	}()
	network := sources.Env{}.Complete().Network
	if body, _, err := do(t, network, t.Context(), "https://"+l.Addr().String()+"/"); err != nil || body != "body" {
		t.Errorf("%q, %v", body, err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if body, _, err := do(t, network, t.Context(), "https://localhost:"+port+"/"); err == nil {
		t.Errorf("a certificate for another name: %q", body)
	}
}
