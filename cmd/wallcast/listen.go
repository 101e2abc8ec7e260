package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/wallcast/wallcast/cmd/wallcast/internal/access"
	"github.com/wallcast/wallcast/cmd/wallcast/internal/config"
)

// listen opens the listeners. A computer without IPv6 does without [::1].
func (p *program) listen(cfg *config.Config) error {
	var missing string
	for _, address := range cfg.Listen {
		l, err := net.Listen("tcp", address)
		switch {
		case err == nil:
			p.listeners = append(p.listeners, l)
			p.opened = append(p.opened, func() { l.Close() })
		case lacking(err) && strings.HasPrefix(address, "[::1]:"):
			missing = address
		case errors.Is(err, syscall.EADDRINUSE):
			return fmt.Errorf("%s is in use by another program; stop that one, or serve elsewhere with --listen 127.0.0.1:%d", address, nextPort(address))
		case lacking(err):
			return lackingError(address)
		case errors.Is(err, syscall.EACCES):
			return fmt.Errorf("%s may not be opened: ports below 1024 need the right to (on Linux CAP_NET_BIND_SERVICE); or serve elsewhere with --listen", address)
		default:
			return fmt.Errorf("listening on %s: %w", address, err)
		}
	}
	if len(p.listeners) == 0 {
		return lackingError(missing)
	}
	p.warnOfProxies(cfg)
	return nil
}

// warnOfProxies says that the world may write where it can't be told from this
// computer: a url that is not of this computer, and a loopback listener, mean that
// there is a proxy.
func (p *program) warnOfProxies(cfg *config.Config) {
	loopback := slices.ContainsFunc(p.listeners, func(l net.Listener) bool {
		return l.Addr().(*net.TCPAddr).IP.IsLoopback()
	})
	name := (&url.URL{Host: cfg.URL.Host}).Hostname()
	addr, err := netip.ParseAddr(name)
	local := name == "" || name == "localhost" || err == nil && addr.IsLoopback()
	if !loopback || local || len(cfg.Tokens) > 0 {
		return
	}
	p.log.Warn("there is a url, and there are no tokens: whoever comes through a proxy that adds no X-Forwarded-For counts as being on this computer, and may write; " +
		"make a token with wallcast token, and have the proxy add the header")
}

// lacking reports whether an address could not be listened on because this
// computer does not have it, as [::1] without IPv6.
func lacking(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}

func lackingError(address string) error {
	return fmt.Errorf("%s may not be opened: this computer does not have the address", address)
}

func nextPort(address string) int {
	_, port, _ := net.SplitHostPort(address)
	n, err := strconv.Atoi(port)
	if err != nil || n >= 65535 {
		return 8081
	}
	return n + 1
}

// newHTTPServer serves HTTP/1.1, HTTP/2 over TLS, and HTTP/2 without TLS as
// proxies speak it. It has no WriteTimeout: event streams stay open.
func newHTTPServer(handler http.Handler, log *slog.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           handler,
		Protocols:         protocols,
		BaseContext:       access.BaseContext,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// loadCertificate reads the configured certificate; nil where there is none.
func loadCertificate(c config.TLS) (*tls.Certificate, error) {
	if c.Cert == "" {
		return nil, nil
	}
	certificate, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate %s with the key %s: %w; correct tls in wallcast.yaml", c.Cert, c.Key, err)
	}
	return &certificate, nil
}

// renewCertificate reads the certificate again. Whether there is one is settled
// at start.
func (p *program) renewCertificate(cfg *config.Config) (*tls.Certificate, error) {
	if p.certificate.Load() == nil || cfg.TLS.Cert == "" {
		return p.certificate.Load(), nil
	}
	return loadCertificate(cfg.TLS)
}

// baseURL is where the program can be opened: as the world sees it or, on this
// computer, at the first listener.
func baseURL(cfg *config.Config, l net.Listener) string {
	if cfg.URL != (config.URL{}) {
		return cfg.URL.String()
	}
	scheme := "http"
	if cfg.TLS.Cert != "" {
		scheme = "https"
	}
	addr := l.Addr().(*net.TCPAddr)
	host := addr.IP.String()
	if addr.IP.IsLoopback() || addr.IP.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(addr.Port))
}

// needRestart names the settings that differ and are read at start only.
func (p *program) needRestart(old, cfg *config.Config) []string {
	var names []string
	for _, s := range []struct {
		name     string
		old, new any
	}{
		{"listen", old.Listen, cfg.Listen}, {"data", old.Data, cfg.Data}, {"nats", old.NATS, cfg.NATS},
		{"tls", p.certificate.Load() != nil, cfg.TLS.Cert != ""},
	} {
		if !reflect.DeepEqual(s.old, s.new) {
			names = append(names, s.name)
		}
	}
	return names
}
