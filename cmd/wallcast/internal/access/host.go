package access

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// checkHostHeader is the Host check; the package's "The Host" has the rule.
func (p *policy) checkHostHeader(r *http.Request) *Problem {
	name, ok := hostName(r.Host)
	listener := "this listener"
	switch {
	case !ok:
		return &Problem{Status: http.StatusForbidden, Check: checkHost,
			Detail: fmt.Sprintf("Host check: %.100q is no host", r.Host)}
	case loopbackName(name), name == p.publicName:
		return nil
	case onLoopback(r):
		listener = "a loopback listener"
	case !publicDNS(name):
		return nil
	}
	remedy := "set url in the configuration to the address that this is reached under"
	if p.publicName != "" {
		remedy = fmt.Sprintf("use %s, or change url in the configuration", p.cfg.URL)
	}
	return &Problem{Status: http.StatusForbidden, Check: checkHost,
		Detail: fmt.Sprintf("Host check: %s does not answer to %.100q, because a foreign page could have made that name point here; %s", listener, name, remedy)}
}

// hostName is the name of a Host header, lower-case and without port, brackets
// and trailing dot.
func hostName(host string) (string, bool) {
	if h, port, err := net.SplitHostPort(host); err == nil {
		if strings.Trim(port, "0123456789") != "" {
			return "", false
		}
		host = h
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
		if !strings.Contains(host, ":") {
			return "", false
		}
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host, validHost(host)
}

// loopbackName reports whether a host is this very computer, whatever DNS says.
func loopbackName(name string) bool {
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return name == "localhost"
}

// privateDomains are kept out of public DNS by RFC 6761, 6762, 8375 and ICANN.
var privateDomains = []string{".local", ".localhost", ".internal", ".home.arpa"}

// publicDNS reports whether a stranger could own the name.
func publicDNS(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil || !strings.Contains(name, ".") {
		return false
	}
	for _, domain := range privateDomains {
		if strings.HasSuffix(name, domain) {
			return false
		}
	}
	return true
}
