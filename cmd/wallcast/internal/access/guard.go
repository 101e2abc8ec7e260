package access

import (
	"context"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
)

// Config is what a Guard goes by.
type Config struct {
	URL     Origin // under which the world sees the program; the zero Origin: not known
	Proxies []netip.Prefix
	Tokens  []Token
	Walls   []Wall

	// GrantKey verifies signed links, see [NewGrant]. Without it there are none.
	GrantKey []byte

	// TokenRate is what one token may publish, except from loopback. Default: 6000 a minute.
	TokenRate Rate
}

// Wall is what a Guard needs to know of a wall.
type Wall struct {
	Name    string
	Private bool
	Origins []Origin // who may embed it and read it from a page; none and not private: every site
	Anyone  bool     // may post without a token
	Rate    Rate     // of one address without a token; default 30 a minute, loopback not limited
}

// The default rates.
var (
	defaultTokenRate  = Rate{6000, time.Minute}
	defaultAnyoneRate = Rate{30, time.Minute}
)

// Guard decides who may do what.
type Guard struct {
	policy atomic.Pointer[policy]
	limits limiters
}

// policy is a Config, prepared. It never changes.
type policy struct {
	cfg        Config
	publicName string // host name of cfg.URL
	walls      map[string]Wall
}

// New makes a Guard.
func New(cfg Config) *Guard {
	g := new(Guard)
	g.Apply(cfg)
	return g
}

// Apply replaces what the Guard goes by. Requests that were let in stay in.
func (g *Guard) Apply(cfg Config) {
	if cfg.TokenRate == (Rate{}) {
		cfg.TokenRate = defaultTokenRate
	}
	p := &policy{cfg: cfg, walls: make(map[string]Wall, len(cfg.Walls))}
	p.publicName, _ = hostName(cfg.URL.Host()) // "" for none
	for _, wall := range cfg.Walls {
		p.walls[wall.Name] = wall
	}
	g.policy.Store(p)
}

// Authenticate returns the rights of the token with that name and secret.
func (g *Guard) Authenticate(name, secret string) (Rights, bool) {
	for _, token := range g.policy.Load().cfg.Tokens {
		if token.Name == name && token.Hash.Verify(secret) {
			return token.Allow, true
		}
	}
	return nil, false
}

// Caller is who makes a request.
type Caller struct {
	Address netip.Addr // of the client; the zero Addr when it is not known
	Token   string     // name of the token that was sent; empty without a known one
	Rights  Rights     // of the token

	local     bool   // connected over loopback, with no proxy in between
	forwarded string // what shows that the request came through a proxy
	sent      bool   // a bearer token was sent, known or not
	basic     bool   // another kind of authentication was sent
	operator  bool   // connected over the administration socket
}

// Scope says who is publishing, for ids that must not clash with those of
// others: the token, or the address, or this computer.
func (c Caller) Scope() string {
	switch {
	case c.Token != "":
		return "token " + c.Token
	case c.local:
		return "local"
	}
	return "address " + limitAddress(c.Address)
}

// LimitKey is what counts as one client where clients are limited: the address,
// or the network of 64 bits of an IPv6 address.
func (c Caller) LimitKey() string { return limitAddress(c.Address) }

type contextKey int

const (
	callerKey contextKey = iota
	listenerKey
)

// BaseContext is for http.Server.BaseContext: it makes known over which listener
// a request came.
func BaseContext(l net.Listener) context.Context {
	return context.WithValue(context.Background(), listenerKey, l.Addr())
}

// onLoopback reports whether the request came over a loopback listener.
func onLoopback(r *http.Request) bool {
	addr, ok := r.Context().Value(listenerKey).(net.Addr)
	if !ok {
		return false
	}
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// CallerOf returns who makes a request that came through [Guard.Handler]; the
// zero Caller for any other.
func CallerOf(r *http.Request) Caller {
	caller, _ := r.Context().Value(callerKey).(Caller)
	return caller
}

// Handler finds out who makes a request, checks the Host, and passes the
// request on to next.
func (g *Guard) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := g.policy.Load()
		if problem := p.checkHostHeader(r); problem != nil {
			problem.Write(w)
			return
		}
		ctx := context.WithValue(r.Context(), callerKey, p.caller(r))
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (p *policy) caller(r *http.Request) Caller {
	c := Caller{
		Address:   clientAddress(r.RemoteAddr, r.Header, p.cfg.Proxies),
		forwarded: forwarding(r),
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	c.local = err == nil && peer.Addr().Unmap().IsLoopback() && c.forwarded == ""
	for _, value := range r.Header.Values("Authorization") {
		scheme, secret, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			c.basic = true
			continue
		}
		c.sent = true
		if token := p.token(strings.TrimSpace(secret)); token != nil {
			c.Token, c.Rights = token.Name, token.Allow
		}
	}
	return c
}

// token returns the token with that secret. It compares with all of them, so
// that the time tells nothing.
func (p *policy) token(secret string) *Token {
	var found *Token
	hash := HashSecret(secret)
	for i := range p.cfg.Tokens {
		if token := &p.cfg.Tokens[i]; subtle.ConstantTimeCompare(hash[:], token.Hash[:]) == 1 {
			found = token
		}
	}
	return found
}
