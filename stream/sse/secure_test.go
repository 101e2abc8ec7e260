package sse_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"

	"github.com/wallcast/wallcast/stream/sse"
)

// startTLS starts a server behind a listener of this package, as the program does.
func startTLS(server *httptest.Server) {
	config := &tls.Config{Certificates: certificates, NextProtos: []string{"http/1.1"}}
	if server.EnableHTTP2 {
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetHTTP2(true)
	server.Listener = sse.NewTLSListener(server.Listener, config)
	server.Start()
	server.URL = "https" + server.URL[len("http"):]
}

// certificates are those that httptest has.
var certificates = func() []tls.Certificate {
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	return server.TLS.Certificates
}()
