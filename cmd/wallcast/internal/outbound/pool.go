package outbound

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/wallcast/wallcast/sources"
)

const (
	// MaxBody is the largest body that Client and Public read, in bytes, after
	// decompression.
	MaxBody = 8 << 20

	// answerTime is how long a whole answer may take, and how long one that never
	// ends may take to begin.
	answerTime = 30 * time.Second

	// dialTime is how long connecting and, by itself, agreeing on TLS may take.
	dialTime = 10 * time.Second

	// pingAfter is how long a connection may be silent before it is asked whether
	// it lives, and pingTime how long that may take.
	pingAfter = 30 * time.Second
	pingTime  = 15 * time.Second

	// idleTime is how long a connection is kept that nobody uses.
	idleTime = 90 * time.Second

	maxHeader = 256 << 10 // of an answer, in bytes
)

// Config says who asks, and for tests how.
type Config struct {
	Version string // of the program, for the User-Agent

	// Proxy says which proxy a request goes through; nil: the environment does.
	Proxy func(*http.Request) (*url.URL, error)

	// Resolver resolves names; nil: net.DefaultResolver.
	Resolver *net.Resolver

	public   func(netip.Addr) bool // IsPublic, but for tests
	lifetime time.Duration         // answerTime, but for tests
}

// Pool is the connections of the program to others.
type Pool struct {
	network    sources.Network
	transports []*http.Transport
}

// New makes a pool. It opens no connection yet.
func New(c Config) *Pool {
	if c.Proxy == nil {
		c.Proxy = http.ProxyFromEnvironment
	}
	if c.public == nil {
		c.public = IsPublic
	}
	if c.lifetime == 0 {
		c.lifetime = answerTime
	}
	dialer := c.dialer()
	guarded := c.dialer()
	guarded.ControlContext = c.refusePrivate

	// Connections are pooled by host name. So Public has a pool of its own: in
	// a common one it would find a connection that was made without the check.
	all := c.transport(dialer, c.Proxy)
	public := c.transport(guarded, nil)
	agent := "Wallcast/" + c.Version + " (+https://github.com/wallcast/wallcast)"
	return &Pool{
		transports: []*http.Transport{all, public},
		network: sources.Network{
			Client:  c.client(bounded{polite{all, agent}}, c.lifetime),
			Streams: c.client(polite{all, agent}, 0),
			Public:  c.client(bounded{direct{polite{public, agent}, c.Proxy}}, c.lifetime),
			Dial:    dialer.DialContext,
		},
	}
}

// Network is what a source is given.
func (p *Pool) Network() sources.Network { return p.network }

// Close closes the connections that nobody uses any more.
func (p *Pool) Close() {
	for _, t := range p.transports {
		t.CloseIdleConnections()
	}
}

func (c Config) dialer() *net.Dialer {
	return &net.Dialer{
		Timeout:         dialTime,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: pingAfter, Interval: pingTime, Count: 3},
		Resolver:        c.Resolver,
	}
}

func (c Config) transport(dialer *net.Dialer, proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	return &http.Transport{
		Proxy:                  proxy,
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    dialTime,
		ResponseHeaderTimeout:  c.lifetime,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        idleTime,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    4,
		MaxResponseHeaderBytes: maxHeader,
		ForceAttemptHTTP2:      true, // which a DialContext would turn off
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTime},
	}
}

func (c Config) client(transport http.RoundTripper, lifetime time.Duration) *http.Client {
	return &http.Client{Transport: transport, Timeout: lifetime, CheckRedirect: checkRedirect}
}
