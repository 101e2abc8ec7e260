package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func TestIsPublic(t *testing.T) {
	for _, text := range []string{
		"93.184.216.34", "8.8.8.8", "100.63.255.255", "172.32.0.1", "192.0.1.1", "223.255.255.255",
		"2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
	} {
		if !IsPublic(netip.MustParseAddr(text)) {
			t.Errorf("%s is refused", text)
		}
	}
	for _, text := range []string{
		"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.0.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "198.18.0.1",
		"192.0.2.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254",
		"64:ff9b:1::8.8.8.8", "2002:7f00:1::1", "2001::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1",
	} {
		if IsPublic(netip.MustParseAddr(text)) {
			t.Errorf("%s is taken for public", text)
		}
	}
	if IsPublic(netip.Addr{}) {
		t.Error("the zero address is taken for public")
	}
}

// names is a DNS server that answers each question with the next address of
// its list, and the last one for ever.
type names struct {
	asked     atomic.Int32
	addresses []string
}

// resolver starts the server and returns what asks it.
func (n *names) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go n.serve(conn)
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (n *names) serve(conn net.PacketConn) {
	buffer := make([]byte, 1500)
	for {
		size, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buffer[:size]) != nil || len(m.Questions) != 1 {
			continue
		}
		m.Response, m.Additionals = true, nil
		if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
			i := min(int(n.asked.Add(1)), len(n.addresses)) - 1
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
				Body:   &dnsmessage.AResource{A: netip.MustParseAddr(n.addresses[i]).As4()},
			}}
		}
		if answer, err := m.Pack(); err == nil {
			_, _ = conn.WriteTo(answer, from) // a question without answer is asked again
		}
	}
}

// two are servers on one port: at 127.0.0.2, which the tests call public, and at
// 127.0.0.1.
func two(t *testing.T, public http.HandlerFunc) (port string, inner *atomic.Int32) {
	t.Helper()
	inner = new(atomic.Int32)
	listen := func(address string) net.Listener {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		if err != nil {
			t.Skip("no second loopback address: ", err)
		}
		return l
	}
	outside := listen("127.0.0.2:0")
	_, port, _ = net.SplitHostPort(outside.Addr().String())
	inside := listen("127.0.0.1:" + port)
	for l, h := range map[net.Listener]http.HandlerFunc{
		outside: public,
		inside:  func(w http.ResponseWriter, _ *http.Request) { inner.Add(1); fmt.Fprint(w, "secret") },
	} {
		s := &http.Server{Handler: h}
		go func() { _ = s.Serve(l) }()
		t.Cleanup(func() { s.Close() })
	}
	return port, inner
}

func asPublic(a netip.Addr) bool { return a == netip.MustParseAddr("127.0.0.2") }

func hello(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Connection", "close") // so that every request resolves the name
	fmt.Fprint(w, "hello")
}

func refused(t *testing.T, what string, err error) {
	t.Helper()
	var private *PrivateError
	if !errors.As(err, &private) || !strings.Contains(err.Error(), "no public address") {
		t.Errorf("%s: %v", what, err)
	}
}

func TestPublicRefusesNamesOfPrivateAddresses(t *testing.T) {
	port, inner := two(t, hello)
	dns := &names{addresses: []string{"127.0.0.2", "127.0.0.1"}}
	n := open(t, Config{Resolver: dns.resolver(t), public: asPublic}).Network()
	if got, err := get(t, n.Public, "http://rebind.example:"+port); err != nil || got != "hello" {
		t.Errorf("a public address: %q, %v", got, err)
	}
	_, err := get(t, n.Public, "http://rebind.example:"+port)
	refused(t, "the name's second address", err)
	_, err = get(t, n.Public, "http://127.0.0.1:"+port)
	refused(t, "a private address", err)
	_, err = get(t, n.Public, "http://[::ffff:127.0.0.1]:"+port)
	refused(t, "a private address as one of IPv6", err)
	if inner.Load() != 0 {
		t.Errorf("%d requests reached the private server", inner.Load())
	}
	if got, err := get(t, n.Client, "http://rebind.example:"+port); err != nil || got != "secret" {
		t.Errorf("what the operator has configured is reached: %q, %v", got, err)
	}
	// A connection that was made without the check is not used with it.
	_, err = get(t, n.Public, "http://rebind.example:"+port)
	refused(t, "over a connection of Client's", err)
}

func TestPublicRefusesRedirectsToPrivateAddresses(t *testing.T) {
	port, inner := two(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:"+strings.Split(r.Host, ":")[1]+"/admin", http.StatusFound)
	})
	dns := &names{addresses: []string{"127.0.0.2"}}
	n := open(t, Config{Resolver: dns.resolver(t), public: asPublic}).Network()
	_, err := get(t, n.Public, "http://public.example:"+port)
	refused(t, "the redirect", err)
	if inner.Load() != 0 {
		t.Errorf("%d requests reached the private server", inner.Load())
	}
}

func TestPublicHasTheRealCheck(t *testing.T) {
	s := serve(t, hello)
	_, err := get(t, open(t, Config{}).Network().Public, s.URL)
	refused(t, "loopback", err)
	u, _ := url.Parse(s.URL)
	_, err = get(t, open(t, Config{}).Network().Public, "http://localhost:"+u.Port())
	refused(t, "localhost", err)
}
