// Package replay lets tests answer requests with recorded bytes, as they are on
// the wire and without a network: it works in a synctest bubble.
package replay

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/wallcast/wallcast/sources"
)

// Server answers a request by writing to the connection whatever it likes, which
// is closed when it returns. ctx ends when the client has gone.
type Server func(ctx context.Context, request *http.Request, w io.Writer)

// Bytes is a Server that gives an answer as a whole.
func Bytes(answer func(*http.Request) string) Server {
	return func(_ context.Context, request *http.Request, w io.Writer) {
		io.WriteString(w, answer(request))
	}
}

// Network connects to the server, whatever the address.
func (s Server) Network(t testing.TB) sources.Network {
	transport := &http.Transport{DialContext: s.dial, DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	return sources.Network{Client: client, Streams: client, Public: client, Dial: s.dial}
}

func (s Server) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go s.serve(server)
	return client, nil
}

func (s Server) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	request, err := http.ReadRequest(r)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		io.Copy(io.Discard, r) // until the client goes
		cancel()
	}()
	s(ctx, request, c)
}

// OK is an answer with a body of that media type, as an Icecast gives it.
func OK(kind, body string) string {
	return "HTTP/1.0 200 OK\r\nConnection: Close\r\nContent-Type: " + kind + "\r\n\r\n" + body
}

// Status is an answer of that status, as "404 Not Found", without anything in it.
func Status(status string) string {
	return "HTTP/1.0 " + strings.TrimSpace(status) + "\r\nConnection: Close\r\nContent-Type: text/html\r\n\r\n<b>" + status + "</b>"
}
