package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

// Target is the wall under test.
type Target struct {
	Base  string // http:// or https:// and host[:port]
	Wall  string
	Token string // sent with every request, unless it is empty
}

func (t Target) String() string { return t.Base + "/walls/" + t.Wall }

// events is the path of the wall's events.
func (t Target) events() string { return "/walls/" + url.PathEscape(t.Wall) + "/events" }

// answerTimeout is how long the server may take for one answer.
const answerTimeout = 30 * time.Second

// connector opens connections to a target, which it looks up once: ten thousand
// viewers are not to ask ten thousand times. A proxy that the environment names is not
// used: it would be tested instead.
type connector struct {
	Target
	host     string // of the Host header
	address  netip.AddrPort
	loopback bool
	tls      *tls.Config // nil for http
	client   *http.Client
}

func newConnector(ctx context.Context, t Target) (*connector, error) {
	u, err := url.Parse(t.Base)
	if err != nil {
		return nil, fmt.Errorf("reading the address %q: %w", t.Base, err)
	}
	c := &connector{Target: t, host: u.Host}
	port := u.Port()
	if u.Scheme == "https" {
		c.tls = &tls.Config{ServerName: u.Hostname(), NextProtos: []string{"http/1.1"}, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		if port == "" {
			port = "443"
		}
	}
	if port == "" {
		port = "80"
	}
	// Whoever answers first under the name is who all viewers go to.
	var d net.Dialer
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, fmt.Errorf("%s does not answer: %w", t.Base, err)
	}
	defer conn.Close()
	c.address = conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	c.loopback = c.address.Addr().Unmap().IsLoopback()
	c.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, c.address.String())
		},
		DisableKeepAlives: true,
	}}
	return c, nil
}

// portsPerAddress is how many connections to one server one source address is
// used for: Linux has some 28,000 ports for them.
const portsPerAddress = 20_000

// source is the local address for a connection, by number. On loopback there are as
// many as one wants; elsewhere the system chooses, and 28,000 are the end.
func (c *connector) source(number int) net.Addr {
	block := number / portsPerAddress
	if block == 0 || !c.loopback || !c.address.Addr().Unmap().Is4() {
		return nil
	}
	return &net.TCPAddr{IP: net.IPv4(127, 0, byte(block>>8), byte(1+block&0xff%254))}
}

// dial opens a connection.
func (c *connector) dial(ctx context.Context, number int) (*net.TCPConn, net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	d := net.Dialer{LocalAddr: c.source(number), KeepAlive: -1}
	conn, err := d.DialContext(ctx, "tcp", c.address.String())
	if err != nil {
		return nil, nil, err
	}
	tcp := conn.(*net.TCPConn)
	if c.tls == nil {
		return tcp, tcp, nil
	}
	secured := tls.Client(tcp, c.tls)
	if err := secured.HandshakeContext(ctx); err != nil {
		tcp.Close()
		return nil, nil, fmt.Errorf("opening TLS to %s: %w", c.host, err)
	}
	return tcp, secured, nil
}

// appendHead appends the beginning of a request's head.
func (c *connector) appendHead(dst []byte, method, path string) []byte {
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, path...)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, c.host...)
	dst = append(dst, "\r\nUser-Agent: wallcast-bench\r\n"...)
	if c.Token != "" {
		dst = append(dst, "Authorization: Bearer "...)
		dst = append(dst, c.Token...)
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// ask makes one ordinary request. It returns the status and the body.
func (c *connector) ask(ctx context.Context, method, path, contentType string, body []byte) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.Base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Accept", "application/json")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return 0, nil, fmt.Errorf("%s does not answer: %w", c.Base, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return 0, nil, fmt.Errorf("reading the answer of %s: %w", c.Base, err)
	}
	return resp.StatusCode, answer, nil
}

// head is the sequence of the wall's newest event. An error says why the wall
// can't be watched.
func (c *connector) head(ctx context.Context) (uint64, error) {
	status, body, err := c.ask(ctx, http.MethodGet, c.events(), "", nil)
	if err != nil {
		return 0, err
	}
	if status != http.StatusOK {
		return 0, fmt.Errorf("the wall %s can't be watched: %s", c, reason(status, body))
	}
	var answer struct{ Next string }
	err = json.Unmarshal(body, &answer)
	seq, ok := sequence([]byte(answer.Next))
	if err != nil || !ok {
		return 0, fmt.Errorf("%s is no wall of a wallcast: its answer has no id to go on from", c)
	}
	return seq, nil
}

// reason is why a request was refused.
func reason(status int, body []byte) string {
	var problem struct{ Detail string }
	if json.Unmarshal(body, &problem) == nil && problem.Detail != "" {
		return problem.Detail
	}
	return "the server answered " + strconv.Itoa(status) + " " + http.StatusText(status)
}
