package access

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Origin is a site as browsers name it, scheme://host[:port], or every
// subdomain of one, scheme://*.host[:port]. An Origin is made by
// [ParseOrigin]; the zero Origin is none.
type Origin struct{ scheme, host string }

var errOrigin = errors.New(`not an origin; one looks like "https://example.com" or "https://*.example.com", without a path`)

// ParseOrigin reads an origin. Letters are made small and a scheme's own port
// is left out, as browsers do it.
func ParseOrigin(s string) (Origin, error) {
	u, err := url.Parse(strings.ToLower(strings.TrimSuffix(s, "/")))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" || u.User != nil ||
		u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" || strings.HasSuffix(s, "#") {
		return Origin{}, errOrigin
	}
	name, port := u.Hostname(), u.Port()
	if !validHost(strings.TrimPrefix(name, "*.")) || strings.HasSuffix(u.Host, ":") {
		return Origin{}, errOrigin
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return Origin{}, errOrigin
		}
		port = strconv.FormatUint(n, 10)
	}
	if strings.HasPrefix(name, "*.") {
		if _, err := netip.ParseAddr(name[2:]); err == nil || !strings.Contains(name[2:], ".") && name[2:] != "localhost" {
			return Origin{}, errors.New("*. stands before a domain of one's own, such as https://*.example.com")
		}
	}
	return Origin{u.Scheme, joinHost(name, port, u.Scheme)}, nil
}

// joinHost is host[:port] with brackets for IPv6 and without the scheme's own port.
func joinHost(name, port, scheme string) string {
	if port == "" || scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		if strings.Contains(name, ":") {
			return "[" + name + "]"
		}
		return name
	}
	return net.JoinHostPort(name, port)
}

// validHost reports whether name is an IP address or looks like a DNS name.
func validHost(name string) bool {
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.Zone() == ""
	}
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// Wildcard reports whether the origin stands for the subdomains of a host.
func (o Origin) Wildcard() bool { return strings.HasPrefix(o.host, "*.") }

// Host is the origin's host[:port].
func (o Origin) Host() string { return o.host }

// String is the origin as an Origin header or a frame-ancestors source has it.
func (o Origin) String() string {
	if o == (Origin{}) {
		return ""
	}
	return o.scheme + "://" + o.host
}

// Covers reports whether other, which is no wildcard, is this origin or a
// subdomain that it stands for.
func (o Origin) Covers(other Origin) bool {
	if o == (Origin{}) || o.scheme != other.scheme {
		return false
	}
	if o.Wildcard() {
		return strings.HasSuffix(other.host, o.host[1:]) && other.host != o.host[1:]
	}
	return o.host == other.host
}

// MarshalText is String.
func (o Origin) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText is ParseOrigin.
func (o *Origin) UnmarshalText(text []byte) error {
	parsed, err := ParseOrigin(string(text))
	if err != nil {
		return err
	}
	*o = parsed
	return nil
}
