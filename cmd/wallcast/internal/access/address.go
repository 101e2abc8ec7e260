package access

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// forwardingHeaders are what proxies add. Any of them says that a request did
// not come straight from who made it.
var forwardingHeaders = []string{
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port",
	"X-Forwarded-Server", "X-Real-Ip", "Via", "Cf-Connecting-Ip", "True-Client-Ip", "Fly-Client-Ip", "X-Client-Ip",
}

// forwarding returns what shows that a request came through a proxy, or "". That
// is a forwarding header; and HTTP/1.0, which next to nobody speaks but nginx, that
// by itself adds no header and names our own address as the Host.
func forwarding(r *http.Request) string {
	for _, name := range forwardingHeaders {
		if len(r.Header.Values(name)) > 0 {
			return "has the header " + name
		}
	}
	if !r.ProtoAtLeast(1, 1) {
		return "is of " + r.Proto
	}
	return ""
}

// clientAddress returns who is asking: the other end of the connection, or, if
// that is a listed proxy, what it says. Of a chain of addresses the right-most
// that is no listed proxy counts, because whatever stands left of it was sent
// by the client. The zero Addr is returned when there is no address at all.
//
// A proxy writes one of the headers Forwarded and X-Forwarded-For and passes on
// the other as the client sent it. So where there are both and they differ,
// neither is believed.
func clientAddress(remote string, h http.Header, proxies []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	addr := plainAddr(peer.Addr())
	if !within(addr, proxies) {
		return addr
	}
	forwarded, list := h.Values("Forwarded"), h.Values("X-Forwarded-For")
	switch {
	case len(forwarded) > 0 && len(list) > 0:
		one, other := chain(addr, parseForwarded(forwarded), proxies), chain(addr, parseList(list), proxies)
		if one == other {
			return one
		}
		return addr
	case len(forwarded) > 0:
		return chain(addr, parseForwarded(forwarded), proxies)
	}
	return chain(addr, parseList(list), proxies)
}

// chain walks from the right through the addresses that proxies reported, as
// long as a listed proxy vouches for them. An address that can't be read ends it.
func chain(peer netip.Addr, reported []netip.Addr, proxies []netip.Prefix) netip.Addr {
	for _, addr := range slices.Backward(reported) {
		if !addr.IsValid() {
			return peer
		}
		peer = addr
		if !within(addr, proxies) {
			return peer
		}
	}
	return peer
}

func within(addr netip.Addr, networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool {
		if n.Addr().Is4In6() && n.Bits() >= 96 {
			n = netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96)
		}
		return n.Contains(addr)
	})
}

// plainAddr has no zone, and an IPv4 address is one.
func plainAddr(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// parseList reads X-Forwarded-For. What is no address is the zero Addr.
func parseList(values []string) []netip.Addr {
	var addrs []netip.Addr
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			addrs = append(addrs, parseNode(strings.TrimSpace(item)))
		}
	}
	return addrs
}

// parseForwarded reads the for parameters of Forwarded (RFC 7239). An element
// without one, or one that can't be read, is the zero Addr.
func parseForwarded(values []string) []netip.Addr {
	var addrs []netip.Addr
	for _, value := range values {
		for _, element := range splitQuoted(value, ',') {
			addrs = append(addrs, parseElement(element))
		}
	}
	return addrs
}

// parseElement reads what one proxy reports. With two for parameters it is not
// clear which is meant, so neither counts.
func parseElement(element string) netip.Addr {
	var addr netip.Addr
	seen := false
	for _, pair := range splitQuoted(element, ';') {
		name, node, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if !strings.EqualFold(name, "for") {
			continue
		}
		if seen {
			return netip.Addr{}
		}
		addr, seen = parseNode(unquote(node)), true
	}
	return addr
}

// splitQuoted splits at separators outside of quoted strings.
func splitQuoted(s string, separator byte) []string {
	var parts []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// unquote removes the quotes of a quoted string; addresses need no escapes.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// parseNode reads an address with or without a port, "[2001:db8::1]:80" or
// "192.0.2.1:80"; the zero Addr for "unknown" and the like.
func parseNode(s string) netip.Addr {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return plainAddr(ap.Addr())
	}
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = s[1 : len(s)-1]
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return plainAddr(addr)
}

// limitAddress is what counts as one client: the address, and for IPv6 the
// network of 64 bits, which is what one household or server is given.
func limitAddress(addr netip.Addr) string {
	if addr.Is6() {
		if prefix, err := addr.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return addr.String()
}
