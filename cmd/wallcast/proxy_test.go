package main_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// proxy stands between viewers and the program, and fails when it is told to.
type proxy struct {
	*httptest.Server

	mu      sync.Mutex
	refuse  bool
	resumed []string // Last-Event-ID of every stream that was asked for
	refused int
}

// newProxy makes a proxy in front of the program at address.
func newProxy(t *testing.T, address string) *proxy {
	t.Helper()
	quiet := log.New(io.Discard, "", 0)
	forward := &httputil.ReverseProxy{ErrorLog: quiet, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: address})
		r.Out.Host = r.In.Host
	}}
	p := new(proxy)
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.admits(r) {
			forward.ServeHTTP(w, r)
			return
		}
		http.Error(w, "<h1>Bad gateway</h1>", http.StatusBadGateway)
	}))
	p.Config.ErrorLog = quiet
	p.Start()
	t.Cleanup(func() {
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

func (p *proxy) admits(r *http.Request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse {
		p.refused++
		return false
	}
	if strings.HasSuffix(r.URL.Path, "/events") {
		p.resumed = append(p.resumed, r.Header.Get("Last-Event-ID"))
	}
	return true
}

// cut breaks every connection off, wherever it is.
func (p *proxy) cut() { p.CloseClientConnections() }

// down answers 502 from now on.
func (p *proxy) down() {
	p.mu.Lock()
	p.refuse = true
	p.mu.Unlock()
	p.cut()
}

func (p *proxy) up() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = false
}

// refusals is how many requests were answered 502.
func (p *proxy) refusals() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

// streams returns the Last-Event-ID of every stream that was asked for.
func (p *proxy) streams() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.resumed...)
}
