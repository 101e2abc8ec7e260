// Package icyhttp makes HTTP requests to streaming servers, some of which answer
// "ICY 200 OK", as Shoutcast did from its beginning, and net/http refuses.
package icyhttp

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wallcast/wallcast/sources"
)

// answerTime is how long an answer may take to begin.
const answerTime = 20 * time.Second

// maxHead is how large the head of an ICY answer may be, in bytes.
const maxHead = 64 << 10

// Do makes a request by client, which is one of network's; if the server turns out
// to speak ICY, it asks again by itself: see Ask. The caller closes the body. The
// answer is given up when the request's context ends.
func Do(network sources.Network, client *http.Client, request *http.Request) (*http.Response, error) {
	answer, err := client.Do(request)
	if err == nil || !IsICY(err) {
		return answer, plain(err)
	}
	return Ask(network, request)
}

// IsICY reports whether err is net/http's at an answer that begins with ICY.
func IsICY(err error) bool {
	return err != nil && strings.Contains(err.Error(), `malformed HTTP version "ICY"`)
}

// plain is err without the address, which may be long and hold what is secret.
func plain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// Proto is the Proto of an answer that began with ICY.
const Proto = "ICY"

// Ask makes a request over a connection of its own, and understands ICY. It
// follows no redirect and uses no proxy.
func Ask(network sources.Network, request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(request.Context())
	c, err := dial(ctx, network, request.URL)
	if err != nil {
		cancel()
		return nil, err
	}
	// Nothing else ends a read when ctx does.
	stop := context.AfterFunc(ctx, func() { c.Close() })
	body := &connection{Conn: c, end: func() { stop(); cancel() }}
	answer, err := exchange(c, request)
	if err != nil {
		body.Close()
		if request.Context().Err() != nil {
			err = request.Context().Err()
		}
		return nil, err
	}
	body.ReadCloser = answer.Body
	answer.Body = body
	return answer, nil
}

func dial(ctx context.Context, network sources.Network, u *url.URL) (net.Conn, error) {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	c, err := network.Dial(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil || u.Scheme != "https" {
		return c, err
	}
	secure := tls.Client(c, &tls.Config{ServerName: u.Hostname()})
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return secure, nil
}

// exchange sends the request and reads the head of the answer.
func exchange(c net.Conn, request *http.Request) (*http.Response, error) {
	c.SetDeadline(time.Now().Add(answerTime))
	var head bytes.Buffer
	fmt.Fprintf(&head, "GET %s HTTP/1.0\r\nHost: %s\r\n", request.URL.RequestURI(), request.URL.Host)
	if user := request.URL.User; user != nil && request.Header.Get("Authorization") == "" {
		password, _ := user.Password()
		request = request.Clone(request.Context())
		request.SetBasicAuth(user.Username(), password)
	}
	if err := request.Header.Write(&head); err != nil {
		return nil, err
	}
	head.WriteString("\r\n")
	if _, err := c.Write(head.Bytes()); err != nil {
		return nil, err
	}
	limited := &io.LimitedReader{R: c, N: maxHead}
	named := &renamed{r: limited}
	answer, err := http.ReadResponse(bufio.NewReader(named), request)
	switch {
	case err != nil && limited.N <= 0:
		return nil, fmt.Errorf("the head of the answer is larger than %d KiB", maxHead>>10)
	case err != nil:
		return nil, err
	}
	if named.icy {
		answer.Proto = Proto
	}
	limited.N = 1 << 62
	c.SetDeadline(time.Time{})
	return answer, nil
}

// renamed reads what r has, with HTTP/1.0 for a leading ICY.
type renamed struct {
	r     io.Reader
	begun bool
	icy   bool
	left  []byte // read, and not given out yet
}

// Read implements io.Reader.
func (n *renamed) Read(p []byte) (int, error) {
	if !n.begun {
		n.begun = true
		first := make([]byte, len("ICY "))
		got, err := io.ReadFull(n.r, first)
		n.left = first[:got]
		if err == nil && string(first) == "ICY " {
			n.icy, n.left = true, []byte("HTTP/1.0 ")
		}
	}
	if len(n.left) > 0 {
		got := copy(p, n.left)
		n.left = n.left[got:]
		return got, nil
	}
	return n.r.Read(p)
}

// connection is a body whose connection ends with it.
type connection struct {
	io.ReadCloser
	net.Conn
	end func()
}

// Read implements io.Reader.
func (c *connection) Read(p []byte) (int, error) { return c.ReadCloser.Read(p) }

// Close implements io.Closer. It reads no more of the body, which may never end.
func (c *connection) Close() error {
	c.end()
	return c.Conn.Close()
}
